import { VISIT_GAP_MS, type HistoryItem, type HistoryKind } from '@attune/core'

/** Items of a visit's basket that are counted: more is no basket, but a robot or a price comparison. */
export const MAX_BASKET = 50

const BASKET_KINDS: ReadonlySet<HistoryKind> = new Set<HistoryKind>(['add-to-cart', 'purchase'])

/** Whether a step puts its item into the visit's basket. */
export function isBasketStep({ kind }: Pick<HistoryItem, 'kind'>): boolean {
  return BASKET_KINDS.has(kind)
}

/**
 * The basket of each visit that has one of two items or more: what was put into it or bought, each item once.
 *
 * @param steps - of `toHistory`, as training sees them
 */
export function basketsOf(steps: readonly HistoryItem[]): string[][] {
  const baskets: Set<string>[] = []
  let basket = new Set<string>()
  for (const [index, step] of steps.entries()) {
    const previous = steps[index - 1]
    if (previous === undefined || step.at - previous.at >= VISIT_GAP_MS) {
      basket = new Set()
      baskets.push(basket)
    }
    if (isBasketStep(step) && basket.size < MAX_BASKET) basket.add(step.item)
  }
  return baskets.filter(({ size }) => size > 1).map((items) => [...items])
}

/**
 * Tells in how many visits more, or with a negative number fewer, two different items are in one basket, after a
 * visitor's steps changed. Each pair is told once, whichever of the two came first.
 *
 * O(steps + pairs of the baskets); nothing but a look at the kinds for who has no basket.
 */
export function tellBaskets(
  before: readonly HistoryItem[],
  after: readonly HistoryItem[],
  tell: (one: string, other: string, visits: number) => void,
): void {
  if (!after.some(isBasketStep) && !before.some(isBasketStep)) return
  const changes = new Map<string, Map<string, number>>()
  const count = (steps: readonly HistoryItem[], visits: number): void => {
    for (const basket of basketsOf(steps)) {
      for (const [place, item] of basket.entries()) {
        for (const partner of basket.slice(0, place)) {
          const [one, other] = item < partner ? [item, partner] : [partner, item]
          let partners = changes.get(one)
          if (partners === undefined) changes.set(one, (partners = new Map<string, number>()))
          partners.set(other, (partners.get(other) ?? 0) + visits)
        }
      }
    }
  }
  count(before, -1)
  count(after, 1)
  for (const [one, partners] of changes) {
    for (const [other, visits] of partners) if (visits !== 0) tell(one, other, visits)
  }
}
