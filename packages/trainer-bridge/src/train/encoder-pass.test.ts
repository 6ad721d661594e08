import { encode } from '@attune/core/rank'
import { beforeAll, describe, expect, test } from 'vitest'
import { examplesOf, type TrainingData } from './data.ts'
import { EncoderPass, TEMPERATURE } from './encoder-pass.ts'
import { instantiateKernels, loadKernels, makeMemory, type WasmMemory, type WasmModule } from './kernels.ts'
import { layOut, SHARDS, type MemoryLayout } from './memory-layout.ts'
import { Planner } from './plan.ts'
import { createRandom } from './random.ts'
import { adamSchedule, oneCycle } from './schedule.ts'
import { DIM, encoderWeights, initialWeights, MAX_LENGTH, WEIGHTS } from './weight-layout.ts'

const ITEMS = 90
const modules = new Map<boolean, WasmModule>()

beforeAll(async () => {
  for (const relaxed of [true, false]) modules.set(relaxed, await loadKernels({ relaxed }))
})

/** 40 visits of 2 to 21 clicks on 90 items, of three kinds, minutes apart. */
function smallData(): TrainingData {
  const random = createRandom(7)
  const offsets = [0]
  const rows: number[] = []
  const kinds: number[] = []
  const times: number[] = []
  for (let visit = 0; visit < 40; visit++) {
    const length = 2 + (visit % 20)
    for (let step = 0; step < length; step++) {
      rows.push(Math.floor(random.uniform() ** 2 * ITEMS))
      kinds.push(random.next() % 3)
      times.push(visit * 1e7 + step * 6e5)
    }
    offsets.push(rows.length)
  }
  return {
    ids: Array.from({ length: ITEMS }, (_, row) => `item ${row}`),
    offsets: Uint32Array.from(offsets),
    rows: Uint32Array.from(rows),
    kinds: Uint8Array.from(kinds),
    times: Float64Array.from(times),
  }
}

function prepare(relaxed: boolean, dropout: boolean, batchSize = 300) {
  const data = smallData()
  const layout = layOut({ items: ITEMS, batch: batchSize, negatives: 128, threads: 1 })
  const memory = makeMemory(layout.bytes)
  const kernels = instantiateKernels(modules.get(relaxed) as WasmModule, memory)
  const schedule = adamSchedule(oneCycle(10, 1e-2))
  const planner = new Planner({
    data,
    examples: examplesOf(data, MAX_LENGTH),
    layout,
    memory,
    schedule,
    seed: 3,
  })
  const pass = new EncoderPass(kernels, memory, layout, 0, { dropout, trainStrength: true })
  const random = createRandom(11)
  const view = (at: number, length: number) => new Float32Array(memory.buffer, at, length)
  const raw = view(layout.raw, ITEMS * DIM)
  raw.forEach((_, at) => (raw[at] = random.normal() * 0.2))
  const weights = view(layout.weights, WEIGHTS.length)
  weights.set(initialWeights(random))
  for (let at = 0; at < MAX_LENGTH * DIM; at++) weights[at] = random.normal() * 0.05
  weights.set([0.9, 1.2, 1.1, 1, 1, 1], WEIGHTS.strength)
  weights[WEIGHTS.decay] = 0.3
  kernels.normaliseRows(layout.raw, layout.unit, layout.inverse, 0, ITEMS)
  planner.startIteration(0)
  return { data, layout, memory, kernels, schedule, planner, pass, raw, weights, view }
}

/** Forward and backward of one batch on one thread. */
function gradients(setup: ReturnType<typeof prepare>, step: number) {
  const plan = setup.planner.plan(step - 1, step)
  setup.pass.transposeWeights()
  setup.pass.catchUp(0, plan.rows)
  for (let shard = 0; shard < SHARDS; shard++) setup.pass.shard(shard, plan.count, plan.negativeBlocks)
  return plan
}

function batchOf(memory: WasmMemory, layout: MemoryLayout, plan: { count: number; rows: number }) {
  const { buffer } = memory
  const { count, rows } = plan
  const starts = Array.from(new Uint32Array(buffer, layout.starts, count + 1))
  const steps = starts[count] ?? 0
  return {
    count,
    starts,
    steps: Array.from(new Uint32Array(buffer, layout.steps, steps)),
    places: Array.from(new Uint8Array(buffer, layout.places, steps)),
    kinds: Array.from(new Uint8Array(buffer, layout.kinds, steps)),
    ages: Array.from(new Float32Array(buffer, layout.ages, steps)),
    seeds: Array.from(new Uint32Array(buffer, layout.seeds, steps)),
    targets: Array.from(new Uint32Array(buffer, layout.targets, count)),
    targetBias: Array.from(new Float32Array(buffer, layout.targetBias, count)),
    rows: Array.from(new Uint32Array(buffer, layout.rows, rows)),
    slots: Array.from(new Int32Array(buffer, layout.slots, rows)),
    negativeBias: Array.from(new Float32Array(buffer, layout.negativeBias, layout.negatives)),
  }
}

/** The dropout of kernels/encoder.ts, written again from its description. */
function multiplier(seed: number, column: number): number {
  const block = column >> 4
  const lane = (column & 3) as 0 | 1 | 2 | 3
  const byte = (column >> 2) & 3
  let h =
    seed ^ (([0x9e3779b1, 0x3c6ef362, 0xdaa66d13, 0x78dde6c4][lane] as number) + Math.imul(block, 0x27d4eb2f))
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  h ^= h >>> 16
  return ((h >>> (8 * byte)) & 255) >= 51 ? 256 / 205 : 0
}

/** Mean loss of a batch in double precision, straight from the formulas of docs/artifact-format.md and the docstring. */
function referenceLoss(
  batch: ReturnType<typeof batchOf>,
  raw: Float64Array,
  w: Float64Array,
  dropout: boolean,
): number {
  const unit = raw.slice()
  for (let row = 0; row < ITEMS; row++) {
    let squares = 0
    for (let c = 0; c < DIM; c++) squares += raw[row * DIM + c]! ** 2
    for (let c = 0; c < DIM; c++) unit[row * DIM + c] = raw[row * DIM + c]! / Math.sqrt(squares)
  }
  const negatives = batch.rows.flatMap((row, index) =>
    (batch.slots[index] ?? -1) >= 0 ? [{ row, slot: batch.slots[index]! }] : [],
  )
  let total = 0
  for (let i = 0; i < batch.count; i++) {
    const from = batch.starts[i]!
    const to = batch.starts[i + 1]!
    const e = batch.steps
      .slice(from, to)
      .map((row, at) =>
        Array.from(
          { length: DIM },
          (_, c) => unit[row * DIM + c]! * (dropout ? multiplier(batch.seeds[from + at]!, c) : 1),
        ),
      )
    const last = e.at(-1) as number[]
    const gate = Array.from({ length: DIM }, (_, r) => {
      let sum = w[WEIGHTS.bias + r]!
      for (let c = 0; c < DIM; c++) sum += w[WEIGHTS.w2 + r * DIM + c]! * last[c]!
      return sum
    })
    const pooled = new Float64Array(DIM)
    e.forEach((values, at) => {
      const x = values.map((value, c) => value + w[WEIGHTS.position + batch.places[from + at]! * DIM + c]!)
      let a = 0
      for (let r = 0; r < DIM; r++) {
        let u = gate[r]!
        for (let c = 0; c < DIM; c++) u += w[WEIGHTS.w1 + r * DIM + c]! * x[c]!
        a += w[WEIGHTS.v + r]! / (1 + Math.exp(-u))
      }
      const weight =
        w[WEIGHTS.strength + batch.kinds[from + at]!]! *
        Math.exp(-w[WEIGHTS.decay]! * batch.ages[from + at]!) *
        a
      for (let c = 0; c < DIM; c++) pooled[c] = pooled[c]! + weight * x[c]!
    })
    const h = Array.from({ length: DIM }, (_, r) => {
      let sum = 0
      for (let c = 0; c < DIM; c++)
        sum += w[WEIGHTS.w3 + r * 128 + c]! * pooled[c]! + w[WEIGHTS.w3 + r * 128 + 64 + c]! * last[c]!
      return sum
    })
    const norm = Math.hypot(...h)
    const logit = (row: number, bias: number) => {
      let sum = 0
      for (let c = 0; c < DIM; c++) sum += h[c]! * unit[row * DIM + c]!
      return sum / norm / TEMPERATURE + bias
    }
    const target = batch.targets[i]!
    const positive = logit(target, batch.targetBias[i]!)
    let sum = Math.exp(positive)
    for (const { row, slot } of negatives)
      if (row !== target) sum += Math.exp(logit(row, batch.negativeBias[slot]!))
    total += Math.log(sum) - positive
  }
  return total / batch.count
}

describe.each([
  { relaxed: true, dropout: true },
  { relaxed: false, dropout: true },
  { relaxed: true, dropout: false },
])('encoder kernel, relaxed $relaxed, dropout $dropout', ({ relaxed, dropout }) => {
  test('loss of 300 examples equals the formulas in double precision to 1e-5', () => {
    const setup = prepare(relaxed, dropout)
    const plan = gradients(setup, 1)
    const batch = batchOf(setup.memory, setup.layout, plan)
    const probabilities = setup.view(setup.layout.probabilities, plan.count)
    const mean = probabilities.reduce((sum, probability) => sum - Math.log(probability), 0) / plan.count
    const expected = referenceLoss(
      batch,
      Float64Array.from(setup.raw),
      Float64Array.from(setup.weights),
      dropout,
    )
    expect(Math.abs(mean - expected)).toBeLessThan(1e-5)
  })
})

test('gradients of every kind of weight equal finite differences of the double-precision loss', () => {
  const setup = prepare(true, true, 16)
  const { layout, memory, view } = setup
  const plan = gradients(setup, 1)
  const batch = batchOf(memory, layout, plan)
  const w = Float64Array.from(setup.weights)
  const raw = Float64Array.from(setup.raw)
  const slope = (values: Float64Array, at: number) => {
    const kept = values[at]!
    values[at] = kept + 1e-5
    const above = referenceLoss(batch, raw, w, true)
    values[at] = kept - 1e-5
    const below = referenceLoss(batch, raw, w, true)
    values[at] = kept
    return (above - below) / 2e-5
  }
  const random = createRandom(5)
  const places = (name: keyof typeof WEIGHTS, length: number, count: number) =>
    Array.from({ length: count }, () => WEIGHTS[name] + (random.next() % length))
  const chosen = [
    ...places('w1', 4096, 4),
    ...places('w2', 4096, 4),
    ...places('w3', 8192, 4),
    ...places('bias', 64, 3),
    ...places('v', 64, 3),
    ...Array.from({ length: 6 }, (_, at) => WEIGHTS.position + (10 + at) * DIM + at),
    ...Array.from({ length: 3 }, (_, at) => WEIGHTS.strength + at),
    WEIGHTS.decay,
  ]
  const received = chosen.map((at) => {
    let sum = 0
    for (let shard = 0; shard < SHARDS; shard++)
      sum += view(layout.gradients + shard * layout.gradientStride, WEIGHTS.length)[at]!
    return sum
  })
  const expected = chosen.map((at) => slope(w, at))
  expected.forEach((value, index) => expect(received[index], `weight ${chosen[index]}`).toBeCloseTo(value, 5))

  // Rows: Adam's first moment after one step is 0.1 · gradient.
  setup.pass.updateRows(0, plan.rows, 1, setup.schedule)
  const moments = view(layout.rawM, ITEMS * DIM)
  const rows = [
    ...new Set([batch.steps[0]!, batch.steps.at(-1)!, batch.targets[3]!, batch.rows[0]!, batch.rows[40]!]),
  ]
  for (const row of rows) {
    for (const at of [row * DIM + 1, row * DIM + 42])
      expect(moments[at]! * 10, `row ${row}`).toBeCloseTo(slope(raw, at), 5)
  }
})

test('the build without relaxed SIMD gives the gradients of the one with it to 1e-6', () => {
  const [fused, plain] = [true, false].map((relaxed) => {
    const setup = prepare(relaxed, true)
    gradients(setup, 1)
    const { layout, view } = setup
    return view(layout.gradients, (SHARDS * layout.gradientStride) / 4)
  })
  let worst = 0
  fused?.forEach((value, at) => (worst = Math.max(worst, Math.abs(value - (plain?.[at] ?? NaN)))))
  expect(worst).toBeLessThan(1e-6)
})

test('the loss-giving query is the one core serves: encode() on the trained weights, to 1e-5', () => {
  // Without dropout and with one negative-free comparison: p(target) from core's query must be the kernel's.
  const setup = prepare(true, false)
  const plan = gradients(setup, 1)
  const batch = batchOf(setup.memory, setup.layout, plan)
  const unit = setup.view(setup.layout.unit, ITEMS * DIM)
  const weights = encoderWeights(setup.weights, MAX_LENGTH, () => true)
  const probabilities = setup.view(setup.layout.probabilities, plan.count)
  for (const i of [0, 17, 120]) {
    const steps = batch.steps.slice(batch.starts[i], batch.starts[i + 1])
    const input = {
      history: new Float32Array(MAX_LENGTH * DIM),
      kind: new Int32Array(MAX_LENGTH),
      age: new Float32Array(MAX_LENGTH),
      mask: new Float32Array(MAX_LENGTH),
    }
    steps.forEach((row, at) => {
      const place = MAX_LENGTH - steps.length + at
      input.history.set(unit.subarray(row * DIM, (row + 1) * DIM), place * DIM)
      input.kind[place] = batch.kinds[batch.starts[i]! + at]!
      input.age[place] = batch.ages[batch.starts[i]! + at]!
      input.mask[place] = 1
    })
    const query = encode(input, weights)
    const score = (row: number) =>
      query.reduce((sum, value, c) => sum + value * unit[row * DIM + c]!, 0) / TEMPERATURE
    const target = batch.targets[i]!
    const positive = score(target) + batch.targetBias[i]!
    const others = batch.rows.map((row, index) => {
      const slot = batch.slots[index]!
      return slot < 0 || row === target ? 0 : Math.exp(score(row) + batch.negativeBias[slot]!)
    })
    const sum = Math.exp(positive) + others.reduce((total, value) => total + value, 0)
    expect(probabilities[i]! / (Math.exp(positive) / sum)).toBeCloseTo(1, 4)
  }
})

test('three sparse steps and the flush equal dense Adam on all rows, in double precision, to 1e-5', () => {
  const setup = prepare(true, true)
  const { layout, view, schedule, planner } = setup
  const raw = Float64Array.from(setup.raw)
  const m = new Float64Array(raw.length)
  const v = new Float64Array(raw.length)
  const rates = oneCycle(10, 1e-2)
  for (let step = 1; step <= 2; step++) {
    const plan = gradients(setup, step)
    const batch = batchOf(setup.memory, layout, plan)
    const moments = view(layout.rawM, raw.length)
    const before = moments.slice()
    setup.pass.updateRows(0, plan.rows, step, schedule)
    setup.pass.updateWeights(step, schedule)
    const touched = new Set(batch.rows)
    for (let at = 0; at < raw.length; at++) {
      const gradient = touched.has(Math.floor(at / DIM)) ? (moments[at]! - 0.9 * before[at]!) * 10 : 0
      m[at] = 0.9 * m[at]! + 0.1 * gradient
      v[at] = 0.999 * v[at]! + 0.001 * gradient ** 2
      raw[at] =
        raw[at]! -
        (rates[step]! * (m[at]! / (1 - 0.9 ** step))) / (Math.sqrt(v[at]! / (1 - 0.999 ** step)) + 1e-8)
    }
  }
  // Four steps in which nothing is touched.
  for (let step = 3; step <= 6; step++) {
    for (let at = 0; at < raw.length; at++) {
      m[at] = 0.9 * m[at]!
      v[at] = 0.999 * v[at]!
      raw[at] =
        raw[at]! -
        (rates[step]! * (m[at]! / (1 - 0.9 ** step))) / (Math.sqrt(v[at]! / (1 - 0.999 ** step)) + 1e-8)
    }
  }
  setup.pass.catchUp(0, planner.planFlush(0, 6))
  let worst = 0
  for (let at = 0; at < raw.length; at++) {
    // Coordinates whose gradient is next to nothing are all epsilon: the closed form leaves it out.
    if (Math.sqrt(v[at]!) < 1e-6) continue
    worst = Math.max(worst, Math.abs(raw[at]! - setup.raw[at]!))
  }
  expect(worst).toBeLessThan(1e-4)
  expect(worst).toBeGreaterThan(0)
})
