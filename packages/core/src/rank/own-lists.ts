import { NO_ITEM } from '../artifact/delta.ts'
import { NEIGHBOUR_STEPS } from './features.ts'
import type { ServingModel } from './model.ts'
import type { Ranked, RankQuery } from './pipeline.ts'
import { allowedRows } from './retrieve.ts'
import { topK } from './top-k.ts'

// Lists that need no ranker: what a visitor looked at, and what goes with what.

/** A list with the row that each of its rows is there for. */
export interface SourcedList extends Ranked {
  readonly sources: readonly number[]
}

/** What the visitor looked at last, newest first, each item once. Scores: 1, 1/2, 1/3, … */
export function rankRecent(model: ServingModel, query: RankQuery): SourcedList {
  const seen = new Set(query.history.flatMap(({ item }) => model.rowOf(item) ?? []).toReversed())
  const scores = new Map([...seen].map((row, place) => [row, 1 / (place + 1)]))
  return listOf(model, scores, query, (row) => row)
}

/**
 * What is put into baskets or bought together with some items, by decayed counts; sources later in the list count e^½
 * times less than those before. A model without the table of that answers from its sequential rules.
 *
 * @param from - rows to start from, the most important first; at most 5 are looked at
 */
export function rankTogether(
  model: ServingModel,
  from: readonly number[],
  query: Omit<RankQuery, 'history'>,
): SourcedList {
  const { items, scores, scales, width } = model.together ?? {
    items: model.srItems,
    scores: model.srScores,
    scales: model.srScales,
    width: model.neighbours,
  }
  const counts = new Map<number, number>()
  const loudest = new Map<number, { source: number; count: number }>()
  for (const [place, source] of from.slice(0, NEIGHBOUR_STEPS).entries()) {
    const scale = (Math.exp(-place / 2) * scales[source]!) / 65_025
    for (let slot = source * width; slot < (source + 1) * width; slot++) {
      const row = items[slot]!
      if (row === NO_ITEM) break
      if (from.includes(row)) continue
      const count = scale * scores[slot]! ** 2
      counts.set(row, (counts.get(row) ?? 0) + count)
      if (count > (loudest.get(row)?.count ?? 0)) loudest.set(row, { source, count })
    }
  }
  for (const [row, count] of counts) counts.set(row, Math.log1p(count))
  return listOf(model, counts, query, (row) => loudest.get(row)?.source ?? row)
}

function listOf(
  model: ServingModel,
  scores: ReadonlyMap<number, number>,
  query: Omit<RankQuery, 'history'>,
  sourceOf: (row: number) => number,
): SourcedList {
  const { candidates, boost } = query
  const allows = allowedRows(model, query.filter)
  const excluded = new Set(query.exclude)
  const given = candidates && new Set(candidates)
  const rows = [...scores.keys()].filter(
    (row) => !excluded.has(row) && allows(row) && (given?.has(row) ?? true),
  )
  const values = rows.map((row) => (scores.get(row) ?? 0) + (boost?.(row) ?? 0))
  const best = Array.from(topK(values, query.keep ?? query.k))
  const listed = best.map((place) => rows[place]!)
  return {
    rows: listed,
    scores: best.map((place) => values[place]!),
    sources: listed.map(sourceOf),
    delta: model.delta,
    engine: 'none',
    considered: rows.length,
  }
}
