import type { TogetherTable } from '@attune/core/artifact'
import { emptyTogether, TOGETHER_WIDTH } from '../train/together.ts'
import { writeCounts } from './counts.ts'

/**
 * In how many visits two items were in one basket since the base model was trained: exact whole numbers, both ways, on
 * top of its quantised table.
 */
export class TogetherCounts {
  /** Partners a row of the table holds, B. */
  readonly width: number
  readonly #base: TogetherTable | undefined
  readonly #visits = new Map<number, Map<number, number>>()
  #size = 0

  /** @param state - flat: row, its partner of a higher number, visits */
  constructor(base: TogetherTable | undefined, state?: Float64Array) {
    this.#base = base
    this.width = base?.width ?? TOGETHER_WIDTH
    const flat = state ?? new Float64Array()
    for (let at = 0; at < flat.length; at += 3) this.add(flat[at]!, flat[at + 1]!, flat[at + 2]!)
  }

  /** Nothing is known of baskets, neither trained nor live. */
  get isEmpty(): boolean {
    return this.#base === undefined && this.#visits.size === 0
  }

  /** Pairs counted since the base, both ways. */
  get size(): number {
    return this.#size
  }

  state(): Float64Array {
    const flat: number[] = []
    for (const [row, partners] of this.#visits) {
      for (const [partner, visits] of partners) if (row < partner) flat.push(row, partner, visits)
    }
    return Float64Array.from(flat)
  }

  /** @param visits - negative takes back */
  add(one: number, other: number, visits: number): void {
    this.#count(one, other, visits)
    this.#count(other, one, visits)
  }

  /** Live visits with both, without the base. */
  visits(one: number, other: number): number {
    return this.#visits.get(one)?.get(other) ?? 0
  }

  /** The row of the table as an edge should hold it, written at `row` of `out`. */
  writeRow(source: number, out: Omit<TogetherTable, 'width'>, row: number): void {
    const { width } = this
    const counts = new Map<number, number>()
    const base = this.#base
    if (base !== undefined && source < base.scales.length) {
      const scale = base.scales[source]! / 65_025
      for (let slot = source * width; slot < (source + 1) * width && base.scores[slot]! > 0; slot++) {
        counts.set(base.items[slot]!, scale * base.scores[slot]! ** 2)
      }
    }
    for (const [partner, visits] of this.#visits.get(source) ?? []) {
      counts.set(partner, (counts.get(partner) ?? 0) + visits)
    }
    writeCounts(counts, width, out, row)
  }

  /** The whole table for `items` rows; rows without live counts keep their bytes. Undefined: there is nothing in it. */
  table(items: number): TogetherTable | undefined {
    if (this.isEmpty) return undefined
    const { width } = this
    const table = emptyTogether(items, width)
    const base = this.#base
    if (base !== undefined) {
      table.items.set(base.items)
      table.scores.set(base.scores)
      table.scales.set(base.scales)
    }
    for (const row of this.#visits.keys()) this.writeRow(row, table, row)
    return table
  }

  #count(row: number, partner: number, visits: number): void {
    let partners = this.#visits.get(row)
    if (partners === undefined) this.#visits.set(row, (partners = new Map<number, number>()))
    const known = partners.size
    const total = (partners.get(partner) ?? 0) + visits
    if (total === 0) partners.delete(partner)
    else partners.set(partner, total)
    this.#size += partners.size - known
  }
}
