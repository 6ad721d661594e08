import { CodedError } from '../error.ts'
import { HISTORY_KINDS, visitStart, type HistoryItem } from '../event/history.ts'
import type { EngineName } from '../wire.ts'
import { encode, type EncoderInput } from './encode.ts'
import { computeFeatures, FEATURES, NEIGHBOUR_STEPS, type HistoryRows } from './features.ts'
import { gatherRows } from './matrix.ts'
import type { ServingModel } from './model.ts'
import { retrieve, type CandidateSet } from './retrieve.ts'
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

/** Steps looked at; the encoder sees the newest L of them. */
export const MAX_HISTORY_STEPS = 50

export interface RankQuery {
  /** Oldest first. */
  readonly history: readonly HistoryItem[]
  /** Rows to choose from; absent: the whole catalogue. */
  readonly candidates?: readonly number[]
  /** Rows never to be shown. */
  readonly exclude?: readonly number[]
  /** How many are wanted. */
  readonly k: number
}

export interface Ranked {
  /** Rows, best first, at most k. */
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
 * @param onRetrieved - told when candidates and features are there and the ranker begins
 */
export async function rankHistory(
  model: ServingModel,
  query: RankQuery,
  engine: RankEngine,
  scratch: CandidateSet,
  onRetrieved: () => void = () => undefined,
): Promise<Ranked> {
  const { k, candidates, exclude = [] } = query
  const history = toRows(model, query.history)
  if (history.rows.length === 0) return rankByPopularity(model, model.popular, query)
  const input = await rankerInput(model, history, engine, candidates, exclude, scratch)
  if (input.count === 0) {
    return { rows: [], scores: [], delta: input.delta, engine: engine.name, considered: 0 }
  }
  onRetrieved()
  const scores = await engine.score(input)
  scratch.giveBack(input.candidates)
  scratch.giveBack(input.features)
  if (scores.length !== input.count) {
    throw new CodedError(
      'RANK_SCORES_MISSHAPEN',
      `ranker: expected ${input.count} scores, received ${scores.length}`,
    )
  }
  const best = topK(scores, k)
  return {
    rows: Array.from(best, (place) => input.rows[place]!),
    scores: Array.from(best, (place) => scores[place]!),
    delta: input.delta,
    engine: engine.name,
    considered: input.count,
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
): Promise<PreparedInput> {
  let query: Float32Array
  let delta: number
  do {
    delta = model.delta
    query = await engine.encode(encoderInput(model, history))
  } while (model.delta !== delta)
  scratch.reset(model.items)
  for (const row of model.catalogue.removed) scratch.ban(row)
  for (const row of exclude) scratch.ban(row)
  if (candidates === undefined) retrieve(model, history, query, scratch)
  else for (const row of candidates) scratch.add(row)
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

/** A list that needs no model of the visitor: `order` without what is excluded, or candidates by popularity. */
export function rankByPopularity(
  model: ServingModel,
  order: Uint32Array,
  query: Omit<RankQuery, 'history'>,
): Ranked {
  const excluded = new Set(query.exclude)
  const value = order === model.trending ? model.trend : model.popularity
  const from =
    query.candidates === undefined
      ? Array.from(order)
      : [...new Set(query.candidates)].sort((a, b) => value[b]! - value[a]! || a - b)
  const allowed = from.filter((row) => !excluded.has(row) && !model.isRemoved(row))
  const rows = allowed.slice(0, query.k)
  return {
    rows,
    scores: rows.map((row) => Math.log1p(value[row]!)),
    delta: model.delta,
    engine: 'none',
    considered: allowed.length,
  }
}

/**
 * The step of a history that speaks loudest for an item: sequential rule and cosine of the last 5 steps, decayed.
 *
 * @returns index into `history.rows`; undefined when no other item speaks for it
 */
export function explain(model: ServingModel, history: HistoryRows, row: number): number | undefined {
  const { dim, neighbours: k, factors, srItems, srScores, srScales, srSums } = model
  let best: number | undefined
  let most = 0.02
  for (let back = 0; back < NEIGHBOUR_STEPS && back < history.rows.length; back++) {
    const step = history.rows.length - 1 - back
    const source = history.rows[step]!
    if (source === row) continue
    let cosine = 0
    for (let c = 0; c < dim; c++) cosine += factors[row * dim + c]! * factors[source * dim + c]!
    const slot = srItems.subarray(source * k, (source + 1) * k).indexOf(row)
    const sum = srSums[source]!
    const rule =
      slot < 0 || sum <= 0 ? 0 : (srScales[source]! * srScores[source * k + slot]! ** 2) / 65_025 / sum
    const contribution = Math.exp(-back / 2) * (rule + 0.1 * Math.max(0, cosine))
    if (contribution > most) {
      most = contribution
      best = step
    }
  }
  return best
}
