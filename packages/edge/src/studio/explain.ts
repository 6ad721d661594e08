import { disliked, toHistory, type RankResponse, type TrackedEvent } from '@attune/core'
import {
  CandidateSet,
  contributions,
  CONTRIBUTION_NAMES,
  coreEngine,
  MAX_HISTORY_STEPS,
  rankerInput,
  toRows,
} from '@attune/core/rank'
import type { Epoch } from '../serve/current.ts'
import type { ExplainAnswer } from './answers.ts'

/**
 * Takes a visitor's list apart: for each item what of its score comes from which feature, by the ranker in TypeScript on
 * the same candidates. A model of one's own has no such parts.
 *
 * @param events - the visitor's stored events
 */
export async function explainList(
  { model }: Epoch,
  site: string,
  answer: RankResponse,
  events: readonly TrackedEvent[],
): Promise<ExplainAnswer> {
  const { weights } = model
  const shown = {
    site,
    epoch: answer.epoch,
    delta: answer.delta,
    fresh: answer.fresh,
    events: events.toSorted((a, b) => b.at - a.at).slice(0, MAX_HISTORY_STEPS),
    names: CONTRIBUTION_NAMES,
  }
  const history = toRows(
    model,
    toHistory(events, 2 * MAX_HISTORY_STEPS).filter(({ item }) => model.rowOf(item) !== undefined),
  )
  if (weights === undefined || history.rows.length === 0) return { ...shown, items: answer.items }
  const exclude = [...disliked(events)].flatMap((id) => model.rowOf(id) ?? [])
  // A set of its own: requests of visitors go on meanwhile.
  const engine = coreEngine(weights)
  const input = await rankerInput(model, history, engine, undefined, exclude, new CandidateSet())
  const items = answer.items.map((item) => {
    const row = model.rowOf(item.id)
    const place = row === undefined ? -1 : input.rows.indexOf(row)
    if (place < 0) return item
    const { parts, rest } = contributions(input, weights.ranker, place)
    return { ...item, parts: [...parts], rest }
  })
  return { ...shown, items }
}
