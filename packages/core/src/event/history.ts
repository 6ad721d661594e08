import type { EventKind, TrackedEvent } from './event.ts'

/** Kinds that say something about taste; the index is the encoder's `kind` input. Append only. */
export const HISTORY_KINDS = ['click', 'view', 'add-to-cart', 'purchase', 'like', 'custom'] as const

export type HistoryKind = (typeof HISTORY_KINDS)[number]

/** Two events further apart than this belong to different visits. */
export const VISIT_GAP_MS: number = 30 * 60_000

/** One step of a visitor's history. */
export interface HistoryItem {
  readonly item: string
  readonly kind: HistoryKind
  /** Milliseconds since 1970. */
  readonly at: number
}

/** How much an event says, strongest wins when one item is touched twice in a row. */
const PRECEDENCE: Record<HistoryKind, number> = {
  view: 0,
  custom: 1,
  click: 2,
  like: 3,
  'add-to-cart': 4,
  purchase: 5,
}

function historyKind(kind: EventKind): HistoryKind | undefined {
  if (kind.startsWith('custom:')) return 'custom'
  return (HISTORY_KINDS as readonly string[]).includes(kind) ? (kind as HistoryKind) : undefined
}

/**
 * Events, in any order and possibly told twice → history, oldest first.
 *
 * Merged by event id; impressions, searches and dislikes carry no step. Neighbouring steps of *different* kinds on the
 * same item are one step of the stronger kind (a click opens the product's page, which reports a view); the same kind
 * twice stays two steps, as a person who returns to an item means it.
 *
 * @param limit - newest steps kept
 */
export function toHistory(events: Iterable<TrackedEvent>, limit: number): HistoryItem[] {
  const byId = new Map<string, TrackedEvent>()
  for (const event of events) if (!byId.has(event.id)) byId.set(event.id, event)
  const history: HistoryItem[] = []
  for (const event of [...byId.values()].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))) {
    const { item, at } = event
    const kind = historyKind(event.kind)
    if (kind === undefined || item === undefined) continue
    const last = history.at(-1)
    if (last?.item === item && last.kind !== kind) {
      if (PRECEDENCE[kind] < PRECEDENCE[last.kind]) continue
      history.pop()
    }
    history.push({ item, kind, at })
  }
  return history.slice(-limit)
}

/** Items the visitor said no to, newest opinion first: a later like takes a dislike back. */
export function disliked(events: Iterable<TrackedEvent>): Set<string> {
  const opinions = new Map<string, { readonly at: number; readonly no: boolean }>()
  for (const { kind, item, at } of events) {
    if (item === undefined || (kind !== 'like' && kind !== 'dislike')) continue
    if (at >= (opinions.get(item)?.at ?? -Infinity)) opinions.set(item, { at, no: kind === 'dislike' })
  }
  return new Set([...opinions].flatMap(([item, { no }]) => (no ? [item] : [])))
}

/** Index of the first step of the newest visit: after the last gap of 30 minutes or more. */
export function visitStart(history: readonly { readonly at: number }[]): number {
  return Math.max(
    0,
    history.findLastIndex(({ at }, index) => at - (history[index - 1]?.at ?? at) >= VISIT_GAP_MS),
  )
}
