import { availableParallelism } from 'node:os'
import { metrics, type RankingMetrics, type RankingTotals } from '@attune/core/evaluate'
import type { TestPrefixes } from './load-sessions.ts'
import type { EvaluateTask, EvaluateTotals, RankingWorkerData } from './ranking-worker.ts'
import { shareModel } from './shared-model.ts'
import { startCrew, type Crew } from './threads.ts'
import type { TrainedModel } from './trained-model.ts'

export interface Evaluation extends RankingMetrics {
  /** The exact nearest by the encoder's query alone, without neighbours and ranker. */
  readonly encoderOnly: RankingMetrics
  /** Mean number of candidates the ranker scored. */
  readonly candidates: number
}

/**
 * Ranks for every prefix through core's serving pipeline (int8 scan, candidates, features, ranker) and looks where the
 * click that really came next ended up. A target the model does not know is a miss. About 1 ms a prefix and thread.
 *
 * @param options.k - length of the list; 20 in the published results
 */
export async function evaluateModel(
  model: TrainedModel,
  prefixes: TestPrefixes,
  options: { readonly threads?: number; readonly k?: number } = {},
): Promise<Evaluation> {
  const crew = startRankingCrew(model, options.threads ?? Math.min(8, availableParallelism()))
  try {
    return await evaluateOn(crew, model, prefixes, options.k ?? 20)
  } finally {
    await crew.close()
  }
}

/** Threads that share one model. */
export function startRankingCrew(model: TrainedModel, threads: number): Crew {
  const shared = shareModel(model)
  return startCrew(
    'ranking-worker',
    Array.from({ length: threads }, (_, thread): RankingWorkerData => ({ model: shared, thread, threads })),
  )
}

/** @param model - the one `crew` was started with; only its weights may differ */
export async function evaluateOn(
  crew: Crew,
  model: TrainedModel,
  prefixes: TestPrefixes,
  k: number,
): Promise<Evaluation> {
  const task: EvaluateTask = { type: 'evaluate', weights: model.weights, prefixes, k }
  const parts = await crew.ask<EvaluateTotals>(task)
  const ranked = metrics(sum(parts.map((part) => part.ranked)))
  const candidates = parts.reduce((total, part) => total + part.candidates, 0)
  return {
    ...ranked,
    encoderOnly: metrics(sum(parts.map((part) => part.encoderOnly))),
    candidates: ranked.queries === 0 ? 0 : candidates / ranked.queries,
  }
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
