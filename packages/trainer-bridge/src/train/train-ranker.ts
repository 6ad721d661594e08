import type { RankerWeights } from '@attune/core/rank'
import { examplesOf, sliceVisits, type TrainingData } from './data.ts'
import { TrainError } from './errors.ts'
import { evaluateOn, startRankingCrew } from './evaluate.ts'
import { loadKernels, makeMemory } from './kernels.ts'
import type { TestPrefixes } from './load-sessions.ts'
import { createRandom, shuffle } from './random.ts'
import { cosineRanker, measureInputs, standardise } from './ranker-fit.ts'
import { layOutSamples } from './ranker-samples.ts'
import type { Examples, FitTask, PrepareTask } from './ranking-worker.ts'
import type { TrainedModel, ValidationMetrics } from './trained-model.ts'

/** More samples than this change nothing that can be measured; 25,000 with 350 candidates are 560 MB. */
const MAX_SAMPLES = 25_000
/** Held-out visits the ranker is first fitted without, to see what the whole is worth. */
const MEASURED_SHARE = 0.2
const MAX_MEASURED_PREFIXES = 4_096

export interface RankerTraining {
  readonly weights: RankerWeights
  readonly metrics: ValidationMetrics | undefined
  readonly losses: readonly number[]
}

/**
 * Trains the ranker on visits that factors, encoder and tables have not seen: candidates and features come from core's
 * serving pipeline. Fitted twice: without the newest fifth of the visits, which measure it, then on all of them.
 *
 * @param model - trained on everything before `data`; its ranker is not used
 * @param data - held-out visits, the ids of the model
 */
export async function trainRanker(
  model: TrainedModel,
  data: TrainingData,
  options: { readonly seed: number; readonly threads: number; readonly signal?: AbortSignal },
): Promise<RankerTraining> {
  const { seed, threads, signal } = options
  const visits = data.offsets.length - 1
  const cut = Math.max(1, Math.round(visits * (1 - MEASURED_SHARE)))
  const { examples, early } = chooseSamples(data, model.historyLength, data.offsets[cut]!, seed)
  const layout = layOutSamples(examples.target.length)
  const memory = makeMemory(layout.bytes)
  const module = await loadKernels()
  const crew = startRankingCrew(model, threads)
  const abort = () =>
    void crew.close(new TrainError('TRAIN_ABORTED', 'training stopped while fitting the ranker'))
  signal?.addEventListener('abort', abort)
  try {
    if (signal?.aborted === true) abort()
    await crew.ask({
      type: 'prepare',
      weights: model.weights,
      data,
      examples,
      memory,
      layout,
    } satisfies PrepareTask)
    const scale = measureInputs(memory, layout)
    standardise(memory, layout, scale)
    const fit = async (samples: Uint32Array) => {
      const task: FitTask = { type: 'fit', module, memory, layout, samples, scale, options: { seed } }
      const [fitted] = await crew.ask<{ weights: RankerWeights; losses: number[] } | null>(task)
      return fitted ?? { weights: cosineRanker(model.temperature), losses: [] }
    }
    const first = await fit(early)
    const prefixes = prefixesOf(sliceVisits(data, cut, visits), MAX_MEASURED_PREFIXES)
    const measured = await evaluateOn(
      crew,
      { ...model, weights: { ...model.weights, ranker: first.weights } },
      prefixes,
    )
    const all = await fit(Uint32Array.from({ length: layout.samples }, (_, sample) => sample))
    return {
      ...all,
      metrics:
        measured.queries === 0
          ? undefined
          : {
              prefixes: measured.queries,
              hr20: measured.hr,
              mrr20: measured.mrr,
              hr20EncoderOnly: measured.encoderOnly.hr,
              mrr20EncoderOnly: measured.encoderOnly.mrr,
            },
    }
  } finally {
    signal?.removeEventListener('abort', abort)
    await crew.close()
  }
}

/** A seeded choice of examples in time order, and which of them lie before `cut`. */
function chooseSamples(data: TrainingData, historyLength: number, cut: number, seed: number) {
  const all = examplesOf(data, historyLength)
  const order = Uint32Array.from(all.target, (_, index) => index)
  shuffle(order, createRandom(seed, 6))
  const chosen = order.slice(0, MAX_SAMPLES).sort()
  const examples: Examples = {
    start: chosen.map((index) => all.start[index]!),
    target: chosen.map((index) => all.target[index]!),
  }
  const early = Uint32Array.from(chosen, (_, sample) => sample).filter(
    (sample) => examples.target[sample]! < cut,
  )
  return { examples, early }
}

/** The newest prefixes of visits, as an evaluation wants them. */
export function prefixesOf(data: TrainingData, limit: number): TestPrefixes {
  const { start, target } = examplesOf(data, data.rows.length)
  const from = Math.max(0, target.length - limit)
  const places = Array.from(target.subarray(from), (end, index) => ({ begin: start[from + index]!, end }))
  const { kinds, times } = data
  return {
    histories: places.map(({ begin, end }) =>
      Array.from(data.rows.subarray(begin, end), (row) => data.ids[row] ?? ''),
    ),
    targets: places.map(({ end }) => data.ids[data.rows[end]!] ?? ''),
    ...(kinds && { kinds: places.map(({ begin, end }) => Array.from(kinds.subarray(begin, end))) }),
    ...(times && { times: places.map(({ begin, end }) => Array.from(times.subarray(begin, end))) }),
  }
}
