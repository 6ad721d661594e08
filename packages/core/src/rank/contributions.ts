import { CONTEXT_NAMES, FEATURE_NAMES } from './features.ts'
import type { RankerInput } from './score.ts'
import type { RankerWeights } from './weights.ts'

/** What the ranker looks at, in the order of its standardised input. */
export const CONTRIBUTION_NAMES: readonly string[] = [
  'cosine',
  'cosine_to_best',
  ...FEATURE_NAMES,
  ...CONTEXT_NAMES,
]

/** A score taken apart: `score = rest + Σ parts`. */
export interface Contributions {
  readonly score: number
  /** By {@link CONTRIBUTION_NAMES}. */
  readonly parts: Float64Array
  /** What no input is to blame for: biases of the hidden units that are on. */
  readonly rest: number
}

/**
 * Takes the standard ranker's score of one candidate apart. The ranker is piecewise linear, so with the hidden units that
 * are on for this candidate
 *
 *     score = Σ_j (linear_j + Σ_{u on} out_u · hidden_uj) · z_j  +  Σ_{u on} out_u · bias_u
 *
 * is exact, not an approximation. `z` is standardised: a part is what differs from an average candidate.
 *
 * O(n·d + h·z) time.
 *
 * @param place - index of the candidate in `input`
 */
export function contributions(input: RankerInput, weights: RankerWeights, place: number): Contributions {
  const { count: n, query, candidates, features, context } = input
  const { mean, inverseStd, linear, hidden, hiddenBias, out } = weights
  const d = query.length
  const f = features.length / n
  const width = 2 + f + context.length
  const cosine = (row: number): number => {
    let sum = 0
    for (let j = 0; j < d; j++) sum += candidates[row * d + j]! * query[j]!
    return sum
  }
  let best = -Infinity
  for (let row = 0; row < n; row++) best = Math.max(best, cosine(row))
  const own = cosine(place)
  const raw = [own, own - best, ...features.subarray(place * f, (place + 1) * f), ...context]
  const z = raw.map((value, j) => (value - mean[j]!) * inverseStd[j]!)
  const slopes = Float64Array.from(linear)
  let rest = 0
  for (let u = 0; u < hiddenBias.length; u++) {
    let sum = hiddenBias[u]!
    for (let j = 0; j < width; j++) sum += hidden[u * width + j]! * z[j]!
    if (sum <= 0) continue
    rest += out[u]! * hiddenBias[u]!
    for (let j = 0; j < width; j++) slopes[j] = slopes[j]! + out[u]! * hidden[u * width + j]!
  }
  const parts = slopes.map((slope, j) => slope * z[j]!)
  return { parts, rest, score: parts.reduce((sum, part) => sum + part, rest) }
}
