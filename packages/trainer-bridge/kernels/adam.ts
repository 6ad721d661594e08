import { dot, fma, ROW_BYTES } from './blocks'

const BETA1: f32 = 0.9
const BETA2: f32 = 0.999

/**
 * Adam on 16-byte vectors: x −= rate · m / (√v + epsilon), bias corrections folded into `rate` and `epsilon`.
 * The gradient is the sum of `parts` arrays, `partStride` bytes apart.
 */
export function adamDense(
  x: usize,
  m: usize,
  v: usize,
  gradient: usize,
  parts: i32,
  partStride: usize,
  bytes: usize,
  rate: f32,
  epsilon: f32,
): void {
  const r = f32x4.splat(-rate)
  const e = f32x4.splat(epsilon)
  for (let at: usize = 0; at < bytes; at += 16) {
    let g = v128.load(gradient + at)
    for (let part = 1; part < parts; part++)
      g = f32x4.add(g, v128.load(gradient + <usize>part * partStride + at))
    const m1 = fma(f32x4.splat(BETA1), v128.load(m + at), f32x4.mul(f32x4.splat(1 - BETA1), g))
    const v1 = fma(f32x4.splat(BETA2), v128.load(v + at), f32x4.mul(f32x4.splat(1 - BETA2), f32x4.mul(g, g)))
    v128.store(m + at, m1)
    v128.store(v + at, v1)
    v128.store(x + at, fma(r, f32x4.div(m1, f32x4.add(f32x4.sqrt(v1), e)), v128.load(x + at)))
  }
}

/** Writes raw / ‖raw‖ to `unit` and 1 / ‖raw‖ to `inverse`. */
function normalise(raw: usize, unit: usize, inverse: usize): void {
  const scale = <f32>(1 / Math.sqrt(<f64>max<f32>(dot(raw, raw), 1e-24)))
  store<f32>(inverse, scale)
  const s = f32x4.splat(scale)
  for (let at: usize = 0; at < ROW_BYTES; at += 16) v128.store(unit + at, f32x4.mul(s, v128.load(raw + at)))
}

/** Unit vectors of rows `from` to `to` out of the raw ones. */
export function normaliseRows(raw: usize, unit: usize, inverse: usize, from: i32, to: i32): void {
  for (let row = <usize>from; row < <usize>to; row++)
    normalise(raw + (row << 8), unit + (row << 8), inverse + (row << 2))
}

/**
 * Brings rows up to the step before this one: what dense Adam does to a row whose gradient is zero for k steps has a
 * closed form, x −= factor · m / √v, m ·= β₁ᵏ, v ·= β₂ᵏ. Copies the row into the negatives' matrices where it is one.
 *
 * @param rows - u32[to]; entries `from` to `to` are done
 * @param decays - f32[to, 4]: factor, β₁ᵏ, β₂ᵏ, and 0 where nothing was missed
 * @param slots - i32[to]: place among the negatives or −1
 * @param negatives - f32[n, 64]; `transposed` its blocks of 64 rows, each transposed
 */
export function catchUpRows(
  rows: usize,
  decays: usize,
  slots: usize,
  from: i32,
  to: i32,
  raw: usize,
  m: usize,
  v: usize,
  unit: usize,
  inverse: usize,
  negatives: usize,
  transposed: usize,
): void {
  for (let index = from; index < to; index++) {
    const row = <usize>load<u32>(rows + ((<usize>index) << 2))
    const offset = row << 8
    const decay = decays + ((<usize>index) << 4)
    if (load<f32>(decay, 12) != 0) {
      const factor = f32x4.splat(-load<f32>(decay))
      const b1 = f32x4.splat(load<f32>(decay, 4))
      const b2 = f32x4.splat(load<f32>(decay, 8))
      for (let at = offset; at < offset + ROW_BYTES; at += 16) {
        const m1 = v128.load(m + at)
        const v1 = v128.load(v + at)
        const step = f32x4.div(m1, f32x4.add(f32x4.sqrt(v1), f32x4.splat(1e-12)))
        v128.store(raw + at, fma(factor, step, v128.load(raw + at)))
        v128.store(m + at, f32x4.mul(b1, m1))
        v128.store(v + at, f32x4.mul(b2, v1))
      }
      normalise(raw + offset, unit + offset, inverse + (row << 2))
    }
    const slot = load<i32>(slots + ((<usize>index) << 2))
    if (slot < 0) continue
    memory.copy(negatives + ((<usize>slot) << 8), unit + offset, ROW_BYTES)
    let column = transposed + ((<usize>(slot >> 6)) << 14) + ((<usize>(slot & 63)) << 2)
    for (let at = unit + offset; at < unit + offset + ROW_BYTES; at += 4) {
      store<f32>(column, load<f32>(at))
      column += ROW_BYTES
    }
  }
}

/**
 * Adam on the rows of a batch. The gradient of a row is the sum of the vectors its list points to and, where it is a
 * negative, of one row per shard; it is turned into one of the unnormalised row: (g − (g·e)e) / ‖raw‖.
 *
 * @param starts - u32[to + 1] into `pointers`, addresses of f32[64]
 * @param negativeGradients - f32[shards, n, 64], `shardStride` bytes apart
 * @param scratch - f32[64] of this thread
 */
export function adamRows(
  rows: usize,
  slots: usize,
  starts: usize,
  pointers: usize,
  from: i32,
  to: i32,
  raw: usize,
  m: usize,
  v: usize,
  unit: usize,
  inverse: usize,
  negativeGradients: usize,
  shards: i32,
  shardStride: usize,
  rate: f32,
  epsilon: f32,
  scratch: usize,
): void {
  for (let index = from; index < to; index++) {
    const row = <usize>load<u32>(rows + ((<usize>index) << 2))
    const offset = row << 8
    memory.fill(scratch, 0, ROW_BYTES)
    const start = load<u32>(starts + ((<usize>index) << 2))
    const end = load<u32>(starts + ((<usize>index) << 2), 4)
    for (let entry = start; entry < end; entry++)
      addTo(scratch, <usize>load<u32>(pointers + ((<usize>entry) << 2)))
    const slot = load<i32>(slots + ((<usize>index) << 2))
    if (slot >= 0) {
      for (let shard = 0; shard < shards; shard++) {
        addTo(scratch, negativeGradients + <usize>shard * shardStride + ((<usize>slot) << 8))
      }
    }
    const along = f32x4.splat(-dot(scratch, unit + offset))
    const scale = f32x4.splat(load<f32>(inverse + (row << 2)))
    for (let at: usize = 0; at < ROW_BYTES; at += 16) {
      const tangent = fma(along, v128.load(unit + offset + at), v128.load(scratch + at))
      v128.store(scratch + at, f32x4.mul(tangent, scale))
    }
    adamDense(raw + offset, m + offset, v + offset, scratch, 1, 0, ROW_BYTES, rate, epsilon)
    normalise(raw + offset, unit + offset, inverse + (row << 2))
  }
}

function addTo(sum: usize, x: usize): void {
  for (let at: usize = 0; at < ROW_BYTES; at += 16)
    v128.store(sum + at, f32x4.add(v128.load(sum + at), v128.load(x + at)))
}
