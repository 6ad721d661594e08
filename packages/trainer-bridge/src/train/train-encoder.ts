import { availableParallelism } from 'node:os'
import type { EncoderWeights } from '@attune/core/rank'
import type { Checkpoints } from './checkpoint.ts'
import { examplesOf, type TrainingData } from './data.ts'
import {
  CONTROL,
  type EncoderTask,
  type EncoderWorkerData,
  type EvaluateAnswer,
  type IterationAnswer,
} from './encoder-worker.ts'
import { TrainError } from './errors.ts'
import { instantiateKernels, loadKernels, makeMemory } from './kernels.ts'
import { layOut } from './memory-layout.ts'
import { createRandom } from './random.ts'
import { oneCycle } from './schedule.ts'
import { startCrew } from './threads.ts'
import { DIM, encoderWeights, initialWeights, WEIGHTS } from './weight-layout.ts'

/** Chosen on the newest tenth of training visits; the benches `quality` and `train` measure them. */
export const ENCODER_DEFAULTS = {
  historyLength: 16,
  iterations: 5,
  batch: 1_024,
  negatives: 2_048,
  peakRate: 4e-3,
  seed: 1,
} as const

/** Share of the validation examples looked at between iterations; the newest ones. */
const MAX_VALIDATION_EXAMPLES = 4_096
/** Deviation of a coordinate at the start: rows of length near 1, so the rate is an angle from the first step. */
const INITIAL_DEVIATION = 0.1

export interface EncoderOptions {
  readonly historyLength?: number
  readonly iterations?: number
  readonly batch?: number
  readonly negatives?: number
  readonly peakRate?: number
  readonly seed?: number
  readonly threads?: number
  readonly dropout?: boolean
  /** Visits not trained on, to follow how it is going. */
  readonly validation?: TrainingData
  /** Stop when HR@20 on `validation` has not risen for so many iterations. */
  readonly patience?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: EncoderProgress) => void
  readonly checkpoints?: Checkpoints
}

export interface EncoderProgress {
  /** Finished iterations, with a fraction for the one under way. */
  readonly iteration: number
  readonly iterations: number
  /** Mean over the iteration so far. */
  readonly loss: number
  /** HR@20 of the encoder alone on the newest validation examples, after the last iteration. */
  readonly hr20: number | undefined
  readonly secondsLeft: number
}

export interface TrainedEncoder {
  /** [N, d], rows of unit length */
  readonly factors: Float32Array
  readonly weights: EncoderWeights
  readonly losses: readonly number[]
  readonly hr20: number | undefined
  readonly mrr20: number | undefined
  /** Iterations the best HR@20 took, where training was stopped early. */
  readonly stoppedAt: number | undefined
}

/**
 * Trains item factors and the query encoder together: softmax with temperature 0.07 over the target and 2,048 negatives
 * shared by a batch, drawn in proportion to (clicks + 1)^0.5 with log-Q correction; dropout 0.2 on the factors; Adam with
 * a one-cycle rate.
 *
 * The same seed and data give the same bits on one host, whatever the number of threads and however often it was
 * interrupted: gradients are summed in a fixed order, and each iteration's random numbers depend only on seed and number.
 *
 * @throws {TrainError} `TRAIN_ABORTED`, `TRAIN_DIVERGED`, `TRAIN_OPTION_INVALID`, `TRAIN_KERNEL_MISSING`
 * @see Bengio & Senécal 2008 and Yi et al. 2019 (log-Q correction)
 */
export async function trainEncoder(
  data: TrainingData,
  options: EncoderOptions = {},
): Promise<TrainedEncoder> {
  const { historyLength, iterations, batch, negatives, peakRate, seed } = { ...ENCODER_DEFAULTS, ...options }
  const threads = options.threads ?? Math.min(8, availableParallelism())
  checkOptions({ historyLength, iterations, batch, negatives, threads })
  const aborted = () => options.signal?.aborted === true
  if (aborted()) {
    throw new TrainError('TRAIN_ABORTED', 'training stopped before it began')
  }
  const examples = examplesOf(data, historyLength)
  const layout = layOut({ items: data.ids.length, batch, negatives, threads })
  const memory = makeMemory(layout.bytes)
  const module = await loadKernels()
  const batches = Math.ceil(examples.target.length / batch)
  const view = (at: number, length: number) => new Float32Array(memory.buffer, at, length)
  const size = layout.items * DIM
  const state = {
    raw: view(layout.raw, size),
    raw_m: view(layout.rawM, size),
    raw_v: view(layout.rawV, size),
    weights: view(layout.weights, WEIGHTS.length),
    weights_m: view(layout.weightsM, WEIGHTS.length),
    weights_v: view(layout.weightsV, WEIGHTS.length),
    last_step: new Uint32Array(memory.buffer, layout.lastStep, layout.items),
  }
  const resumed = options.checkpoints?.load(state)
  const losses: number[] = [...(resumed?.losses ?? [])]
  if (resumed === undefined) {
    const random = createRandom(seed, 0, 0)
    for (let at = 0; at < size; at++) state.raw[at] = random.normal() * INITIAL_DEVIATION
    state.weights.set(initialWeights(random))
  }
  instantiateKernels(module, memory).normaliseRows(layout.raw, layout.unit, layout.inverse, 0, layout.items)

  const control = new Int32Array(new SharedArrayBuffer(CONTROL.length * 4))
  const started = performance.now()
  const first = losses.length
  const hr20s: number[] = [...(resumed?.hr20s ?? [])]
  const mrr20s: number[] = [...(resumed?.mrr20s ?? [])]
  const best = () => hr20s.indexOf(Math.max(...hr20s)) + 1
  const stopped = () => hr20s.length > 0 && hr20s.length - best() >= (options.patience ?? Infinity)
  const report = (iteration: number, loss: number) => {
    const done = iteration - first
    const secondsLeft =
      done <= 0 ? NaN : ((performance.now() - started) / 1_000 / done) * (iterations - iteration)
    options.onProgress?.({ iteration, iterations, loss, hr20: hr20s.at(-1), secondsLeft })
  }
  const workers = Array.from({ length: threads }, (_, thread): EncoderWorkerData => ({
    module,
    memory,
    layout,
    control,
    thread,
    rates: oneCycle(iterations * batches, peakRate),
    options: {
      dropout: options.dropout ?? true,
      trainStrength: data.kinds !== undefined || data.times !== undefined,
    },
    plan: thread === 0 ? { data, examples, seed } : undefined,
    batches,
    historyLength,
  }))
  const crew = startCrew('encoder-worker', workers, (note) => {
    const { iteration, batch: at, loss } = note as { iteration: number; batch: number; loss: number }
    report(iteration + at / batches, loss)
  })
  const abort = () => Atomics.store(control, CONTROL.abort, 1)
  options.signal?.addEventListener('abort', abort)
  try {
    for (let iteration = losses.length; iteration < iterations && !stopped(); iteration++) {
      const answers = await crew.ask<IterationAnswer>({ type: 'iteration', iteration } satisfies EncoderTask)
      if (aborted() || answers.some((answer) => answer.aborted)) {
        throw new TrainError(
          'TRAIN_ABORTED',
          `training stopped in iteration ${iteration + 1} of ${iterations}`,
        )
      }
      const loss = answers[0]?.loss ?? NaN
      if (!Number.isFinite(loss)) {
        throw new TrainError(
          'TRAIN_DIVERGED',
          `iteration ${iteration + 1}: loss is ${loss}; a lower rate than ${peakRate} may help`,
        )
      }
      losses.push(loss)
      if (options.validation !== undefined) {
        const task = newest(options.validation, historyLength)
        const totals = await crew.ask<EvaluateAnswer>({ type: 'evaluate', ...task } satisfies EncoderTask)
        const sum = (name: keyof EvaluateAnswer) => totals.reduce((total, part) => total + part[name], 0)
        if (sum('queries') > 0) {
          hr20s.push(sum('hits') / sum('queries'))
          mrr20s.push(sum('reciprocalRanks') / sum('queries'))
        }
      }
      options.checkpoints?.save(state, { losses, hr20s, mrr20s })
      report(iteration + 1, loss)
    }
  } finally {
    options.signal?.removeEventListener('abort', abort)
    await crew.close()
  }
  const kinds = new Set(data.kinds ?? [0])
  return {
    factors: view(layout.unit, size).slice(),
    weights: encoderWeights(state.weights, historyLength, (kind) => kinds.has(kind)),
    losses,
    hr20: hr20s.at(-1),
    mrr20: mrr20s.at(-1),
    stoppedAt: stopped() ? best() : undefined,
  }
}

/** The newest examples of held-out visits, enough to see where training is going. */
function newest(data: TrainingData, historyLength: number) {
  const { target, start } = examplesOf(data, historyLength)
  const from = Math.max(0, target.length - MAX_VALIDATION_EXAMPLES)
  return { data, examples: { target: target.slice(from), start: start.slice(from) } }
}

function checkOptions(
  options: Record<'historyLength' | 'iterations' | 'batch' | 'negatives' | 'threads', number>,
): void {
  const ranges = {
    historyLength: [1, 16],
    iterations: [1, 1_000],
    batch: [1, 8_192],
    negatives: [64, 8_192],
    threads: [1, 64],
  } as const
  for (const name of Object.keys(ranges) as (keyof typeof ranges)[]) {
    const [low, high] = ranges[name]
    const value = options[name]
    if (
      !Number.isInteger(value) ||
      value < low ||
      value > high ||
      (name === 'negatives' && value % 64 !== 0)
    ) {
      const wanted = `${name === 'negatives' ? 'a multiple of 64' : 'a whole number'} from ${low} to ${high}`
      throw new TrainError('TRAIN_OPTION_INVALID', `option ${name}: expected ${wanted}, received ${value}`)
    }
  }
}
