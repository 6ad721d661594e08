import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { modelOf, readArtifact } from '../artifact/folder.ts'
import type { HeldOut } from '../gate/held-out.ts'
import { oldestVisits, type TrainingData } from '../train/data.ts'
import { loadSessions } from '../train/load-sessions.ts'
import { trainLocal, type TrainOptions, type TrainProgress } from '../train/train-local.ts'
import type { TrainedModel, ValidationMetrics } from '../train/trained-model.ts'
import { foldersOf, stepsOf, type SparkPlan } from './steps.ts'
import { reportIn, type SparkEvent, type Submitter } from './submitter.ts'

export interface TrainerOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: TrainProgress) => void
}

export interface Trained {
  readonly model: TrainedModel
  /** Newest visits that were kept away from training, to compare models on. */
  readonly heldOut: HeldOut | undefined
  /** When the newest visit ended, ISO 8601; undefined where only the caller knows. */
  readonly through: string | undefined
}

/** What makes a model out of visits. Adapters: this process, and Spark. */
export interface Trainer {
  /** With version, for the manifest: `local/0.1.0`. */
  readonly name: string
  train(options?: TrainerOptions): Promise<Trained>
}

export interface LocalTrainerOptions extends TrainOptions {
  /** The newest of the visits, to be kept away from training; absent: none. */
  readonly heldOut?: HeldOut
}

/** Trains in this process. */
export function localTrainer(
  data: TrainingData,
  { heldOut, ...settings }: LocalTrainerOptions = {},
): Trainer {
  return {
    name: 'local/0.1.0',
    train: async (options = {}) => {
      const older =
        heldOut === undefined ? data : oldestVisits(data, data.offsets.length - heldOut.visits.offsets.length)
      return { model: await trainLocal(older, { ...settings, ...options }), heldOut, through: undefined }
    },
  }
}

export interface SparkTrainerOptions {
  readonly submitter: Submitter
  readonly plan: SparkPlan
  /** What a job says besides how training goes. */
  readonly onEvent?: (event: SparkEvent) => void
}

/**
 * Runs prepare, train and export on Spark and brings the artifact here, every file checked against its digest.
 *
 * @throws {SparkError} every code
 */
export function sparkTrainer({ submitter, plan, onEvent }: SparkTrainerOptions): Trainer {
  return {
    name: 'spark/0.1.0',
    train: async ({ signal, onProgress } = {}) => {
      await submitter.run(stepsOf(plan), {
        ...(signal && { signal }),
        onEvent: (event) => {
          const progress = event.type === 'line' ? progressIn(event.line) : undefined
          if (progress !== undefined) onProgress?.(progress)
          else onEvent?.(event)
        },
      })
      const folder = await mkdtemp(join(tmpdir(), 'attune-spark-'))
      try {
        await submitter.collect(foldersOf(plan).artifact, folder, signal)
        const artifact = await readArtifact(folder)
        const gate = artifact.manifest.gate ?? {}
        // Whether the serving epoch has seen some of them is not known here; if so, the comparison is the stricter.
        const heldOut =
          (plan.heldOut ?? 0) > 0
            ? { visits: await loadSessions(join(folder, 'held-out')), seen: false }
            : undefined
        const through = gate['through']
        return {
          model: { ...modelOf(artifact), metrics: metricsIn(gate) },
          heldOut,
          through: typeof through === 'string' ? through : undefined,
        }
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  }
}

function metricsIn(gate: Readonly<Record<string, unknown>>): ValidationMetrics | undefined {
  const { prefixes, hr20, mrr20, hr20EncoderOnly, mrr20EncoderOnly } = gate as Partial<ValidationMetrics>
  if ([prefixes, hr20, mrr20, hr20EncoderOnly, mrr20EncoderOnly].some((value) => typeof value !== 'number'))
    return undefined
  return { prefixes, hr20, mrr20, hr20EncoderOnly, mrr20EncoderOnly } as ValidationMetrics
}

/** How training goes, from a line a job printed; undefined for other lines. */
export function progressIn(line: string): TrainProgress | undefined {
  const report = reportIn(line)
  const { phase, iteration, iterations } = report ?? {}
  if (report === undefined || iteration === undefined || iterations === undefined) return undefined
  if (phase !== 'encoder' && phase !== 'rebuild') return undefined
  return {
    phase,
    iteration,
    iterations,
    loss: report.loss ?? undefined,
    hr20: report.hr20 ?? undefined,
    secondsLeft: undefined,
  }
}
