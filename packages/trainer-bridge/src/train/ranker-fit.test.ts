import {
  CandidateSet,
  CONTEXT,
  coreEngine,
  FEATURES,
  RANKER_INPUT,
  score,
  type RankerWeights,
} from '@attune/core/rank'
import { beforeAll, expect, test } from 'vitest'
import { examplesOf } from './data.ts'
import { instantiateKernels, loadKernels, makeMemory, type TrainKernels, type WasmMemory } from './kernels.ts'
import { nodeScanner } from './node-scanner.ts'
import { createRandom } from './random.ts'
import { cosineRanker, fitRanker, measureInputs, standardise } from './ranker-fit.ts'
import { INPUTS, layOutSamples, PADDED_INPUTS, prepareSample, sampleViews } from './ranker-samples.ts'
import { randomModel, ringVisits } from './testing/small-model.ts'
import { servingModel } from './trained-model.ts'

let kernels: TrainKernels
let memory: WasmMemory
const layout = layOutSamples(120)

beforeAll(async () => {
  memory = makeMemory(layout.bytes)
  kernels = instantiateKernels(await loadKernels(), memory)
})

test('gradients of one sample equal finite differences of the formula in double precision', () => {
  const random = createRandom(3)
  const [n, units, target] = [11, 64, 4]
  const z = Array.from({ length: n * PADDED_INPUTS }, () => random.normal())
  const parameters = Array.from(
    { length: PADDED_INPUTS * units + 2 * units + PADDED_INPUTS },
    () => random.normal() * 0.3,
  )
  const [biasAt, outAt, linearAt] = [
    PADDED_INPUTS * units,
    (PADDED_INPUTS + 1) * units,
    (PADDED_INPUTS + 2) * units,
  ]
  const loss = (p: readonly number[]) => {
    const scores = Array.from({ length: n }, (_, i) => {
      let sum = 0
      for (let j = 0; j < PADDED_INPUTS; j++) sum += p[linearAt + j]! * z[i * PADDED_INPUTS + j]!
      for (let u = 0; u < units; u++) {
        let h = p[biasAt + u]!
        for (let j = 0; j < PADDED_INPUTS; j++) h += p[j * units + u]! * z[i * PADDED_INPUTS + j]!
        sum += p[outAt + u]! * Math.max(0, h)
      }
      return sum
    })
    return Math.log(scores.reduce((sum, value) => sum + Math.exp(value), 0)) - scores[target]!
  }
  const at = layout.rows
  const put = (offset: number, values: readonly number[]) => {
    new Float32Array(memory.buffer, at + offset, values.length).set(values)
    return at + offset
  }
  const zAt = put(0, z)
  const pAt = put(8_192, parameters)
  const gAt = put(
    32_768,
    parameters.map(() => 0),
  )
  const probability = kernels.rankSample(
    zAt,
    n,
    PADDED_INPUTS,
    target,
    pAt,
    pAt + biasAt * 4,
    pAt + outAt * 4,
    pAt + linearAt * 4,
    gAt,
    gAt + biasAt * 4,
    gAt + outAt * 4,
    gAt + linearAt * 4,
    1,
    at + 65_536,
  )
  expect(-Math.log(probability)).toBeCloseTo(loss(parameters), 4)
  const received = new Float32Array(memory.buffer, gAt, parameters.length)
  for (let check = 0; check < parameters.length; check += 7) {
    const moved = (by: number) => loss(parameters.with(check, parameters[check]! + by))
    const expected = (moved(1e-5) - moved(-1e-5)) / 2e-5
    expect(Math.abs(received[check]! - expected), `parameter ${check}`).toBeLessThan(
      1e-4 * Math.max(1, Math.abs(expected)),
    )
  }
})

test('samples hold what serving feeds its ranker, and a fit beats ranking by the encoder; core scores it as trained', async () => {
  const model = randomModel(150, 4)
  const serving = servingModel(model, nodeScanner)
  const data = ringVisits(150, 200, 9)
  const views = sampleViews(memory, layout)
  views.next[0] = 0
  const { start, target } = examplesOf(data, 16)
  const engine = coreEngine(model.weights)
  let captured = 0
  for (let sample = 0; sample < layout.samples; sample++) {
    await prepareSample(
      serving,
      engine,
      data,
      { start: start[sample]!, target: target[sample]! },
      sample,
      views,
      new CandidateSet(),
    )
    const [from, count, place] = [views.starts[sample]!, views.counts[sample]!, views.targets[sample]!]
    const cosines = Array.from({ length: count }, (_, row) => views.rows[(from + row) * PADDED_INPUTS]!)
    const gaps = Array.from({ length: count }, (_, row) => views.rows[(from + row) * PADDED_INPUTS + 1]!)
    expect(Math.max(...gaps)).toBe(0)
    expect(gaps.indexOf(0)).toBe(cosines.indexOf(Math.max(...cosines)))
    if (place >= 0) captured++
  }
  expect(captured).toBeGreaterThan(100)
  const first = { raw: views.rows.slice(0, INPUTS), context: views.contexts.slice(0, CONTEXT) }

  const scale = measureInputs(memory, layout)
  standardise(memory, layout, scale)
  const samples = Uint32Array.from({ length: 120 }, (_, sample) => sample)
  const { weights, losses } = fitRanker(kernels, memory, layout, samples, scale, {
    seed: 1,
    iterations: 20,
    batch: 16,
  })
  expect(losses.length).toBe(20)
  expect(losses.at(-1)).toBeLessThan(losses[0]! / 1.5)
  expect(weights.mean.length).toBe(RANKER_INPUT)

  // Core, given the raw inputs, must give the last loss that the kernel saw for these weights, to what one more step changes.
  let total = 0
  let used = 0
  for (const sample of samples) {
    const [from, count, place] = [views.starts[sample]!, views.counts[sample]!, views.targets[sample]!]
    if (place < 0) continue
    const scores = scoreStandardised(weights, views.rows, views.contexts, from, count, sample)
    const sum = scores.reduce((s, value) => s + Math.exp(value), 0)
    total += Math.log(sum) - scores[place]!
    used++
  }
  expect(Math.abs(total / used - losses.at(-1)!)).toBeLessThan(0.1)

  // And the standardised row is the raw one through mean and deviation.
  const z = Array.from(
    { length: INPUTS },
    (_, input) => (first.raw[input]! - scale.mean[input]!) * scale.inverseStd[input]!,
  )
  Array.from(views.rows.subarray(0, INPUTS)).forEach((value, input) =>
    expect(value).toBeCloseTo(z[input]!, 4),
  )
})

/** Core's own score on rows that are standardised already: cosines are given through one-dimensional factors. */
function scoreStandardised(
  weights: RankerWeights,
  rows: Float32Array,
  contexts: Float32Array,
  from: number,
  count: number,
  sample: number,
): number[] {
  const { linear, hidden, hiddenBias, out } = weights
  return Array.from({ length: count }, (_, row) => {
    const z = [
      ...rows.subarray((from + row) * PADDED_INPUTS, (from + row) * PADDED_INPUTS + INPUTS),
      ...contexts.subarray(sample * CONTEXT, (sample + 1) * CONTEXT),
    ]
    let total = z.reduce((sum, value, input) => sum + value * linear[input]!, 0)
    hiddenBias.forEach((bias, unit) => {
      const h = z.reduce((sum, value, input) => sum + value * hidden[unit * z.length + input]!, bias)
      total += out[unit]! * Math.max(0, h)
    })
    return total
  })
}

test('without a sample whose target was found the encoder’s order is kept', () => {
  const empty = layOutSamples(1)
  const views = sampleViews(memory, empty)
  views.targets[0] = -1
  views.counts[0] = 3
  const { weights, losses } = fitRanker(
    kernels,
    memory,
    empty,
    Uint32Array.of(0),
    measureInputs(memory, empty),
    { seed: 1 },
  )
  expect(losses).toEqual([])
  expect(weights).toEqual(cosineRanker())
  const query = new Float32Array(64).fill(0.125)
  const candidates = Float32Array.from({ length: 3 * 64 }, (_, at) => [0.1, 0.3, 0.2][at >> 6]!)
  const scores = score(
    {
      count: 3,
      query,
      candidates,
      features: new Float32Array(3 * FEATURES),
      context: new Float32Array(CONTEXT),
    },
    weights,
  )
  expect(scores[1]).toBeGreaterThan(scores[2]!)
  expect(scores[2]).toBeGreaterThan(scores[0]!)
})
