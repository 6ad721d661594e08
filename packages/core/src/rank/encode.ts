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
  const last = (length - 1) * d
  const gate = new Float32Array(d)
  for (let i = 0; i < d; i++) {
    let sum = bias[i]!
    for (let j = 0; j < d; j++) sum += w2[i * d + j]! * history[last + j]!
    gate[i] = sum
  }
  const pooled = new Float32Array(d)
  const x = new Float32Array(d)
  for (let t = 0; t < length; t++) {
    if (mask[t] === 0) continue
    for (let j = 0; j < d; j++) x[j] = history[t * d + j]! + position[t * d + j]!
    let attention = 0
    for (let i = 0; i < d; i++) {
      let sum = gate[i]!
      for (let j = 0; j < d; j++) sum += w1[i * d + j]! * x[j]!
      attention += v[i]! / (1 + Math.exp(-sum))
    }
    const weight = mask[t]! * strength[kind[t]!]! * Math.exp(-decay * age[t]!) * attention
    for (let j = 0; j < d; j++) pooled[j] = pooled[j]! + weight * x[j]!
  }
  const query = new Float32Array(d)
  let squares = 0
  for (let i = 0; i < d; i++) {
    let sum = 0
    for (let j = 0; j < d; j++) sum += w3[i * 2 * d + j]! * pooled[j]!
    for (let j = 0; j < d; j++) sum += w3[i * 2 * d + d + j]! * history[last + j]!
    query[i] = sum
    squares += sum * sum
  }
  const inverse = 1 / Math.max(Math.sqrt(squares), 1e-12)
  for (let i = 0; i < d; i++) query[i] = query[i]! * inverse
  return query
}
