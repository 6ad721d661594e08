import type { BatchDocument, ItemAttributes } from '@attune/core'
import type { ServingModel } from '@attune/core/rank'
import { Windows } from '@attune/trainer-bridge'
import type { InitialModel } from './_model.ts'

const UNITS_PER_PAIR = 2_520

/** Steps by item and pairs `a>b` in units. */
export interface Counts {
  readonly steps: Map<string, number>
  readonly pairs: Map<string, number>
}

/** A single pass over all stored documents. */
export function recount(documents: readonly BatchDocument[]): Counts {
  const counts: Counts = { steps: new Map(), pairs: new Map() }
  const add = (map: Map<string, number>, key: string, value: number) => {
    const sum = (map.get(key) ?? 0) + value
    if (sum === 0) map.delete(key)
    else map.set(key, sum)
  }
  const windows = new Windows()
  for (const document of documents) {
    windows.apply(document, {
      step: (item, sign) => {
        add(counts.steps, item, sign)
      },
      pair: (source, target, units, sign) => {
        add(counts.pairs, `${source}>${target}`, sign * units)
      },
    })
  }
  return counts
}

/** How an edge's model differs from what it must be; undefined when it does not. */
export function differenceOf(
  model: ServingModel,
  base: InitialModel,
  { steps, pairs }: Counts,
  attributes: ReadonlyMap<string, ItemAttributes | null>,
): string | undefined {
  const sums = new Map<string, number>()
  for (const [pair, units] of pairs) {
    const source = pair.slice(0, pair.indexOf('>'))
    sums.set(source, (sums.get(source) ?? 0) + units / UNITS_PER_PAIR)
  }
  for (const id of model.ids) {
    const row = model.rowOf(id) ?? -1
    const popularity = (base.tables.popularity[row] ?? 0) + (steps.get(id) ?? 0)
    if (Math.abs((model.popularity[row] ?? 0) - popularity) > 1e-3 * Math.max(1, popularity))
      return `${id}: popularity ${model.popularity[row]}, expected ${popularity}`
    const sum = (base.tables.srSums[row] ?? 0) + (sums.get(id) ?? 0)
    if (Math.abs((model.srSums[row] ?? 0) - sum) > 1e-3 * Math.max(1, sum))
      return `${id}: sum of rules ${model.srSums[row]}, expected ${sum}`
  }
  for (const id of steps.keys()) if (model.rowOf(id) === undefined) return `${id} is not known`
  for (const [id, wanted] of attributes) {
    const row = model.rowOf(id) ?? -1
    const same =
      wanted === null ? model.isRemoved(row) : model.attributesOf(row)?.['stock'] === wanted['stock']
    if (!same)
      return `${id}: stock ${String(model.attributesOf(row)?.['stock'])}, expected ${String(wanted?.['stock'])}`
  }
  return undefined
}
