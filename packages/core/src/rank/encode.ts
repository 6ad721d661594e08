import { multiply } from './matrix.ts'
import type { EncoderWeights } from './weights.ts'

/** Input of the query encoder, right aligned: the newest step is at L − 1, absent ones are zero. */
export interface EncoderInput {
  /** [L, d]: factors of the items */
  readonly history: Float32Array
  /** [L]: index in `HISTORY_KINDS` */
  readonly kind: Int32Array
  /** [L]: hours before the newest step */
  readonly age: Float32Array
  /** [L]: 1 where there is a step */
  readonly mask: Float32Array
}

/**
 * The standard query encoder: attention over the last L steps with the last one as query.
 *
 *     a_t = v · sigmoid(W1 (e_t + p_t) + W2 e_last + b)
 *     w_t = mask_t · strength[kind_t] · exp(−decay · age_t) · a_t
 *     query = normalise(W3 [Σ_t w_t (e_t + p_t) ; e_last])
 *
 * O(L·d²) time; the twin of `encoder.onnx`.
 *
 * @returns query `[d]`, unit length
 * @see Liu et al. 2018, "STAMP", and Wu et al. 2019, "Session-based Recommendation with Graph Neural Networks", §3.4,
 * whose soft attention this is
 */
export function encode(input: EncoderInput, weights: EncoderWeights): Float32Array {
  const { dim: d, historyLength: length, position, w1, w2, bias, v, w3, strength, decay } = weights
  const { history, kind, age, mask } = input
  const last = history.subarray((length - 1) * d)
  const gate = multiply(w2, last)
  const both = new Float32Array(2 * d)
  both.set(last, d)
  for (let t = 0; t < length; t++) {
    if (mask[t] === 0) continue
    const x = history.slice(t * d, (t + 1) * d)
    for (let j = 0; j < d; j++) x[j]! += position[t * d + j]!
    const inner = multiply(w1, x)
    let attention = 0
    for (let i = 0; i < d; i++) attention += v[i]! / (1 + Math.exp(-inner[i]! - gate[i]! - bias[i]!))
    const weight = mask[t]! * strength[kind[t]!]! * Math.exp(-decay * age[t]!) * attention
    for (let j = 0; j < d; j++) both[j]! += weight * x[j]!
  }
  const query = multiply(w3, both)
  const norm = Math.max(Math.hypot(...query), 1e-12)
  for (let i = 0; i < d; i++) query[i]! /= norm
  return query
}
