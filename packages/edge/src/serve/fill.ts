import type { HistoryItem } from '@attune/core'
import {
  rankByPopularity,
  rankHistory,
  type Ranked,
  type RankQuery,
  type SourcedList,
} from '@attune/core/rank'
import type { Epoch } from './current.ts'

/** A list of which some rows are there for a reason that its strategy knows. */
export interface PartlySourced extends Ranked {
  /** Row → the row it is there for; rows of the filling have none. */
  readonly sources: ReadonlyMap<number, number>
  /** What the filling was ranked from, oldest first. */
  readonly steps: readonly HistoryItem[]
}

/** Between the last score of a strategy's own and the first of the filling. */
const STEP_DOWN = 1

/**
 * A strategy's own list, and below it, where that is short, what the ranker makes of `steps`, or without any the most
 * popular. Scores of the filling are moved below those of the list, as the two are not of one measure.
 *
 * A delta that lands while the filling is ranked starts both again, so that a list never mixes two states of the model.
 *
 * @param own - makes the strategy's list
 * @param query - of the whole list
 */
export async function fillUp(
  { model, engine, scratch }: Epoch,
  own: () => SourcedList,
  steps: readonly HistoryItem[],
  query: RankQuery,
  onRetrieved: () => void,
): Promise<PartlySourced> {
  const wanted = query.keep ?? query.k
  for (;;) {
    const list = own()
    const sources = new Map(list.rows.map((row, place) => [row, list.sources[place] ?? row]))
    const missing = wanted - list.rows.length
    if (missing <= 0) return { ...list, sources, steps }
    const { keep: _, ...rest } = query
    const short = { ...rest, history: steps, k: missing, exclude: [...(query.exclude ?? []), ...list.rows] }
    const filling =
      engine === undefined
        ? rankByPopularity(model, 'popular', short)
        : await rankHistory(model, short, engine, scratch, onRetrieved)
    if (filling.delta !== list.delta) continue
    const down = (list.scores.at(-1) ?? 0) - STEP_DOWN - (filling.scores[0] ?? 0)
    return {
      ...filling,
      rows: [...list.rows, ...filling.rows],
      scores: [
        ...list.scores,
        ...filling.scores.map((score) => (list.rows.length > 0 ? score + down : score)),
      ],
      considered: list.considered + filling.considered,
      sources,
      steps,
    }
  }
}
