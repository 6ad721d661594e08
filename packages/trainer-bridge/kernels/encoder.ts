import { axpy, D, dot, exp4, fma, multiply, multiplyTransposed, ROW_BYTES, sum4 } from './blocks'

// Places of the weights in their block, in floats; the same in gradients and Adam's moments. weight-layout.ts mirrors it.
const POSITION: usize = 0
const MAX_LENGTH: usize = 16
const W1: usize = POSITION + MAX_LENGTH * 64
const W2: usize = W1 + 4096
const BIAS: usize = W2 + 4096
const V: usize = BIAS + 64
const W3: usize = V + 64
const STRENGTH: usize = W3 + 8192
const DECAY: usize = STRENGTH + 16

const W3_STRIDE: usize = 512
/** Dropped out of 256: 51 / 256 = 0.199. */
const DROPPED: i32 = 51
const KEPT_SCALE: f32 = 256.0 / 205.0

// A tile's description, u32 fields in this order (tile.ts mirrors it).
function field(tile: usize, index: i32): usize {
  return <usize>load<u32>(tile + ((<usize>index) << 2))
}

/** Four multipliers 0 or 256/205 out of byte `byte` of hashed lanes. */
function multiplier(hash: v128, byte: i32, dropout: bool): v128 {
  if (!dropout) return f32x4.splat(1)
  const value = v128.and(i32x4.shr_u(hash, byte << 3), i32x4.splat(255))
  return v128.and(i32x4.ge_s(value, i32x4.splat(DROPPED)), f32x4.splat(KEPT_SCALE))
}

/** Sixteen bytes that depend on the seed of a row and the block of 16 columns: murmur's finaliser, four at a time. */
function hash16(seed: u32, block: i32): v128 {
  const lane = i32x4.add(
    i32x4(<i32>0x9e3779b1, <i32>0x3c6ef362, <i32>0xdaa66d13, <i32>0x78dde6c4),
    i32x4.splat(block * 0x27d4eb2f),
  )
  let h = v128.xor(i32x4.splat(seed), lane)
  h = v128.xor(h, i32x4.shr_u(h, 16))
  h = i32x4.mul(h, i32x4.splat(<i32>0x85ebca6b))
  h = v128.xor(h, i32x4.shr_u(h, 13))
  h = i32x4.mul(h, i32x4.splat(<i32>0xc2b2ae35))
  return v128.xor(h, i32x4.shr_u(h, 16))
}

/**
 * Loss and gradients of one tile of examples (at most 64 with at most 16 steps each).
 *
 * Forward: x = dropout(e) + p; a = v·σ(W1 x + W2 e_last + b); w = strength·e^(−decay·age)·a; h = W3[Σ w x; e_last];
 * q = h/‖h‖; softmax of q·e/temperature + bias over the target and the shared negatives. Gradients of steps and targets
 * are written to their own places, those of negatives and weights added to the shard's.
 *
 * @param tile - u32[32], see tile.ts
 * @param inverseTemperature - 1/0.07
 * @param coefficient - 1/(temperature · batch)
 */
export function trainTile(tile: usize, inverseTemperature: f32, coefficient: f32): void {
  const count = <i32>field(tile, 0)
  const starts = field(tile, 1)
  const steps = field(tile, 2)
  const places = field(tile, 3)
  const kinds = field(tile, 4)
  const ages = field(tile, 5)
  const seeds = field(tile, 6)
  const targets = field(tile, 7)
  const targetBias = field(tile, 8)
  const targetSlots = field(tile, 9)
  const unit = field(tile, 10)
  const weights = field(tile, 11)
  const w1t = field(tile, 12)
  const w2t = field(tile, 13)
  const w3t = field(tile, 14)
  const negatives = field(tile, 15)
  const transposed = field(tile, 16)
  const negativeBias = field(tile, 17)
  const negativeBlocks = <i32>field(tile, 18)
  const stepGradients = field(tile, 19)
  const targetGradients = field(tile, 20)
  const negativeGradients = field(tile, 21)
  const gradients = field(tile, 22)
  const probabilities = field(tile, 23)
  const scratch = field(tile, 24)
  const dropout = field(tile, 25) != 0
  const trainStrength = field(tile, 26) != 0

  const first = <usize>load<u32>(starts)
  const rows = <i32>(load<u32>(starts + ((<usize>count) << 2)) - <u32>first)
  // Scratch: three blocks [1024, 64] by step, blocks [64, 64] by example, what is one number each, probabilities.
  const x = scratch
  const s = x + 1024 * ROW_BYTES
  const du = s + 1024 * ROW_BYTES
  const last = du + 1024 * ROW_BYTES
  const gate = last + 64 * ROW_BYTES
  const pooled = gate + 64 * ROW_BYTES
  const q = pooled + 64 * ROW_BYTES
  const scaled = q + 64 * ROW_BYTES
  const dq = scaled + 64 * ROW_BYTES
  const dPooled = dq + 64 * ROW_BYTES
  const dLast = dPooled + 64 * ROW_BYTES
  const gateGradient = dLast + 64 * ROW_BYTES
  const attention = gateGradient + 64 * ROW_BYTES
  const fresh = attention + 4096
  const sums = fresh + 4096
  const inverseNorms = sums + 64 * 16
  const p = inverseNorms + 64 * 4
  const blockBytes = (<usize>count) << 8

  // Gather with dropout; the last step without position is e_last.
  for (let row = 0; row < rows; row++) {
    const at = first + <usize>row
    const e = unit + ((<usize>load<u32>(steps + (at << 2))) << 8)
    const position = weights + ((POSITION + ((<usize>load<u8>(places + at)) << 6)) << 2)
    const seed = load<u32>(seeds + (at << 2))
    const out = x + ((<usize>row) << 8)
    for (let block = 0; block < 4; block++) {
      const hash = hash16(seed, block)
      for (let part = 0; part < 4; part++) {
        const offset = <usize>(block * 64 + part * 16)
        const value = f32x4.mul(v128.load(e + offset), multiplier(hash, part, dropout))
        v128.store(out + offset, f32x4.add(value, v128.load(position + offset)))
        v128.store(du + ((<usize>row) << 8) + offset, value)
      }
    }
  }
  for (let i = 0; i < count; i++) {
    const row = <usize>load<u32>(starts + ((<usize>i) << 2), 4) - first - 1
    memory.copy(last + ((<usize>i) << 8), du + (row << 8), ROW_BYTES)
    memory.copy(gate + ((<usize>i) << 8), weights + (BIAS << 2), ROW_BYTES)
  }
  multiply(last, ROW_BYTES, w2t, ROW_BYTES, gate, ROW_BYTES, count, D, true)
  multiply(x, ROW_BYTES, w1t, ROW_BYTES, s, ROW_BYTES, rows, D, false)

  // Attention.
  const v = weights + (V << 2)
  const decay = load<f32>(weights + (DECAY << 2))
  const one = f32x4.splat(1)
  memory.fill(pooled, 0, (<usize>count) << 8)
  for (let i = 0; i < count; i++) {
    const g = gate + ((<usize>i) << 8)
    const from = <i32>(load<u32>(starts + ((<usize>i) << 2)) - <u32>first)
    const to = <i32>(load<u32>(starts + ((<usize>i) << 2), 4) - <u32>first)
    for (let row = from; row < to; row++) {
      const u = s + ((<usize>row) << 8)
      let sum = f32x4.splat(0)
      for (let at: usize = 0; at < ROW_BYTES; at += 16) {
        const sigmoid = f32x4.div(
          one,
          f32x4.add(one, exp4(f32x4.neg(f32x4.add(v128.load(u + at), v128.load(g + at))))),
        )
        v128.store(u + at, sigmoid)
        sum = fma(sigmoid, v128.load(v + at), sum)
      }
      const a = sum4(sum)
      const step = first + <usize>row
      const kind = <usize>load<u8>(kinds + step)
      const age = load<f32>(ages + (step << 2))
      const f: f32 = age == 0 ? <f32>1 : f32x4.extract_lane(exp4(f32x4.splat(-decay * age)), 0)
      store<f32>(attention + ((<usize>row) << 2), a)
      store<f32>(fresh + ((<usize>row) << 2), f)
      axpy(
        load<f32>(weights + ((STRENGTH + kind) << 2)) * f * a,
        x + ((<usize>row) << 8),
        pooled + ((<usize>i) << 8),
      )
    }
  }
  multiply(pooled, ROW_BYTES, w3t, ROW_BYTES, q, ROW_BYTES, count, D, false)
  multiply(last, ROW_BYTES, w3t + 64 * ROW_BYTES, ROW_BYTES, q, ROW_BYTES, count, D, true)
  for (let i = 0; i < count; i++) {
    const query = q + ((<usize>i) << 8)
    const inverse = <f32>(1 / max<f64>(Math.sqrt(<f64>dot(query, query)), 1e-12))
    store<f32>(inverseNorms + ((<usize>i) << 2), inverse)
    for (let at: usize = 0; at < ROW_BYTES; at += 16)
      v128.store(query + at, f32x4.mul(f32x4.splat(inverse), v128.load(query + at)))
  }

  // Σ of e^logit over the negatives. The logits are bounded, so no maximum is taken out: |q·e| ≤ 1 and biases are centred.
  memory.fill(sums, 0, (<usize>count) << 4)
  const it = f32x4.splat(inverseTemperature)
  memory.fill(dq, 0, (<usize>count) << 8)
  for (let block = 0; block < negativeBlocks; block++) {
    const pb = p + <usize>block * blockBytes
    multiply(q, ROW_BYTES, transposed + ((<usize>block) << 14), ROW_BYTES, pb, ROW_BYTES, count, D, false)
    const bias = negativeBias + ((<usize>block) << 8)
    for (let i = 0; i < count; i++) {
      const line = pb + ((<usize>i) << 8)
      const slot = load<i32>(targetSlots + ((<usize>i) << 2)) - (block << 6)
      let sum = v128.load(sums + ((<usize>i) << 4))
      for (let at: usize = 0; at < ROW_BYTES; at += 16)
        v128.store(line + at, exp4(fma(v128.load(line + at), it, v128.load(bias + at))))
      if (slot >= 0 && slot < 64) store<f32>(line + ((<usize>slot) << 2), 0)
      for (let at: usize = 0; at < ROW_BYTES; at += 16) sum = f32x4.add(sum, v128.load(line + at))
      v128.store(sums + ((<usize>i) << 4), sum)
    }
    multiply(pb, ROW_BYTES, negatives + ((<usize>block) << 14), ROW_BYTES, dq, ROW_BYTES, count, D, true)
  }

  // The target, its probability, and the gradient of the query.
  for (let i = 0; i < count; i++) {
    const query = q + ((<usize>i) << 8)
    const e = unit + ((<usize>load<u32>(targets + ((<usize>i) << 2))) << 8)
    const logit = dot(query, e) * inverseTemperature + load<f32>(targetBias + ((<usize>i) << 2))
    const positive = f32x4.extract_lane(exp4(f32x4.splat(logit)), 0)
    const sum = sum4(v128.load(sums + ((<usize>i) << 4))) + positive
    store<f32>(probabilities + ((<usize>i) << 2), positive / sum)
    const share = coefficient / sum
    const pull = positive * share - coefficient
    const gradient = dq + ((<usize>i) << 8)
    const toTarget = targetGradients + ((<usize>i) << 8)
    const toScaled = scaled + ((<usize>i) << 8)
    for (let at: usize = 0; at < ROW_BYTES; at += 16) {
      const value = v128.load(query + at)
      v128.store(toScaled + at, f32x4.mul(value, f32x4.splat(share)))
      v128.store(toTarget + at, f32x4.mul(value, f32x4.splat(pull)))
      v128.store(
        gradient + at,
        fma(f32x4.splat(pull), v128.load(e + at), f32x4.mul(f32x4.splat(share), v128.load(gradient + at))),
      )
    }
    // Through the normalisation: dh = (dq − (dq·q) q) / ‖h‖.
    const along = f32x4.splat(-dot(gradient, query))
    const inverse = f32x4.splat(load<f32>(inverseNorms + ((<usize>i) << 2)))
    for (let at: usize = 0; at < ROW_BYTES; at += 16) {
      v128.store(
        gradient + at,
        f32x4.mul(inverse, fma(along, v128.load(query + at), v128.load(gradient + at))),
      )
    }
  }
  for (let block = 0; block < negativeBlocks; block++) {
    const pb = p + <usize>block * blockBytes
    multiplyTransposed(
      pb,
      ROW_BYTES,
      scaled,
      ROW_BYTES,
      negativeGradients + ((<usize>block) << 14),
      ROW_BYTES,
      D,
      count,
    )
  }

  // Back through W3 and the attention.
  const w3 = weights + (W3 << 2)
  const dw3 = gradients + (W3 << 2)
  multiplyTransposed(dq, ROW_BYTES, pooled, ROW_BYTES, dw3, W3_STRIDE, D, count)
  multiplyTransposed(dq, ROW_BYTES, last, ROW_BYTES, dw3 + ROW_BYTES, W3_STRIDE, D, count)
  multiply(dq, ROW_BYTES, w3, W3_STRIDE, dPooled, ROW_BYTES, count, D, false)
  multiply(dq, ROW_BYTES, w3 + ROW_BYTES, W3_STRIDE, dLast, ROW_BYTES, count, D, false)
  const dv = gradients + (V << 2)
  const dBias = gradients + (BIAS << 2)
  memory.fill(gateGradient, 0, (<usize>count) << 8)
  for (let i = 0; i < count; i++) {
    const dp = dPooled + ((<usize>i) << 8)
    const gg = gateGradient + ((<usize>i) << 8)
    const from = <i32>(load<u32>(starts + ((<usize>i) << 2)) - <u32>first)
    const to = <i32>(load<u32>(starts + ((<usize>i) << 2), 4) - <u32>first)
    for (let row = from; row < to; row++) {
      const step = first + <usize>row
      const kind = <usize>load<u8>(kinds + step)
      const strength = load<f32>(weights + ((STRENGTH + kind) << 2))
      const f = load<f32>(fresh + ((<usize>row) << 2))
      const a = load<f32>(attention + ((<usize>row) << 2))
      const dw = dot(dp, x + ((<usize>row) << 8))
      const da = f32x4.splat(strength * f * dw)
      const w = f32x4.splat(strength * f * a)
      if (trainStrength) {
        const ds = gradients + ((STRENGTH + kind) << 2)
        store<f32>(ds, load<f32>(ds) + a * f * dw)
        const dd = gradients + (DECAY << 2)
        store<f32>(dd, load<f32>(dd) - load<f32>(ages + (step << 2)) * strength * f * a * dw)
      }
      const sigmoids = s + ((<usize>row) << 8)
      const out = stepGradients + (step << 8)
      const toU = du + ((<usize>row) << 8)
      for (let at: usize = 0; at < ROW_BYTES; at += 16) {
        const sigmoid = v128.load(sigmoids + at)
        v128.store(dv + at, fma(da, sigmoid, v128.load(dv + at)))
        const slope = f32x4.mul(sigmoid, f32x4.sub(one, sigmoid))
        const value = f32x4.mul(f32x4.mul(da, v128.load(v + at)), slope)
        v128.store(toU + at, value)
        v128.store(gg + at, f32x4.add(v128.load(gg + at), value))
        v128.store(out + at, f32x4.mul(w, v128.load(dp + at)))
      }
    }
    axpy(1, gg, dBias)
  }
  multiply(
    du,
    ROW_BYTES,
    weights + (W1 << 2),
    ROW_BYTES,
    stepGradients + (first << 8),
    ROW_BYTES,
    rows,
    D,
    true,
  )
  multiplyTransposed(du, ROW_BYTES, x, ROW_BYTES, gradients + (W1 << 2), ROW_BYTES, D, rows)
  multiplyTransposed(gateGradient, ROW_BYTES, last, ROW_BYTES, gradients + (W2 << 2), ROW_BYTES, D, count)
  multiply(gateGradient, ROW_BYTES, weights + (W2 << 2), ROW_BYTES, dLast, ROW_BYTES, count, D, true)

  // Positions and steps; the last step also carries e_last. Dropped coordinates get no gradient.
  for (let i = 0; i < count; i++) {
    const to = <i32>(load<u32>(starts + ((<usize>i) << 2), 4) - <u32>first)
    for (let row = <i32>(load<u32>(starts + ((<usize>i) << 2)) - <u32>first); row < to; row++) {
      const step = first + <usize>row
      const out = stepGradients + (step << 8)
      axpy(1, out, gradients + ((POSITION + ((<usize>load<u8>(places + step)) << 6)) << 2))
      if (row == to - 1) axpy(1, dLast + ((<usize>i) << 8), out)
      if (!dropout) continue
      const seed = load<u32>(seeds + (step << 2))
      for (let block = 0; block < 4; block++) {
        const hash = hash16(seed, block)
        for (let part = 0; part < 4; part++) {
          const offset = <usize>(block * 64 + part * 16)
          v128.store(out + offset, f32x4.mul(v128.load(out + offset), multiplier(hash, part, true)))
        }
      }
    }
  }
}
