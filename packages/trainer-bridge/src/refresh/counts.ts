import { quantizeNeighbours } from '@attune/core/artifact'
import { UNITS_PER_PAIR } from '../windows.ts'

/** Trained tables a live count adds to; see `ModelData`. N items, K neighbours. */
export interface BaseTables {
  readonly srItems: Uint32Array
  readonly srScores: Uint8Array
  readonly srScales: Float32Array
  readonly srSums: Float32Array
  readonly popularity: Float32Array
  readonly trend: Float32Array
}

/** Clicks of this long ago weigh half in `trend`. */
export const TREND_HALF_LIFE_MS: number = 6 * 3_600_000
/** An edge's value may differ from the decayed one by this share before it is sent again. */
const TREND_TOLERANCE = 0.2
/** Half-lives after which weights are brought back to 1, far from the end of double precision. */
const REBASE_HALF_LIVES = 200

/** Live counts as plain data, for the checkpoint; `pairs` is flat: source, target, units. */
export interface CountsState {
  readonly trendFrom: number
  readonly pairs: Float64Array
  /** row, steps, trend weight */
  readonly steps: Float64Array
}

/**
 * What has been counted since the base model was trained: exact whole numbers on top of its quantised tables.
 *
 * Memory: the base's typed arrays plus O(1) for every row and pair that was touched.
 */
export class Counts {
  readonly #base: BaseTables
  readonly #neighbours: number
  /** Time the base's trend is of, milliseconds since 1970. */
  readonly #baseAt: number
  /** Time at which a click weighs 1 in `#trend`. */
  #trendFrom: number
  readonly #pairs = new Map<number, Map<number, number>>()
  readonly #sums = new Map<number, number>()
  readonly #steps = new Map<number, number>()
  readonly #trend = new Map<number, number>()
  /** What edges were told, by row. */
  #sent: Float32Array
  #cursor = 0

  constructor(base: BaseTables, neighbours: number, baseAt: number, state?: CountsState) {
    this.#base = base
    this.#neighbours = neighbours
    this.#baseAt = baseAt
    this.#trendFrom = state?.trendFrom ?? baseAt
    this.#sent = base.trend.slice()
    if (state === undefined) return
    for (let at = 0; at < state.pairs.length; at += 3) {
      this.addPair(state.pairs[at]!, state.pairs[at + 1]!, state.pairs[at + 2]!)
    }
    for (let at = 0; at < state.steps.length; at += 3) {
      this.#steps.set(state.steps[at]!, state.steps[at + 1]!)
      this.#trend.set(state.steps[at]!, state.steps[at + 2]!)
    }
  }

  state(): CountsState {
    const pairs: number[] = []
    for (const [source, targets] of this.#pairs) {
      for (const [target, units] of targets) pairs.push(source, target, units)
    }
    const steps: number[] = []
    for (const [row, count] of this.#steps) steps.push(row, count, this.#trend.get(row) ?? 0)
    return { trendFrom: this.#trendFrom, pairs: Float64Array.from(pairs), steps: Float64Array.from(steps) }
  }

  /** @param units - in 1/2,520 of a count; negative takes back */
  addPair(source: number, target: number, units: number): void {
    let targets = this.#pairs.get(source)
    if (targets === undefined) this.#pairs.set(source, (targets = new Map<number, number>()))
    const total = (targets.get(target) ?? 0) + units
    if (total === 0) targets.delete(target)
    else targets.set(target, total)
    this.#sums.set(source, (this.#sums.get(source) ?? 0) + units)
  }

  /** @param at - milliseconds since 1970 */
  addStep(row: number, at: number, sign: 1 | -1): void {
    this.#steps.set(row, (this.#steps.get(row) ?? 0) + sign)
    this.#rebaseTrend(at)
    const weight = 2 ** ((at - this.#trendFrom) / TREND_HALF_LIFE_MS)
    this.#trend.set(row, Math.max(0, (this.#trend.get(row) ?? 0) + sign * weight))
  }

  /** Live count of a pair in units, without the base. */
  pairUnits(source: number, target: number): number {
    return this.#pairs.get(source)?.get(target) ?? 0
  }

  /** Live steps of a row, without the base. */
  steps(row: number): number {
    return this.#steps.get(row) ?? 0
  }

  /** Live pairs from a row: target and units. */
  targets(source: number): ReadonlyMap<number, number> | undefined {
    return this.#pairs.get(source)
  }

  popularity(row: number): number {
    return (this.#base.popularity[row] ?? 0) + (this.#steps.get(row) ?? 0)
  }

  trend(row: number, now: number): number {
    const base = this.#base.trend[row] ?? 0
    const live = this.#trend.get(row) ?? 0
    return (
      base * 2 ** (Math.min(0, this.#baseAt - now) / TREND_HALF_LIFE_MS) +
      live * 2 ** ((this.#trendFrom - now) / TREND_HALF_LIFE_MS)
    )
  }

  /** The row of the table as an edge should hold it, written at `row` of `out`; the sum over all targets returned. */
  writeRow(
    source: number,
    out: { readonly items: Uint32Array; readonly scores: Uint8Array; readonly scales: Float32Array },
    row: number,
  ): number {
    const k = this.#neighbours
    const { srItems, srScores, srScales, srSums } = this.#base
    const counts = new Map<number, number>()
    if (source < srScales.length) {
      const scale = (srScales[source] ?? 0) / 65_025
      for (let slot = source * k; slot < (source + 1) * k && srScores[slot]! > 0; slot++) {
        counts.set(srItems[slot]!, scale * srScores[slot]! ** 2)
      }
    }
    for (const [target, units] of this.#pairs.get(source) ?? []) {
      counts.set(target, (counts.get(target) ?? 0) + units / UNITS_PER_PAIR)
    }
    quantizeNeighbours([...counts.keys()], [...counts.values()], k, out, row)
    return (srSums[source] ?? 0) + (this.#sums.get(source) ?? 0) / UNITS_PER_PAIR
  }

  /** Notes that edges are told this row's trend as of `now`. */
  markSent(row: number, now: number): number {
    const value = this.trend(row, now)
    if (row >= this.#sent.length) {
      const larger = new Float32Array(Math.ceil(row * 1.1) + 256)
      larger.set(this.#sent)
      this.#sent = larger
    }
    this.#sent[row] = value
    return value
  }

  /**
   * Rows whose trend has decayed away from what edges hold; looks at `examined` rows from where it stopped last time.
   * Nothing else changes a row that nobody clicks, so this is what makes trends end.
   */
  staleTrends(now: number, items: number, examined: number, limit: number): number[] {
    const stale: number[] = []
    for (let count = 0; count < Math.min(examined, items) && stale.length < limit; count++) {
      const row = this.#cursor++ % items
      const sent = this.#sent[row] ?? 0
      if (sent > 0.01 && Math.abs(sent - this.trend(row, now)) > TREND_TOLERANCE * sent) stale.push(row)
    }
    this.#cursor %= Math.max(1, items)
    return stale
  }

  #rebaseTrend(at: number): void {
    const halfLives = (at - this.#trendFrom) / TREND_HALF_LIFE_MS
    if (halfLives < REBASE_HALF_LIVES) return
    for (const [row, weight] of this.#trend) this.#trend.set(row, weight * 2 ** -halfLives)
    this.#trendFrom = at
  }
}
