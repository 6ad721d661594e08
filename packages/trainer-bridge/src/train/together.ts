import { HISTORY_KINDS } from '@attune/core'
import { NO_ITEM, quantizeNeighbours, type TogetherTable } from '@attune/core/artifact'
import { isBasketStep, MAX_BASKET } from '../baskets.ts'
import type { TrainingData } from './data.ts'
import { visitWeight } from './tables.ts'

/** Partners kept a row, B: a list of 20, filters take some, and what is short is filled up. */
export const TOGETHER_WIDTH = 32

const IN_BASKET: readonly boolean[] = HISTORY_KINDS.map((kind) => isBasketStep({ kind }))

/**
 * What was put into a basket or bought with what: two different items of one visit's basket gain the visit's weight in
 * each other's row, however often each was put there.
 *
 * O(clicks + Σ basket²) time.
 *
 * @returns undefined when no visit has a basket of two, or neither kinds nor baskets are known
 */
export function buildTogether(data: TrainingData): TogetherTable | undefined {
  const baskets = data.baskets ?? basketsIn(data)
  const weights = new Map<number, Map<number, number>>()
  const add = (row: number, partner: number, weight: number): void => {
    let partners = weights.get(row)
    if (partners === undefined) weights.set(row, (partners = new Map<number, number>()))
    partners.set(partner, (partners.get(partner) ?? 0) + weight)
  }
  for (const [visit, basket] of baskets.entries()) {
    const weight = visitWeight(visit, baskets.length)
    for (const row of basket) for (const partner of basket) if (row !== partner) add(row, partner, weight)
  }
  if (weights.size === 0) return undefined
  const table = emptyTogether(data.ids.length, TOGETHER_WIDTH)
  for (const [row, partners] of weights) {
    quantizeNeighbours([...partners.keys()], [...partners.values()], TOGETHER_WIDTH, table, row)
  }
  return table
}

/** Of every visit, most of them empty: a visit's weight is by its place among all. */
function basketsIn({ offsets, rows, kinds }: TrainingData): readonly (readonly number[])[] {
  if (kinds === undefined) return []
  return Array.from({ length: offsets.length - 1 }, (_, visit) => {
    const basket = new Set<number>()
    for (let at = offsets[visit]!; at < offsets[visit + 1]! && basket.size < MAX_BASKET; at++) {
      if (IN_BASKET[kinds[at]!] === true) basket.add(rows[at]!)
    }
    return [...basket]
  })
}

/** A table of `items` rows without a partner. */
export function emptyTogether(items: number, width: number): TogetherTable {
  return {
    width,
    items: new Uint32Array(items * width).fill(NO_ITEM),
    scores: new Uint8Array(items * width),
    scales: new Float32Array(items),
  }
}
