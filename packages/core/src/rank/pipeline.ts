import { CodedError } from '../error.ts'
import { HISTORY_KINDS, visitStart, type HistoryItem } from '../event/history.ts'
import type { EngineName } from '../wire.ts'
import { encode, type EncoderInput } from './encode.ts'
import { computeFeatures, FEATURES, type HistoryRows } from './features.ts'
import type { RowFilter } from './filter.ts'
import { gatherRows } from './matrix.ts'
import type { ServingModel } from './model.ts'
import {
  allowedRows,
  planFor,
  retrieve,
  WIDE_PLAN,
  type CandidateSet,
  type RetrievalPlan,
} from './retrieve.ts'
import { score, type RankerInput } from './score.ts'
import { topK } from './top-k.ts'
import type { StandardWeights } from './weights.ts'

/** Who runs the two graphs. Answers may come later; inputs are not touched meanwhile. */
export interface RankEngine {
  readonly name: EngineName
  /** → query `[d]`, unit length */
  encode(input: EncoderInput): Float32Array | Promise<Float32Array>
  /** → scores `[n]` */
  score(input: RankerInput): Float32Array | Promise<Float32Array>
}

/** The engine that needs no ONNX: core's own TypeScript. */
export function coreEngine(weights: StandardWeights): RankEngine {
  return {
    name: 'core',
    encode: (input) => encode(input, weights.encoder),
    score: (input) => score(input, weights.ranker),
  }
}

const DAY_MS = 86_400_000

/** Steps looked at; the encoder sees the newest L of them. */
export const MAX_HISTORY_STEPS = 50

export interface RankQuery {
  /** Oldest first. */
  readonly history: readonly HistoryItem[]
  /** Rows to choose from; absent: the whole catalogue. */
  readonly candidates?: readonly number[]
  /** Rows never to be shown. */
  readonly exclude?: readonly number[]
  /** Which rows may be shown at all; absent: all that were not deleted. */
  readonly filter?: RowFilter
  /** How many are wanted. */
  readonly k: number
  /** How many are handed on to rules, when more than are wanted. */
  readonly keep?: number
  /** Added to the score of a row, before the best are taken. */
  readonly boost?: (row: number) => number
}

export interface Ranked {
  /** Rows, best first, at most k (or `keep`). */
  readonly rows: readonly number[]
  readonly scores: readonly number[]
  readonly delta: number
  readonly engine: EngineName
  /** How many rows were considered. */
  readonly considered: number
}

/** History → rows of the model: unknown items left out, newest 50 kept. */
export function toRows(model: Pick<ServingModel, 'rowOf'>, history: readonly HistoryItem[]): HistoryRows {
  const known = history
    .map((step) => ({ ...step, row: model.rowOf(step.item) }))
    .filter(({ row }) => row !== undefined)
    .slice(-MAX_HISTORY_STEPS)
  const newest = known.at(-1)?.at ?? 0
  return {
    rows: known.map(({ row }) => row as number),
    kinds: known.map(({ kind }) => HISTORY_KINDS.indexOf(kind)),
    ages: known.map(({ at }) => (newest - at) / 3_600_000),
    visitStart: visitStart(known),
  }
}

/** The encoder's input for a history of rows, right aligned. */
export function encoderInput(
  model: Pick<ServingModel, 'dim' | 'factors'> & {
    readonly manifest: { readonly historyLength: number }
  },
  history: HistoryRows,
): EncoderInput {
  const { dim, factors } = model
  const length = model.manifest.historyLength
  const input = {
    history: new Float32Array(length * dim),
    kind: new Int32Array(length),
    age: new Float32Array(length),
    mask: new Float32Array(length),
  }
  const from = Math.max(0, length - history.rows.length)
  input.history.set(gatherRows(factors, dim, history.rows.slice(-length)), from * dim)
  input.kind.set(history.kinds.slice(-length), from)
  input.age.set(history.ages.slice(-length), from)
  input.mask.fill(1, from)
  return input
}

/**
 * Ranks for a visitor: encode → retrieve (unless candidates are given) → features → score → the k best.
 *
 * A history without a known item needs no model of the visitor: popular items, or the candidates by popularity. A delta
 * that lands while the encoder runs starts it again, so a list never mixes two states of the model.
 *
 * @param scratch - this thread's set; free again when the promise settles, and used only between its awaits
 */
export async function rankHistory(
  model: ServingModel,
  query: RankQuery,
  engine: RankEngine,
  scratch: CandidateSet,
  onRetrieved: () => void = () => undefined,
): Promise<Ranked> {
  const history = toRows(model, query.history)
  if (history.rows.length === 0) return rankByPopularity(model, 'popular', query)
  const input = await rankerInput(
    model,
    history,
    engine,
    query.candidates,
    query.exclude ?? [],
    scratch,
    planFor(query.keep ?? query.k, query.exclude?.length),
    query.filter,
  )
  onRetrieved()
  const { rows, count, delta } = input
  if (count === 0) {
    return { rows: [], scores: [], delta, engine: engine.name, considered: 0 }
  }
  const scores = await engine.score(input)
  scratch.giveBack(input.candidates)
  scratch.giveBack(input.features)
  if (scores.length !== count) {
    throw new CodedError(
      'RANK_SCORES_MISSHAPEN',
      `ranker: expected ${count} scores, received ${scores.length}`,
    )
  }
  const { boost } = query
  const boosted = boost === undefined ? scores : scores.map((value, place) => value + boost(rows[place]!))
  const best = topK(boosted, query.keep ?? query.k)
  const places = [...best]
  return {
    rows: places.map((place) => rows[place]!),
    scores: places.map((place) => boosted[place]!),
    delta,
    engine: engine.name,
    considered: count,
  }
}

/** What the ranker is given, with the rows it stands for and the state of the model it was taken from. */
export interface PreparedInput extends RankerInput {
  readonly rows: Uint32Array
  readonly delta: number
}

/** Encodes, retrieves and computes features; everything after the encoder in one turn of the event loop. */
export async function rankerInput(
  model: ServingModel,
  history: HistoryRows,
  engine: RankEngine,
  candidates: readonly number[] | undefined,
  exclude: readonly number[],
  scratch: CandidateSet,
  plan: RetrievalPlan = WIDE_PLAN,
  filter?: RowFilter,
): Promise<PreparedInput> {
  let query: Float32Array
  let delta: number
  do {
    delta = model.delta
    query = await engine.encode(encoderInput(model, history))
  } while (model.delta !== delta)
  scratch.reset(model.items)
  for (const row of exclude) scratch.ban(row)
  if (candidates === undefined) retrieve(model, history, query, scratch, plan, filter)
  else {
    const allows = allowedRows(model, filter)
    for (const row of candidates) if (allows(row)) scratch.add(row)
  }
  return { ...gather(model, history, scratch), query, delta }
}

function gather(
  model: ServingModel,
  history: HistoryRows,
  set: CandidateSet,
): Pick<PreparedInput, 'count' | 'rows' | 'features' | 'context' | 'candidates'> {
  const { dim, factors } = model
  const rows = set.rows.slice()
  const features = set.borrow(rows.length * FEATURES)
  const context = computeFeatures(model, history, rows, set.placeOf, features)
  const candidates = set.borrow(rows.length * dim)
  for (let place = 0; place < rows.length; place++) {
    const at = rows[place]! * dim
    candidates.set(factors.subarray(at, at + dim), place * dim)
  }
  return { count: rows.length, rows, features, context, candidates }
}

/** Lists that are the same for everybody. */
export type CommonOrder = 'popular' | 'trending' | 'newest'

/** A list that needs no model of the visitor: the model's own order without what is excluded, or candidates in that order. */
export function rankByPopularity(
  model: ServingModel,
  by: CommonOrder,
  query: Omit<RankQuery, 'history'>,
): Ranked {
  const { filter, boost, candidates } = query
  const wanted = query.keep ?? query.k
  const value = valueOf(model, by)
  const excluded = new Set(query.exclude)
  const allows = allowedRows(model, filter)
  let order: Iterable<number> = model[by]
  if (candidates !== undefined) order = new Set(candidates)
  else if (filter !== undefined) order = filter.allowedOf(by, model[by], value, wanted + excluded.size)
  const rows = Array.from(order).filter((row) => !excluded.has(row) && allows(row))
  const scores = Float64Array.from(rows, (row) => value(row) + (boost?.(row) ?? 0))
  // The model's order knows how to break ties; only what it has not put in order is sorted.
  const sorted = candidates === undefined && boost === undefined
  const best = sorted ? rows.slice(0, wanted).map((_, place) => place) : Array.from(topK(scores, wanted))
  return {
    rows: best.map((place) => rows[place]!),
    scores: best.map((place) => scores[place]!),
    delta: model.delta,
    engine: 'none',
    considered: rows.length,
  }
}

/** What an order goes by, as the score that is answered: logarithms of counts, or days since 1970. */
function valueOf(model: ServingModel, by: CommonOrder): (row: number) => number {
  if (by === 'popular') return (row) => Math.log1p(model.popularity[row]!)
  if (by === 'trending') return (row) => Math.log1p(model.trend[row]!)
  return (row) => (model.catalogue.addedAt(row) ?? 0) / DAY_MS
}
