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
import { boostOf, type Slot } from '../slots/compile.ts'
import type { ExplainAnswer } from './answers.ts'

/**
 * Takes a visitor's list apart: for each item what of its score comes from which feature, by the ranker in TypeScript on
 * the same candidates, and what of the rules of the slot. A model of one's own, and lists that other strategies make, have
 * no such parts.
 *
 * @param events - the visitor's stored events
 */
export async function explainList(
  { model, filters }: Epoch,
  site: string,
  slot: Slot,
  answer: RankResponse,
  events: readonly TrackedEvent[],
): Promise<ExplainAnswer> {
  const { weights } = model
  const { rules } = slot
  const shown = {
    site,
    slot: answer.slot,
    strategy: answer.strategy,
    rules,
    epoch: answer.epoch,
    delta: answer.delta,
    fresh: answer.fresh,
    events: events.toSorted((a, b) => b.at - a.at).slice(0, MAX_HISTORY_STEPS),
    names: CONTRIBUTION_NAMES,
  }
  const pinned = new Set(
    (rules.pins ?? []).flatMap(({ item, position }) => (answer.items[position]?.id === item ? [item] : [])),
  )
  const listed = answer.items.map((item) => (pinned.has(item.id) ? { ...item, pinned: true as const } : item))
  const history = toRows(
    model,
    toHistory(events, 2 * MAX_HISTORY_STEPS).filter(({ item }) => model.rowOf(item) !== undefined),
  )
  if (weights === undefined || history.rows.length === 0 || answer.strategy !== 'for-you')
    return { ...shown, items: listed }
  const exclude = [...disliked(events), ...(rules.exclude ?? [])].flatMap((id) => model.rowOf(id) ?? [])
  // A set of its own: requests of visitors go on meanwhile.
  const input = await rankerInput(
    model,
    history,
    coreEngine(weights),
    undefined,
    exclude,
    new CandidateSet(),
    undefined,
    filters.of([slot.filter], undefined)?.rows,
  )
  const boostOfRow = boostOf(slot, model, undefined)
  const items = listed.map((item) => {
    const row = model.rowOf(item.id)
    const place = row === undefined ? -1 : input.rows.indexOf(row)
    if (row === undefined || place < 0 || pinned.has(item.id)) return item
    const { parts, rest } = contributions(input, weights.ranker, place)
    const boost = boostOfRow?.(row) ?? 0
    return { ...item, parts: [...parts], rest, ...(boost !== 0 && { boost }) }
  })
  return { ...shown, items }
}
