import { availableParallelism } from 'node:os'
import { metrics, type RankingMetrics, type RankingTotals } from '@attune/core/evaluate'
import type { TestPrefixes } from './load-sessions.ts'
import type { EvaluateTask, EvaluateTotals, RankingNote, RankingWorkerData } from './ranking-worker.ts'
import { encoderOnnx, rankerOnnx } from './onnx.ts'
import { shareModel } from './shared-model.ts'
import { startCrew, type Crew } from './threads.ts'
import type { TrainedModel } from './trained-model.ts'

export interface Evaluation extends RankingMetrics {
  /** The exact nearest by the encoder's query alone, without neighbours and ranker. */
  readonly encoderOnly: RankingMetrics
  /** Mean number of candidates the ranker scored. */
  readonly candidates: number
  /** Median time from history to list on one thread, microseconds. */
  readonly medianUs: number
  /** `[P, k]`: rows of the model shown for each prefix, `NO_ITEM` where a list ends early; empty unless asked for. */
  readonly lists: Uint32Array
}

export interface EvaluateOptions {
  readonly threads?: number
  /** Length of the list; 20, as in the published results. */
  readonly k?: number
  /** `core`: TypeScript; `ort`: the artifact's ONNX files in onnxruntime-web, as edges serve. */
  readonly engine?: 'core' | 'ort'
  /** Keep every list; false when absent. */
  readonly keepLists?: boolean
  /** Told now and then how many prefixes are ranked. */
  readonly onProgress?: (ranked: number, prefixes: number) => void
}

/**
 * Ranks for every prefix through core's serving pipeline (int8 scan, candidates, features, ranker) and looks where the
 * click that really came next ended up. A target the model does not know is a miss. About 1 ms a prefix and thread.
 */
export async function evaluateModel(
  model: TrainedModel,
  prefixes: TestPrefixes,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  let ranked = 0
  const crew = startRankingCrew(
    model,
    options.threads ?? Math.min(8, availableParallelism()),
    ({ ranked: more }) => {
      ranked += more
      options.onProgress?.(ranked, prefixes.targets.length)
    },
  )
  try {
    return await evaluateOn(crew, model, prefixes, options)
  } finally {
    await crew.close()
  }
}

/** Threads that share one model. */
export function startRankingCrew(
  model: TrainedModel,
  threads: number,
  onNote?: (note: RankingNote) => void,
): Crew {
  const shared = shareModel(model)
  return startCrew(
    'ranking-worker',
    Array.from({ length: threads }, (_, thread): RankingWorkerData => ({ model: shared, thread, threads })),
    (note) => onNote?.(note as RankingNote),
  )
}

/** @param model - the one `crew` was started with; only its weights may differ */
export async function evaluateOn(
  crew: Crew,
  model: TrainedModel,
  prefixes: TestPrefixes,
  { k = 20, engine = 'core', keepLists = false }: EvaluateOptions = {},
): Promise<Evaluation> {
  const { weights, dim } = model
  const onnx =
    engine === 'core'
      ? undefined
      : { encoder: encoderOnnx(weights.encoder), ranker: rankerOnnx(weights.ranker, dim) }
  const task: EvaluateTask = { type: 'evaluate', weights, prefixes, k, onnx, keepLists }
  const parts = await crew.ask<EvaluateTotals>(task)
  const ranked = metrics(sum(parts.map((part) => part.ranked)))
  const candidates = parts.reduce((total, part) => total + part.candidates, 0)
  return {
    ...ranked,
    encoderOnly: metrics(sum(parts.map((part) => part.encoderOnly))),
    candidates: ranked.queries === 0 ? 0 : candidates / ranked.queries,
    medianUs: 1_000 * median(parts.flatMap((part) => Array.from(part.durations))),
    lists: interleave(
      parts.map(({ lists }) => lists),
      k,
    ),
  }
}

/** Lists of every thread, which took prefixes in turn → all in the order of prefixes. */
function interleave(parts: readonly Uint32Array[], k: number): Uint32Array {
  const all = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0))
  for (let at = 0; at < all.length; at += k) {
    const [thread, place] = [(at / k) % parts.length, Math.floor(at / k / parts.length)]
    all.set(parts[thread]?.subarray(place * k, (place + 1) * k) ?? [], at)
  }
  return all
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
}

function sum(parts: readonly RankingTotals[]): RankingTotals {
  const total = { queries: 0, hits: 0, reciprocalRanks: 0, gains: 0 }
  for (const part of parts) {
    total.queries += part.queries
    total.hits += part.hits
    total.reciprocalRanks += part.reciprocalRanks
    total.gains += part.gains
  }
  return total
}
