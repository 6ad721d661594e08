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

/** Fewer clicks than this are no trend. */
const MIN_TREND_CLICKS = 200
/** An edge's value may differ from the decayed one by this share before it is sent again. */
const TREND_TOLERANCE = 0.2
/** Weights are brought back to 1 when a click weighs e to this, far from the end of double precision. */
const MAX_EXPONENT = 100

/** Live counts as plain data, for the checkpoint; `pairs` is flat: source, target, units. */
export interface CountsState {
  /** Clicks counted into the trend since weights were last brought back to 1. */
  readonly trendClicks: number
  readonly trendBase: number
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
  /** The trend is of about so many clicks: as many as the trained one, so that the ranker meets what it was fitted to. */
  readonly #window: number
  /** Clicks since weights were 1. */
  #clicks: number
  /** What the base's trend is multiplied with. */
  #baseWeight: number
  readonly #pairs = new Map<number, Map<number, number>>()
  #size = 0
  readonly #sums = new Map<number, number>()
  readonly #steps = new Map<number, number>()
  readonly #trend = new Map<number, number>()
  /** What edges were told, by row. */
  #sent: Float32Array
  #cursor = 0

  constructor(base: BaseTables, neighbours: number, state?: CountsState) {
    this.#base = base
    this.#neighbours = neighbours
    this.#window = Math.max(
      MIN_TREND_CLICKS,
      base.trend.reduce((sum, count) => sum + count, 0),
    )
    this.#clicks = state?.trendClicks ?? 0
    this.#baseWeight = state?.trendBase ?? 1
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
    return {
      trendClicks: this.#clicks,
      trendBase: this.#baseWeight,
      pairs: Float64Array.from(pairs),
      steps: Float64Array.from(steps),
    }
  }

  /** Pairs counted since the base. */
  get size(): number {
    return this.#size
  }

  /** @param units - in 1/2,520 of a count; negative takes back */
  addPair(source: number, target: number, units: number): void {
    let targets = this.#pairs.get(source)
    if (targets === undefined) this.#pairs.set(source, (targets = new Map<number, number>()))
    const known = targets.size
    const total = (targets.get(target) ?? 0) + units
    if (total === 0) targets.delete(target)
    else targets.set(target, total)
    this.#size += targets.size - known
    this.#sums.set(source, (this.#sums.get(source) ?? 0) + units)
  }

  /**
   * Counts a step, or takes the newest back.
   *
   * The trend is an exponential window over clicks, not hours: it says what the newest clicks are about whether the site
   * is busy or not. Every click makes all before it lighter by 1/window; kept as weights that grow, so that only one row
   * is touched.
   */
  addStep(row: number, sign: 1 | -1): void {
    this.#steps.set(row, (this.#steps.get(row) ?? 0) + sign)
    if (sign === 1) this.#clicks++
    const weight = Math.exp(this.#clicks / this.#window)
    this.#trend.set(row, Math.max(0, (this.#trend.get(row) ?? 0) + sign * weight))
    if (sign === -1) this.#clicks--
    if (this.#clicks / this.#window > MAX_EXPONENT) this.#rebaseTrend()
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

  trend(row: number): number {
    const weights = this.#baseWeight * (this.#base.trend[row] ?? 0) + (this.#trend.get(row) ?? 0)
    return weights * Math.exp(-this.#clicks / this.#window)
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
    writeCounts(counts, k, out, row)
    return (srSums[source] ?? 0) + (this.#sums.get(source) ?? 0) / UNITS_PER_PAIR
  }

  /** Notes that edges are told this row's trend. */
  markSent(row: number): number {
    const value = this.trend(row)
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
  staleTrends(items: number, examined: number, limit: number): number[] {
    const stale: number[] = []
    for (let count = 0; count < Math.min(examined, items) && stale.length < limit; count++) {
      const row = this.#cursor++ % items
      const sent = this.#sent[row] ?? 0
      if (sent > 0.01 && Math.abs(sent - this.trend(row)) > TREND_TOLERANCE * sent) stale.push(row)
    }
    this.#cursor %= Math.max(1, items)
    return stale
  }

  #rebaseTrend(): void {
    const factor = Math.exp(-this.#clicks / this.#window)
    for (const [row, weight] of this.#trend) this.#trend.set(row, weight * factor)
    this.#baseWeight *= factor
    this.#clicks = 0
  }
}

/**
 * A row of counts as edges hold it. What is taken back from a base that had forgotten it, as the least of its row, would
 * leave less than nothing: it is not told.
 */
export function writeCounts(
  counts: ReadonlyMap<number, number>,
  k: number,
  out: { readonly items: Uint32Array; readonly scores: Uint8Array; readonly scales: Float32Array },
  row: number,
): void {
  const told = [...counts].filter(([, count]) => count > 0)
  quantizeNeighbours(
    told.map(([target]) => target),
    told.map(([, count]) => count),
    k,
    out,
    row,
  )
}
