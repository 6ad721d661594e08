import { HISTORY_KINDS } from '@attune/core'
import type { Golden } from '@attune/core/artifact'
import {
  CandidateSet,
  coreEngine,
  encoderInput,
  rankerInput,
  rankHistory,
  type HistoryRows,
  type ServingModel,
  type StandardWeights,
} from '@attune/core/rank'
import { TrainError } from './errors.ts'

/** Where a golden vector starts: items as ids, oldest first. */
export interface GoldenHistory {
  readonly items: readonly string[]
}

export const GOLDEN_VECTORS = 8
const TOP = 20
/** Candidates in a vector of the ranker: enough to see every path of the graph, few enough to keep the file small. */
const RANKER_CANDIDATES = 24
/** Neighbouring scores of a golden list are further apart than this, so that rounding cannot reorder it. */
const CLEAR_GAP = 1e-3
/** Every other vector has steps of other kinds, a quarter of an hour apart, so that strengths and decay are tested. */
const STEP_HOURS = 0.25
const HOUR_MS = 3_600_000

/**
 * Inputs and outputs of core's TypeScript encoder and ranker that every other engine must reproduce.
 *
 * @param histories - at least 8 whose items are known; lists with near ties are cut before the first tie
 * @throws {TrainError} `TRAIN_GOLDEN_TOO_FEW`
 */
export async function makeGolden(
  model: ServingModel,
  weights: StandardWeights,
  histories: readonly GoldenHistory[],
): Promise<Golden> {
  const engine = coreEngine(weights)
  const scratch = new CandidateSet()
  const encoder: Golden['encoder'][number][] = []
  const ranker: Golden['ranker'][number][] = []
  const lists: Golden['rank'][number][] = []
  for (const { items } of histories) {
    const known = items.filter((id) => model.rowOf(id) !== undefined).slice(-model.manifest.historyLength)
    if (known.length === 0) continue
    const index = encoder.length
    const varied = index % 2 === 1
    const kinds = known.map((_, step) => (varied ? (step + index) % HISTORY_KINDS.length : 0))
    const ages = known.map((_, step) => (varied ? (known.length - 1 - step) * STEP_HOURS : 0))
    const zeros = known.map(() => 0)
    const query = await engine.encode(encoderInput(model, rows(model, known, kinds, ages)))
    encoder.push({ items: known, kinds, ages, query: Array.from(query) })

    const plain = rows(model, known, zeros, zeros)
    const prepared = await rankerInput(model, plain, engine, undefined, [], scratch)
    const count = Math.min(RANKER_CANDIDATES, prepared.count)
    const width = prepared.features.length / prepared.count
    const features = prepared.features.slice(0, count * width)
    const scores = await engine.score({
      ...prepared,
      count,
      features,
      candidates: prepared.candidates.slice(0, count * model.dim),
    })
    ranker.push({
      items: known,
      candidates: Array.from(prepared.rows.subarray(0, count), (row) => id(model, row)),
      features: Array.from({ length: count }, (_, place) =>
        Array.from(features.subarray(place * width, (place + 1) * width)),
      ),
      context: Array.from(prepared.context),
      scores: Array.from(scores),
    })

    const now = 1e12
    const history = known.map((item, step) => ({
      item,
      kind: HISTORY_KINDS[kinds[step] ?? 0] ?? 'click',
      at: now - (ages[step] ?? 0) * HOUR_MS,
    }))
    const ranked = await rankHistory(model, { history, k: TOP + 1 }, engine, scratch)
    const clear = ranked.scores.findIndex(
      (score, place) => place > 0 && (ranked.scores[place - 1] ?? score) - score < CLEAR_GAP,
    )
    const length = Math.min(TOP, clear < 0 ? ranked.rows.length : clear - 1)
    lists.push({
      history: known.map((item, step) => ({ item, kind: kinds[step] ?? 0, age: ages[step] ?? 0 })),
      top: ranked.rows.slice(0, length).map((row) => id(model, row)),
    })
  }
  if (encoder.length < GOLDEN_VECTORS) {
    throw new TrainError(
      'TRAIN_GOLDEN_TOO_FEW',
      `golden vectors: expected at least ${GOLDEN_VECTORS} histories with a known item, received ${encoder.length}`,
    )
  }
  // Longest lists first: where the data has 8 without near ties, those are the ones kept.
  const rank = lists
    .filter(({ top }) => top.length > 0)
    .sort((a, b) => b.top.length - a.top.length)
    .slice(0, GOLDEN_VECTORS)
  if (rank.length < GOLDEN_VECTORS) {
    throw new TrainError(
      'TRAIN_GOLDEN_TOO_FEW',
      `golden vectors: expected ${GOLDEN_VECTORS} lists with a clear first place, received ${rank.length}`,
    )
  }
  return { encoder: encoder.slice(0, GOLDEN_VECTORS), ranker: ranker.slice(0, GOLDEN_VECTORS), rank }
}

function rows(model: ServingModel, items: readonly string[], kinds: number[], ages: number[]): HistoryRows {
  return { rows: items.map((item) => model.rowOf(item) ?? 0), kinds, ages, visitStart: 0 }
}

function id(model: ServingModel, row: number): string {
  return model.ids[row] ?? ''
}
