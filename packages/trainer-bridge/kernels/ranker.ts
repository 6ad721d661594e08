import { dot, exp4, fma, multiply, multiplyTransposed, ROW_BYTES, sum4 } from './blocks'

/** a · b of a whole number of vectors. */
function dotShort(a: usize, b: usize, bytes: usize): f32 {
  let sum = f32x4.splat(0)
  for (let at: usize = 0; at < bytes; at += 16) sum = fma(v128.load(a + at), v128.load(b + at), sum)
  return sum4(sum)
}

/**
 * Softmax cross-entropy of one query's candidates: s_i = linear · z_i + out · relu(hidden z_i + bias). Adds gradients
 * times `coefficient`.
 *
 * What the request as a whole says (context) is the same for all candidates: the caller adds its part to `bias` and
 * spreads the bias's gradient over it.
 *
 * @param z - f32[n, inputs], standardised; inputs a multiple of 4
 * @param hidden - f32[inputs, 64]
 * @param bias - f32[64]; `out` f32[64]; `linear` f32[inputs]
 * @param dBias - f32[64], overwritten; other gradients are added to
 * @param scratch - f32[n, 64] and f32[n + 4]
 * @returns probability of the target
 */
export function rankSample(
  z: usize,
  n: i32,
  inputs: i32,
  target: i32,
  hidden: usize,
  bias: usize,
  out: usize,
  linear: usize,
  dHidden: usize,
  dBias: usize,
  dOut: usize,
  dLinear: usize,
  coefficient: f32,
  scratch: usize,
): f32 {
  const width = (<usize>inputs) << 2
  const h = scratch
  const scores = scratch + ((<usize>n) << 8)
  multiply(z, width, hidden, ROW_BYTES, h, ROW_BYTES, n, inputs, false)
  let best: f32 = -Infinity
  const zero = f32x4.splat(0)
  for (let i = 0; i < n; i++) {
    const line = h + ((<usize>i) << 8)
    for (let at: usize = 0; at < ROW_BYTES; at += 16) {
      v128.store(line + at, f32x4.pmax(zero, f32x4.add(v128.load(line + at), v128.load(bias + at))))
    }
    const score = dot(line, out) + dotShort(z + <usize>i * width, linear, width)
    store<f32>(scores + ((<usize>i) << 2), score)
    best = max(best, score)
  }
  for (let i = n; i < ((n + 3) & ~3); i++) store<f32>(scores + ((<usize>i) << 2), -Infinity)
  let sum: f32 = 0
  for (let at = scores; at < scores + ((<usize>n) << 2); at += 16) {
    const e = exp4(f32x4.sub(v128.load(at), f32x4.splat(best)))
    v128.store(at, e)
  }
  for (let i = 0; i < n; i++) sum += load<f32>(scores + ((<usize>i) << 2))
  const probability = load<f32>(scores + ((<usize>target) << 2)) / sum
  memory.fill(dBias, 0, ROW_BYTES)
  for (let i = 0; i < n; i++) {
    const share = load<f32>(scores + ((<usize>i) << 2)) / sum - (i == target ? <f32>1 : <f32>0)
    const ds = f32x4.splat(share * coefficient)
    const line = h + ((<usize>i) << 8)
    const row = z + <usize>i * width
    for (let at: usize = 0; at < width; at += 16) {
      v128.store(dLinear + at, f32x4.add(v128.load(dLinear + at), f32x4.mul(ds, v128.load(row + at))))
    }
    for (let at: usize = 0; at < ROW_BYTES; at += 16) {
      const active = v128.load(line + at)
      v128.store(dOut + at, f32x4.add(v128.load(dOut + at), f32x4.mul(ds, active)))
      const dh = v128.and(f32x4.gt(active, zero), f32x4.mul(ds, v128.load(out + at)))
      v128.store(line + at, dh)
      v128.store(dBias + at, f32x4.add(v128.load(dBias + at), dh))
    }
  }
  multiplyTransposed(z, width, h, ROW_BYTES, dHidden, ROW_BYTES, inputs, n)
  return probability
}
