import type { EventKind, HistoryItem, Random, RankedItem } from '@attune/core'
import {
  explain,
  MAX_HISTORY_STEPS,
  rankByPopularity,
  rankHistory,
  rankRecent,
  rankTogether,
  toRows,
  type Ranked,
  type RankQuery,
  type RowFilter,
  type ServingModel,
  type SourcedList,
} from '@attune/core/rank'
import { arrange, explore } from '@attune/core/rules'
import type { ParsedRankRequest } from '../routes/parse-rank.ts'
import { boostOf, type Slot } from '../slots/compile.ts'
import type { Epoch } from './current.ts'
import { fillUp, type PartlySourced } from './fill.ts'

/** Candidates that rules choose from, for each item of the list. */
const POOL = 3

/** A list before it is put into words. */
export interface List extends Ranked {
  /** Of each row; undefined where nothing is explored. */
  readonly propensities: readonly number[] | undefined
  readonly reasons: readonly ({ readonly item: string; readonly kind: EventKind | 'custom' } | undefined)[]
}

export interface ListInput {
  readonly request: ParsedRankRequest & { readonly strategy: NonNullable<ParsedRankRequest['strategy']> }
  readonly slot: Slot
  readonly filter: RowFilter | undefined
  /** Oldest first; items the model does not know are left out. */
  readonly steps: readonly HistoryItem[]
  readonly candidates: readonly number[] | undefined
  readonly exclude: readonly number[]
  readonly random: Random
  readonly onRetrieved: () => void
}

/** Strategy → rules → diversity → exploration → pins. */
export async function makeList(epoch: Epoch, input: ListInput): Promise<List> {
  const { model } = epoch
  const { request, slot, steps } = input
  const { maxPer, diversity, explore: policy, pins } = slot.rules
  const arranged = maxPer !== undefined || diversity !== undefined || policy !== undefined
  const item = request.item === undefined ? undefined : model.rowOf(request.item)
  const boost = boostOf(slot, model, item === undefined ? undefined : model.attributesOf(item))
  const query: RankQuery = {
    history: steps,
    ...(input.candidates !== undefined && { candidates: input.candidates }),
    exclude: input.exclude,
    ...(input.filter && { filter: input.filter }),
    ...(boost && { boost }),
    k: request.k,
    ...(arranged && { keep: POOL * request.k }),
  }
  const ranked = await byStrategy(epoch, input, query)
  const { sources, steps: from = steps } = ranked
  const said = { steps, from, sources }
  if (!arranged && pins === undefined)
    return { ...ranked, propensities: undefined, reasons: reasonsOf(model, ranked, said) }
  const list = arranged
    ? withRules(model, ranked, slot, request.k, input.random)
    : { ...ranked, propensities: undefined }
  const pinned = withPins(model, list, slot, input)
  return { ...pinned, reasons: reasonsOf(model, pinned, said) }
}

async function byStrategy(
  epoch: Epoch,
  { request, slot, steps, onRetrieved }: ListInput,
  query: RankQuery,
): Promise<Ranked & Partial<PartlySourced>> {
  const { model, engine, scratch } = epoch
  const filled = (
    own: () => SourcedList,
    from: readonly HistoryItem[],
  ): Promise<PartlySourced> | PartlySourced =>
    slot.rules.fill === false ? unfilled(own(), from) : fillUp(epoch, own, from, query, onRetrieved)
  switch (request.strategy) {
    case 'trending':
      return rankByPopularity(model, 'trending', query)
    case 'popular':
      return rankByPopularity(model, 'popular', query)
    case 'new':
      return rankByPopularity(model, 'newest', query)
    case 'recent':
      return filled(() => rankRecent(model, query), steps)
    case 'bought-together':
      return filled(
        () => rankTogether(model, startsOf(model, request.item, steps), query),
        stepsToward(model, request.item, steps),
      )
    default:
      // `epoch.engine` was looked at before anything else was done for the request.
      if (engine === undefined) return rankByPopularity(model, 'popular', query)
      return rankHistory(model, query, engine, scratch, onRetrieved)
  }
}

/** What things are bought together with: the item of the page, else what is in the basket, else the last item looked at. */
function startsOf(model: ServingModel, item: string | undefined, steps: readonly HistoryItem[]): number[] {
  const rowsOf = (some: readonly HistoryItem[]): number[] => [
    ...new Set(some.toReversed().flatMap((step) => model.rowOf(step.item) ?? [])),
  ]
  const row = item === undefined ? undefined : model.rowOf(item)
  if (row !== undefined) return [row]
  const basket = rowsOf(steps.filter(({ kind }) => kind === 'add-to-cart' || kind === 'purchase'))
  return basket.length > 0 ? basket : rowsOf(steps.slice(-1))
}

/** What goes with the item of the page is filled with what is like it; without one, with what is for the visitor. */
function stepsToward(
  model: ServingModel,
  item: string | undefined,
  steps: readonly HistoryItem[],
): readonly HistoryItem[] {
  const known = item !== undefined && model.rowOf(item) !== undefined
  return known ? [{ item, kind: 'click', at: steps.at(-1)?.at ?? 0 }] : steps
}

function unfilled(list: SourcedList, steps: readonly HistoryItem[]): PartlySourced {
  return { ...list, sources: new Map(list.rows.map((row, at) => [row, list.sources[at] ?? row])), steps }
}

/** Limits, diversity and exploration over the best `POOL · k`. */
function withRules(
  model: ServingModel,
  ranked: Ranked,
  { rules }: Slot,
  k: number,
  random: Random,
): Ranked & Pick<List, 'propensities'> {
  const { dim, factors } = model
  const { rows, scores } = ranked
  const pool = arrange(
    {
      scores,
      attributesOf: (place) => model.attributesOf(rows[place] ?? -1),
      similarity: (one, other) => {
        const a = (rows[one] ?? 0) * dim
        const b = (rows[other] ?? 0) * dim
        let sum = 0
        for (let c = 0; c < dim; c++) sum += (factors[a + c] ?? 0) * (factors[b + c] ?? 0)
        return sum
      },
    },
    rules,
    // What is explored must be allowed together, so all of the pool is.
    rules.explore === undefined ? k : POOL * k,
  )
  const explored =
    rules.explore &&
    explore(
      pool.map((place) => scores[place] ?? 0),
      k,
      rules.explore,
      random,
    )
  const chosen = explored === undefined ? pool : explored.order.map((index) => pool[index] ?? 0)
  return {
    ...ranked,
    rows: chosen.map((place) => rows[place] ?? 0),
    scores: chosen.map((place) => scores[place] ?? 0),
    propensities: explored?.propensities,
  }
}

/** Puts pinned items in their places: filters do not hold them back, what the visitor or the request excludes does. */
function withPins<T extends Ranked & Pick<List, 'propensities'>>(
  model: ServingModel,
  list: T,
  { rules }: Slot,
  { exclude, request }: ListInput,
): T {
  const pins = (rules.pins ?? [])
    .flatMap(({ item, position }) => {
      const row = model.rowOf(item)
      const out = row === undefined || model.isRemoved(row) || exclude.includes(row)
      return out ? [] : [{ row, position }]
    })
    .toSorted((a, b) => a.position - b.position)
  if (pins.length === 0) return list
  const pinned = new Set(pins.map(({ row }) => row))
  const entries = list.rows.flatMap((row, place) =>
    pinned.has(row)
      ? []
      : [{ row, score: list.scores[place] ?? 0, propensity: list.propensities?.[place] ?? 1 }],
  )
  const scoreOf = (row: number): number => list.scores[list.rows.indexOf(row)] ?? 0
  for (const { row, position } of pins)
    entries.splice(position, 0, { row, score: scoreOf(row), propensity: 1 })
  const kept = entries.slice(0, request.k)
  return {
    ...list,
    rows: kept.map(({ row }) => row),
    scores: kept.map(({ score }) => score),
    propensities: list.propensities && kept.map(({ propensity }) => propensity),
  }
}

/** The step each item is there for: the one its strategy knows, or of those it was ranked from the one that speaks loudest. */
function reasonsOf(
  model: ServingModel,
  ranked: Ranked,
  said: {
    /** The visitor's. */
    readonly steps: readonly HistoryItem[]
    /** What the ranker went by. */
    readonly from: readonly HistoryItem[]
    readonly sources: ReadonlyMap<number, number> | undefined
  },
): List['reasons'] {
  const known = said.from.slice(-MAX_HISTORY_STEPS)
  const ranker = ranked.engine === 'none' ? [] : explain(model, toRows(model, known), ranked.rows)
  return ranked.rows.map((row, place) => {
    const source = said.sources?.get(row)
    if (source === undefined) {
      const step = known[ranker[place] ?? -1]
      return step && { item: step.item, kind: step.kind }
    }
    const item = model.ids[source] ?? ''
    return { item, kind: said.steps.findLast((step) => step.item === item)?.kind ?? 'purchase' }
  })
}

/** Rows → ids with scores, reasons and propensities. */
export function describeItems(model: ServingModel, list: List): RankedItem[] {
  return list.rows.map((row, place) => {
    const because = list.reasons[place]
    const propensity = list.propensities?.[place]
    return {
      id: model.ids[row] ?? '',
      score: list.scores[place] ?? null,
      ...(propensity !== undefined && { propensity }),
      ...(because && { because }),
    }
  })
}
