import { VISIT_GAP_MS } from '@attune/core'
import { MAX_BASKET } from '../baskets.ts'

/** What baskets need of a row of a click log. */
export interface BasketRow {
  readonly at: number
  readonly item: string
  readonly basket: boolean
}

/**
 * What visitors put into their baskets or bought in one visit, each item once, those of one item alone left out; in the
 * order visits ended. Visits are told apart by all rows, clicks or not.
 *
 * @param visitors - rows of each
 * @param session - each visitor is one visit
 */
export function basketsOf(
  visitors: readonly (readonly BasketRow[])[],
  session: boolean,
): { readonly at: number; readonly items: readonly string[] }[] {
  const baskets: { at: number; items: string[] }[] = []
  for (const rows of visitors) {
    if (!rows.some(({ basket }) => basket)) continue
    let items = new Set<string>()
    let last = 0
    const end = (): void => {
      if (items.size > 1) baskets.push({ at: last, items: [...items] })
      items = new Set()
    }
    for (const { at, item, basket } of rows.toSorted((a, b) => a.at - b.at)) {
      if (!session && at - last >= VISIT_GAP_MS) end()
      if (basket && items.size < MAX_BASKET) items.add(item)
      last = at
    }
    end()
  }
  return baskets.sort((a, b) => a.at - b.at)
}
