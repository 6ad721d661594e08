import { gatherRows } from './matrix.ts'
import type { Scanner } from './scan.ts'

/**
 * The ranker's features of a candidate, in order; one definition for training and serving. Counts of the table of
 * sequential rules (SR) divided by their row's sum are probabilities.
 */
export const FEATURE_NAMES = [
  'sr_last', // SR probability from the last step
  'sr_last_count', // SR count from the last step
  'sr_decayed', // SR probability from the last 5 steps, e^(−age/2)
  'log_popularity',
  'log_trend', // newest counts against all
  'is_last',
  'in_visit',
  'inverse_age', // 1 / steps back to its newest occurrence in the visit; 0 without
  'log_repeats', // occurrences in the visit
  'cos_last', // cosine to the last step's factors
  'cos_best', // best cosine to the last 5 steps
  'support', // how many of the last 5 steps have it as a neighbour
] as const

/** What the ranker knows of the request as a whole. */
export const CONTEXT_NAMES = ['log_visit_length', 'last_log_popularity', 'last_is_repeat'] as const

// Written out, so that a page that only computes need not load the names.
export const FEATURES: (typeof FEATURE_NAMES)['length'] = 12
export const CONTEXT: (typeof CONTEXT_NAMES)['length'] = 3

/** Steps whose neighbours become candidates and features. */
export const NEIGHBOUR_STEPS = 5

/** History as rows of the model, oldest first; steps on unknown items left out. */
export interface HistoryRows {
  readonly rows: readonly number[]
  /** Index in `HISTORY_KINDS`. */
  readonly kinds: readonly number[]
  /** Hours before the newest step. */
  readonly ages: readonly number[]
  /** Index of the first step of the newest visit. */
  readonly visitStart: number
}

/** What features are computed from: a whole model, or the rows of it that a page holds. */
export interface FeatureTables {
  readonly dim: number
  /** [N, d] */
  readonly factors: Float32Array
  readonly scanner: Pick<Scanner, 'dots'>
  readonly neighbours: number
  readonly srItems: ArrayLike<number>
  readonly srScores: ArrayLike<number>
  readonly srScales: ArrayLike<number>
  readonly srSums: ArrayLike<number>
  readonly popularity: ArrayLike<number>
  readonly trend: ArrayLike<number>
}

/** Small probabilities and counts spread out: log(1 + 1000·p). */
const spread = (probability: number): number => Math.log1p(probability * 1_000)

const DECAYS = Float64Array.from({ length: NEIGHBOUR_STEPS }, (_, back) => Math.exp(-back / 2))

/**
 * Features of candidates given a history with at least one step.
 *
 * O(n·5·d + 5·K) time: SR rows of the last steps are walked once, candidates found through `placeOf`.
 *
 * @param rows - candidates, different rows; n
 * @param placeOf - row → index in `rows`, or a negative number
 * @param out - `[n, f]`, overwritten
 * @returns context `[c]`
 */
export function computeFeatures(
  model: FeatureTables,
  history: HistoryRows,
  rows: Uint32Array,
  placeOf: (row: number) => number,
  out: Float32Array,
): Float32Array {
  const n = rows.length
  const { neighbours: k, srItems, srScores, srScales, srSums, popularity, trend } = model
  const steps = history.rows
  const length = steps.length
  const last = steps[length - 1]!
  out.fill(0, 0, n * FEATURES)

  for (let back = 0; back < NEIGHBOUR_STEPS && back < length; back++) {
    const source = steps[length - 1 - back]!
    const scale = srScales[source]! / 65_025
    const sum = srSums[source]!
    const decay = DECAYS[back]!
    for (let slot = source * k; slot < (source + 1) * k; slot++) {
      const score = srScores[slot]!
      if (score === 0) break
      const place = placeOf(srItems[slot]!)
      if (place < 0) continue
      const count = scale * score * score
      const probability = sum > 0 ? count / sum : 0
      const at = place * FEATURES
      if (back === 0) {
        out[at] = spread(probability)
        out[at + 1] = Math.log1p(count)
      }
      out[at + 2]! += decay * probability
      out[at + 11]! += 1
    }
  }

  for (let step = history.visitStart; step < length; step++) {
    const place = placeOf(steps[step]!)
    if (place < 0) continue
    const at = place * FEATURES
    out[at + 6] = 1
    out[at + 7] = 1 / (length - step)
    out[at + 8]! += 1
  }

  const used = Math.min(NEIGHBOUR_STEPS, length)
  const cosines = lastCosines(model, steps, used, rows)
  for (let place = 0; place < n; place++) {
    const row = rows[place]!
    const at = place * FEATURES
    // Most candidates are no neighbours and were not seen, and the logarithm of 1 is 0.
    if (out[at + 2] !== 0) out[at + 2] = spread(out[at + 2]!)
    const logPopularity = Math.log1p(popularity[row]!)
    out[at + 3] = logPopularity
    out[at + 4] = Math.log1p(trend[row]!) - logPopularity
    if (row === last) out[at + 5] = 1
    if (out[at + 8] !== 0) out[at + 8] = Math.log1p(out[at + 8]!)
    let best = cosines[place * used]!
    out[at + 9] = best
    for (let back = 1; back < used; back++) best = Math.max(best, cosines[place * used + back]!)
    out[at + 10] = best
  }

  const context = new Float32Array(CONTEXT)
  context[0] = Math.log1p(length - history.visitStart)
  context[1] = Math.log1p(popularity[last]!)
  context[2] = steps.indexOf(last, history.visitStart) < length - 1 ? 1 : 0
  return context
}

/** Cosines `[n, used]` of candidates to the last steps, newest first. O(n·used·d). */
function lastCosines(
  { dim, factors, scanner }: FeatureTables,
  steps: readonly number[],
  used: number,
  rows: Uint32Array,
): Float32Array {
  const newest = steps.slice(-used).reverse()
  return scanner.dots(rows, gatherRows(factors, dim, newest))
}
