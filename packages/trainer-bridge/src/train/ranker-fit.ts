import { CONTEXT, RANKER_INPUT, type RankerWeights } from '@attune/core/rank'
import { TEMPERATURE } from './encoder-pass.ts'
import type { TrainKernels, WasmMemory } from './kernels.ts'
import { createRandom, shuffle } from './random.ts'
import { INPUTS, PADDED_INPUTS, sampleViews, type SampleLayout } from './ranker-samples.ts'
import { adamSchedule, BETA1, BETA2, oneCycle } from './schedule.ts'

export const RANKER_DEFAULTS = { units: 32, iterations: 8, batch: 128, peakRate: 6e-3 } as const

/** Width of the kernel's hidden layer; units beyond `units` stay zero. */
const BLOCK = 64

export interface Standardisation {
  /** [z] */
  readonly mean: Float32Array
  /** [z]; 0 where a feature never changes */
  readonly inverseStd: Float32Array
}

/** Mean and deviation of every input over all candidates of all samples, in the order of samples. */
export function measureInputs(memory: WasmMemory, layout: SampleLayout): Standardisation {
  const { starts, counts, contexts, rows } = sampleViews(memory, layout)
  const sums = new Float64Array(RANKER_INPUT)
  const squares = new Float64Array(RANKER_INPUT)
  let total = 0
  for (let sample = 0; sample < layout.samples; sample++) {
    const count = counts[sample]!
    const from = starts[sample]! * PADDED_INPUTS
    total += count
    for (let at = from; at < from + count * PADDED_INPUTS; at += PADDED_INPUTS) {
      for (let input = 0; input < INPUTS; input++) {
        const value = rows[at + input]!
        sums[input] = sums[input]! + value
        squares[input] = squares[input]! + value * value
      }
    }
    for (let c = 0; c < CONTEXT; c++) {
      const value = contexts[sample * CONTEXT + c]!
      sums[INPUTS + c] = sums[INPUTS + c]! + count * value
      squares[INPUTS + c] = squares[INPUTS + c]! + count * value * value
    }
  }
  const mean = Float32Array.from(sums, (sum) => (total === 0 ? 0 : sum / total))
  const inverseStd = Float32Array.from(squares, (square, input) => {
    const variance = total === 0 ? 0 : square / total - mean[input]! ** 2
    return variance > 1e-9 ? 1 / Math.sqrt(variance) : 0
  })
  return { mean, inverseStd }
}

/** Replaces the inputs of all samples by standardised ones. */
export function standardise(
  memory: WasmMemory,
  layout: SampleLayout,
  { mean, inverseStd }: Standardisation,
): void {
  const { next, contexts, rows } = sampleViews(memory, layout)
  const end = next[0]! * PADDED_INPUTS
  for (let at = 0; at < end; at += PADDED_INPUTS) {
    for (let input = 0; input < INPUTS; input++) {
      rows[at + input] = (rows[at + input]! - mean[input]!) * inverseStd[input]!
    }
  }
  for (let at = 0; at < contexts.length; at++) {
    const input = INPUTS + (at % CONTEXT)
    contexts[at] = (contexts[at]! - mean[input]!) * inverseStd[input]!
  }
}

export interface FitOptions {
  readonly iterations?: number
  readonly batch?: number
  readonly peakRate?: number
  readonly units?: number
  readonly seed: number
  /** Called after each iteration with its mean loss; returns true to stop. */
  readonly onIteration?: (iteration: number, loss: number) => boolean
}

/**
 * Fits the ranker to standardised samples: softmax cross-entropy over each query's candidates, Adam with a one-cycle rate.
 *
 * @param samples - which samples to learn from; ones whose target is no candidate are left out
 */
export function fitRanker(
  kernels: TrainKernels,
  memory: WasmMemory,
  layout: SampleLayout,
  samples: Uint32Array,
  scale: Standardisation,
  options: FitOptions,
): { weights: RankerWeights; losses: number[] } {
  const { iterations, batch, peakRate, units, seed, onIteration } = { ...RANKER_DEFAULTS, ...options }
  const { starts, counts, targets, contexts } = sampleViews(memory, layout)
  const used = samples.filter((sample) => targets[sample]! >= 0 && counts[sample]! > 1)
  // One block of parameters, so that one Adam does for all: hidden [in, 64], context [c, 64], bias, out [64], linear.
  const place = {
    hidden: 0,
    context: PADDED_INPUTS * BLOCK,
    bias: (PADDED_INPUTS + CONTEXT) * BLOCK,
    out: (PADDED_INPUTS + CONTEXT + 1) * BLOCK,
    linear: (PADDED_INPUTS + CONTEXT + 2) * BLOCK,
    length: (PADDED_INPUTS + CONTEXT + 2) * BLOCK + PADDED_INPUTS,
  }
  const bytes = place.length * 4
  const at = (index: number) => layout.scratch + index * bytes
  const block = (index: number) => new Float32Array(memory.buffer, at(index), place.length)
  const [x, gradient, m, v] = [block(0), block(1), block(2), block(3)]
  for (const array of [x, gradient, m, v]) array.fill(0)
  const biasAt = at(4)
  const bias = new Float32Array(memory.buffer, biasAt, BLOCK)
  const biasGradientAt = biasAt + BLOCK * 4
  const biasGradient = new Float32Array(memory.buffer, biasGradientAt, BLOCK)
  const scratchAt = biasGradientAt + BLOCK * 4

  const random = createRandom(seed, 4)
  for (let input = 0; input < PADDED_INPUTS + CONTEXT; input++) {
    if (input >= INPUTS && input < PADDED_INPUTS) continue
    for (let unit = 0; unit < units; unit++)
      x[input * BLOCK + unit] = (2 * random.uniform() - 1) / Math.sqrt(RANKER_INPUT)
  }
  for (let unit = 0; unit < units; unit++) x[place.out + unit] = (2 * random.uniform() - 1) / Math.sqrt(units)

  if (used.length === 0) return { weights: cosineRanker(), losses: [] }
  const batches = Math.ceil(used.length / batch)
  const { rates, epsilons } = adamSchedule(oneCycle(iterations * batches, peakRate))
  const losses: number[] = []
  for (let iteration = 0; iteration < iterations; iteration++) {
    shuffle(used, createRandom(seed, 5, iteration))
    let total = 0
    for (let number = 0; number < batches; number++) {
      const members = used.subarray(number * batch, (number + 1) * batch)
      gradient.fill(0)
      for (const sample of members) {
        const context = contexts.subarray(sample * CONTEXT, (sample + 1) * CONTEXT)
        bias.set(x.subarray(place.bias, place.bias + BLOCK))
        for (let c = 0; c < CONTEXT; c++) addScaled(bias, x, place.context + c * BLOCK, context[c]!)
        const probability = kernels.rankSample(
          layout.rows + starts[sample]! * PADDED_INPUTS * 4,
          counts[sample]!,
          PADDED_INPUTS,
          targets[sample]!,
          at(0),
          biasAt,
          at(0) + place.out * 4,
          at(0) + place.linear * 4,
          at(1),
          biasGradientAt,
          at(1) + place.out * 4,
          at(1) + place.linear * 4,
          1 / members.length,
          scratchAt,
        )
        total -= Math.log(probability)
        for (let unit = 0; unit < BLOCK; unit++) {
          const value = biasGradient[unit]!
          gradient[place.bias + unit] = gradient[place.bias + unit]! + value
          for (let c = 0; c < CONTEXT; c++) {
            const to = place.context + c * BLOCK + unit
            gradient[to] = gradient[to]! + value * context[c]!
          }
        }
      }
      const step = iteration * batches + number + 1
      for (let index = 0; index < place.length; index++) {
        const g = gradient[index]!
        m[index] = BETA1 * m[index]! + (1 - BETA1) * g
        v[index] = BETA2 * v[index]! + (1 - BETA2) * g * g
        x[index] = x[index]! - (rates[step]! * m[index]!) / (Math.sqrt(v[index]!) + epsilons[step]!)
      }
    }
    losses.push(total / used.length)
    if (onIteration?.(iteration, total / used.length) === true) break
  }
  const hidden = new Float32Array(units * RANKER_INPUT)
  for (let unit = 0; unit < units; unit++) {
    for (let input = 0; input < INPUTS; input++)
      hidden[unit * RANKER_INPUT + input] = x[input * BLOCK + unit]!
    for (let c = 0; c < CONTEXT; c++)
      hidden[unit * RANKER_INPUT + INPUTS + c] = x[place.context + c * BLOCK + unit]!
  }
  const linear = new Float32Array(RANKER_INPUT)
  linear.set(x.subarray(place.linear, place.linear + INPUTS))
  const weights: RankerWeights = {
    ...scale,
    linear,
    hidden,
    hiddenBias: x.slice(place.bias, place.bias + units),
    out: x.slice(place.out, place.out + units),
  }
  return { weights, losses }
}

/** Ranks by the encoder alone: what is served when there was nothing to fit a ranker to. */
export function cosineRanker(temperature: number = TEMPERATURE): RankerWeights {
  const linear = new Float32Array(RANKER_INPUT)
  linear[0] = 1 / temperature
  return {
    mean: new Float32Array(RANKER_INPUT),
    inverseStd: new Float32Array(RANKER_INPUT).fill(1),
    linear,
    hidden: new Float32Array(RANKER_INPUT),
    hiddenBias: new Float32Array(1),
    out: new Float32Array(1),
  }
}

function addScaled(to: Float32Array, from: Float32Array, offset: number, factor: number): void {
  for (let index = 0; index < to.length; index++) to[index] = to[index]! + factor * from[offset + index]!
}
