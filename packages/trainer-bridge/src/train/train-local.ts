import { availableParallelism } from 'node:os'
import { folderCheckpoints, trainingKey, type Checkpoints } from './checkpoint.ts'
import { checkData, sliceVisits, type TrainingData } from './data.ts'
import { TEMPERATURE } from './encoder-pass.ts'
import { TrainError } from './errors.ts'
import { cosineRanker } from './ranker-fit.ts'
import { buildTables } from './tables.ts'
import { buildTogether } from './together.ts'
import { ENCODER_DEFAULTS, trainEncoder, type EncoderProgress } from './train-encoder.ts'
import { trainRanker } from './train-ranker.ts'
import type { TrainedModel } from './trained-model.ts'
import { DIM } from './weight-layout.ts'

export interface TrainOptions {
  /** Width of factors; the kernels know 64. */
  readonly dim?: 64
  /** Clicks the encoder looks at, at most 16. */
  readonly historyLength?: number
  /** Neighbours kept a row, K. */
  readonly neighbours?: number
  /** Passes over the examples. */
  readonly iterations?: number
  /**
   * Iterations without a better HR@20 on held-out visits after which the encoder's training stops; 2. The rebuild then
   * makes as many as the best took.
   */
  readonly patience?: number
  readonly seed?: number
  readonly threads?: number
  /** Newest share of visits held out to fit and measure the ranker, before everything is trained again on all. */
  readonly validation?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: TrainProgress) => void
  /** Where to keep what is needed to go on after a kill; emptied when done. */
  readonly checkpointFolder?: string
}

export interface TrainProgress {
  /** `encoder`: on the older visits; `ranker`: on the newest; `rebuild`: the encoder again, on all. */
  readonly phase: 'encoder' | 'ranker' | 'rebuild'
  /** Finished iterations of the phase, with a fraction for the one under way. */
  readonly iteration: number
  readonly iterations: number
  /** Mean over the iteration; undefined while the ranker is fitted. */
  readonly loss: number | undefined
  /** HR@20 on held-out visits: of the encoder alone, from the rebuild on of the whole. */
  readonly hr20: number | undefined
  /** For everything that is left; undefined until it can be told. */
  readonly secondsLeft: number | undefined
}

const MIN_VISITS = 20
/** What fitting the ranker takes, as a share of training the encoder once; only for the time left. */
const RANKER_SHARE = 0.4

/**
 * Trains a whole model on this machine: encoder and tables on the older visits, the ranker on the newest, which they have
 * not seen, then encoder and tables again on everything.
 *
 * The same data, options and seed give the same bits on one host, also after a kill and a resume from
 * `checkpointFolder`, and with any number of threads.
 *
 * @throws {TrainError} every code of {@link TrainErrorCode}
 */
export async function trainLocal(data: TrainingData, options: TrainOptions = {}): Promise<TrainedModel> {
  checkData(data)
  const { validation, neighbours, seed, iterations, historyLength, patience, threads } = settings(options)
  const visits = data.offsets.length - 1
  if (visits < MIN_VISITS) {
    throw new TrainError(
      'TRAIN_DATA_TOO_SMALL',
      `training data: expected at least ${MIN_VISITS} visits, received ${visits}`,
    )
  }
  const cut = Math.min(visits - 1, Math.round(visits * (1 - validation)))
  const older = sliceVisits(data, 0, cut)
  const newer = sliceVisits(data, cut, visits)
  checkData(older)
  const key =
    options.checkpointFolder && trainingKey(data, { validation, seed, iterations, historyLength, patience })
  const checkpoints = (name: string): Checkpoints | undefined =>
    key && options.checkpointFolder ? folderCheckpoints(options.checkpointFolder, name, key) : undefined
  const [first, second] = [checkpoints('encoder-older'), checkpoints('encoder-all')]

  let perIteration: number | undefined
  let hr20: number | undefined
  const report = (phase: 'encoder' | 'rebuild') => (progress: EncoderProgress) => {
    const left = progress.secondsLeft
    const remaining = progress.iterations - progress.iteration
    if (remaining > 0 && Number.isFinite(left)) perIteration = left / remaining
    const after =
      phase === 'encoder' && perIteration !== undefined
        ? perIteration * iterations * (RANKER_SHARE + 1 / (1 - validation))
        : 0
    if (phase === 'encoder') hr20 = progress.hr20
    options.onProgress?.({
      phase,
      iteration: progress.iteration,
      iterations,
      loss: progress.loss,
      hr20,
      secondsLeft: perIteration === undefined ? undefined : remaining * perIteration + after,
    })
  }
  const shared = {
    historyLength,
    iterations,
    seed,
    threads,
    ...(options.signal && { signal: options.signal }),
  }
  const trained = await trainEncoder(older, {
    ...shared,
    validation: newer,
    patience,
    onProgress: report('encoder'),
    ...(first && { checkpoints: first }),
  })
  const assemble = (
    parts: Pick<TrainedModel, 'factors' | 'tables' | 'weights' | 'metrics'>,
  ): TrainedModel => ({
    ids: data.ids,
    dim: DIM,
    historyLength,
    neighbours,
    temperature: TEMPERATURE,
    ...parts,
  })
  options.onProgress?.({
    phase: 'ranker',
    iteration: 0,
    iterations: 1,
    loss: undefined,
    hr20,
    secondsLeft: perIteration && perIteration * iterations * (RANKER_SHARE + 1 / (1 - validation)),
  })
  const ranker = await trainRanker(
    assemble({
      factors: trained.factors,
      tables: buildTables(older, neighbours),
      weights: { encoder: trained.weights, ranker: cosineRanker() },
      metrics: undefined,
    }),
    newer,
    { seed, threads, ...(options.signal && { signal: options.signal }) },
  )
  hr20 = ranker.metrics?.hr20 ?? hr20
  const rebuilt = await trainEncoder(data, {
    ...shared,
    iterations: trained.stoppedAt ?? iterations,
    onProgress: report('rebuild'),
    ...(second && { checkpoints: second }),
  })
  const together = buildTogether(data)
  const model = assemble({
    factors: rebuilt.factors,
    tables: { ...buildTables(data, neighbours), ...(together && { together }) },
    weights: { encoder: rebuilt.weights, ranker: ranker.weights },
    metrics: ranker.metrics,
  })
  first?.remove()
  second?.remove()
  return model
}

function settings(options: TrainOptions) {
  const chosen = {
    validation: options.validation ?? 0.1,
    neighbours: options.neighbours ?? 100,
    seed: options.seed ?? ENCODER_DEFAULTS.seed,
    iterations: options.iterations ?? ENCODER_DEFAULTS.iterations,
    patience: options.patience ?? 2,
    historyLength: options.historyLength ?? ENCODER_DEFAULTS.historyLength,
    threads: options.threads ?? Math.min(8, availableParallelism()),
  }
  const { validation, neighbours, patience } = chosen
  const bad = (name: string, expected: string, received: unknown) =>
    new TrainError(
      'TRAIN_OPTION_INVALID',
      `option ${name}: expected ${expected}, received ${String(received)}`,
    )
  if (!(validation >= 0.01 && validation <= 0.5))
    throw bad('validation', 'a share from 0.01 to 0.5', validation)
  if (!Number.isInteger(neighbours) || neighbours < 1 || neighbours > 1_024) {
    throw bad('neighbours', 'a whole number from 1 to 1,024', neighbours)
  }
  if (!Number.isInteger(patience) || patience < 1) throw bad('patience', 'a whole number from 1', patience)
  if (options.dim !== undefined && options.dim !== DIM) throw bad('dim', `${DIM}`, options.dim)
  return chosen
}
