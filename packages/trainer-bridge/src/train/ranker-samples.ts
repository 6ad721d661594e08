import { CodedError } from '@attune/core'
import {
  type CandidateSet,
  CONTEXT,
  FEATURES,
  MAX_RETRIEVED,
  rankerInput,
  type HistoryRows,
  type RankEngine,
  type ServingModel,
} from '@attune/core/rank'
import type { TrainingData } from './data.ts'
import type { WasmMemory } from './kernels.ts'

/** Inputs that differ between candidates: cosine, its gap to the best, features; padded to whole vectors. */
export const INPUTS: number = 2 + FEATURES
export const PADDED_INPUTS: number = Math.ceil(INPUTS / 4) * 4

/**
 * Where the samples of the ranker lie in shared memory: a row of inputs for every candidate, in the order threads
 * finished; `starts`, `counts` and `targets` say whose they are. S samples.
 */
export interface SampleLayout {
  readonly samples: number
  readonly rows: number
  readonly starts: number
  readonly counts: number
  /** i32: place of the target among the candidates, −1 where it is not one. */
  readonly targets: number
  readonly contexts: number
  /** Rows handed out so far, one u32. */
  readonly next: number
  /** Space for what the kernel needs besides. */
  readonly scratch: number
  readonly bytes: number
}

const SCRATCH_BYTES = 512 * 1_024

/** Reserves for the most candidates there can be; pages never written cost nothing. */
export function layOutSamples(samples: number): SampleLayout {
  let end = 1_024
  const take = (bytes: number): number => {
    const at = end
    end = Math.ceil((end + bytes) / 64) * 64
    return at
  }
  const offsets = {
    next: take(4),
    starts: take(samples * 4),
    counts: take(samples * 4),
    targets: take(samples * 4),
    contexts: take(samples * CONTEXT * 4),
    scratch: take(SCRATCH_BYTES),
    rows: take(samples * MAX_RETRIEVED * PADDED_INPUTS * 4),
  }
  return { samples, ...offsets, bytes: end }
}

/** Typed views of the samples. */
export interface SampleViews {
  readonly next: Uint32Array
  readonly starts: Uint32Array
  readonly counts: Uint32Array
  readonly targets: Int32Array
  readonly contexts: Float32Array
  readonly rows: Float32Array
}

export function sampleViews(memory: WasmMemory, layout: SampleLayout): SampleViews {
  const { buffer } = memory
  return {
    next: new Uint32Array(buffer, layout.next, 1),
    starts: new Uint32Array(buffer, layout.starts, layout.samples),
    counts: new Uint32Array(buffer, layout.counts, layout.samples),
    targets: new Int32Array(buffer, layout.targets, layout.samples),
    contexts: new Float32Array(buffer, layout.contexts, layout.samples * CONTEXT),
    rows: new Float32Array(buffer, layout.rows, layout.samples * MAX_RETRIEVED * PADDED_INPUTS),
  }
}

/** What serving would know of a visit before the click at `target`. */
export function historyBefore(data: TrainingData, start: number, target: number): HistoryRows {
  const steps = target - start
  const rows = Array.from({ length: steps }, (_, step) => data.rows[start + step]!)
  const kinds = Array.from({ length: steps }, (_, step) => data.kinds?.[start + step] ?? 0)
  const { times } = data
  const ages = Array.from({ length: steps }, (_, step) =>
    times === undefined ? 0 : Math.max(0, (times[target - 1]! - times[start + step]!) / 3_600_000),
  )
  return { rows, kinds, ages, visitStart: 0 }
}

/**
 * Fills in sample `index`: the candidates that core's own pipeline retrieves, with core's own features.
 *
 * @param start - place of the oldest step in the data; `target` that of the click to be predicted
 */
export async function prepareSample(
  model: ServingModel,
  engine: RankEngine,
  data: TrainingData,
  example: { readonly start: number; readonly target: number },
  index: number,
  views: SampleViews,
  scratch: CandidateSet,
): Promise<void> {
  const history = historyBefore(data, example.start, example.target)
  const input = await rankerInput(model, history, engine, undefined, [], scratch)
  if (input.count > MAX_RETRIEVED) {
    throw new CodedError(
      'TRAIN_TOO_MANY_CANDIDATES',
      `retrieve: expected ${MAX_RETRIEVED}, received ${input.count}`,
    )
  }
  const start = Atomics.add(views.next, 0, input.count)
  views.starts[index] = start
  views.counts[index] = input.count
  views.targets[index] = input.rows.indexOf(data.rows[example.target]!)
  views.contexts.set(input.context, index * CONTEXT)
  const { dim } = model
  let best = -Infinity
  for (let place = 0; place < input.count; place++) {
    let cosine = 0
    for (let c = 0; c < dim; c++) cosine += input.candidates[place * dim + c]! * input.query[c]!
    const at = (start + place) * PADDED_INPUTS
    views.rows[at] = cosine
    best = Math.max(best, views.rows[at]!)
    for (let f = 0; f < FEATURES; f++) views.rows[at + 2 + f] = input.features[place * FEATURES + f]!
  }
  for (let place = 0; place < input.count; place++) {
    const at = (start + place) * PADDED_INPUTS
    views.rows[at + 1] = views.rows[at]! - best
  }
}
