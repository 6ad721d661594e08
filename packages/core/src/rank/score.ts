import { multiply } from './matrix.ts'
import type { RankerWeights } from './weights.ts'

/** Input of the ranker: n candidates, d wide, f features each, c of context. */
export interface RankerInput {
  readonly count: number
  /** [d] */
  readonly query: Float32Array
  /** [n, d] */
  readonly candidates: Float32Array
  /** [n, f] */
  readonly features: Float32Array
  /** [c] */
  readonly context: Float32Array
}

/**
 * The standard ranker: a linear blend plus a small perceptron over standardised features.
 *
 *     z_i = ([cos_i, cos_i − max_j cos_j, features_i, context] − mean) ⊙ inverse_std
 *     score_i = linear · z_i + out · relu(hidden z_i + hidden_bias)
 *
 * O(n·(d + h·z)) time; the twin of `ranker.onnx`.
 *
 * @returns scores `[n]`
 */
export function score(input: RankerInput, weights: RankerWeights): Float32Array {
  const { count: n, query, candidates, features, context } = input
  const { mean, inverseStd, linear, hidden, hiddenBias, out } = weights
  const f = n === 0 ? 0 : features.length / n
  const c = context.length
  const width = 2 + f + c
  const cosines = multiply(candidates, query)
  const best = cosines.reduce((a, b) => Math.max(a, b), -Infinity)
  const inputs = new Float32Array(width)
  inputs.set(context, 2 + f)
  const z = new Float32Array(width)
  const scores = new Float32Array(n)
  for (let i = 0; i < n; i++) {
    inputs[0] = cosines[i]!
    inputs[1] = cosines[i]! - best
    inputs.set(features.subarray(i * f, (i + 1) * f), 2)
    for (let j = 0; j < width; j++) z[j] = (inputs[j]! - mean[j]!) * inverseStd[j]!
    let total = multiply(linear, z)[0]!
    multiply(hidden, z).forEach((sum, unit) => {
      total += out[unit]! * Math.max(0, sum + hiddenBias[unit]!)
    })
    scores[i] = total
  }
  return scores
}
