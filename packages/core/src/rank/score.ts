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
  const d = query.length
  const f = n === 0 ? 0 : features.length / n
  const c = context.length
  const width = 2 + f + c
  const units = hiddenBias.length
  const cosines = new Float32Array(n)
  let best = -Infinity
  for (let i = 0; i < n; i++) {
    let sum = 0
    for (let j = 0; j < d; j++) sum += candidates[i * d + j]! * query[j]!
    cosines[i] = sum
    if (sum > best) best = sum
  }
  const z = new Float32Array(width)
  for (let j = 0; j < c; j++) z[2 + f + j] = (context[j]! - mean[2 + f + j]!) * inverseStd[2 + f + j]!
  const scores = new Float32Array(n)
  for (let i = 0; i < n; i++) {
    z[0] = (cosines[i]! - mean[0]!) * inverseStd[0]!
    z[1] = (cosines[i]! - best - mean[1]!) * inverseStd[1]!
    for (let j = 0; j < f; j++) z[2 + j] = (features[i * f + j]! - mean[2 + j]!) * inverseStd[2 + j]!
    let total = 0
    for (let j = 0; j < width; j++) total += linear[j]! * z[j]!
    for (let u = 0; u < units; u++) {
      let sum = hiddenBias[u]!
      for (let j = 0; j < width; j++) sum += hidden[u * width + j]! * z[j]!
      if (sum > 0) total += out[u]! * sum
    }
    scores[i] = total
  }
  return scores
}
