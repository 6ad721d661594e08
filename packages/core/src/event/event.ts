/** What a visitor can do. Names of one's own are written `custom:<name>`. */
export const EVENT_KINDS = [
  'impression',
  'click',
  'view',
  'add-to-cart',
  'purchase',
  'like',
  'dislike',
  'search',
] as const

export type EventKind = (typeof EVENT_KINDS)[number] | `custom:${string}`

/** One thing a visitor did. `id` is made by the client, so a retry writes nothing new. */
export interface TrackedEvent {
  /** UUID; version 7 from our client. */
  readonly id: string
  readonly kind: EventKind
  /** Item id, 1–256 characters; absent only for `search` and `custom:` events. */
  readonly item?: string
  /** Milliseconds since 1970 by the visitor's clock. */
  readonly at: number
  /** Where on the page: the slot's name. */
  readonly slot?: string
  /** Place in the slot, from 0. */
  readonly position?: number
  /** The ranking decision that put it there. */
  readonly decision?: string
  /** Money, rating or anything else countable; finite. */
  readonly value?: number
  /** What was searched for. */
  readonly query?: string
  /** Short name of the tab that made it. */
  readonly tab?: string
  /** Its number in that tab, from 1, given when it was made: what is missing in between was lost. */
  readonly seq?: number
}

export const MAX_EVENTS_PER_BATCH = 100
export const MAX_BATCH_BYTES = 60_000
export const MAX_ITEM_ID_LENGTH = 256
export const MAX_NAME_LENGTH = 64
export const MAX_QUERY_LENGTH = 256
export const MAX_EVENT_AGE_MS: number = 90 * 24 * 3_600_000
export const MAX_CLOCK_AHEAD_MS: number = 24 * 3_600_000
export const MAX_RECENT_EVENTS = 50

const CUSTOM_KIND = /^custom:[a-z0-9-]{1,40}$/

export function isEventKind(kind: unknown): kind is EventKind {
  return (
    typeof kind === 'string' && ((EVENT_KINDS as readonly string[]).includes(kind) || CUSTOM_KIND.test(kind))
  )
}

/** Whether events of this kind must name an item. */
export function needsItem(kind: EventKind): boolean {
  return !/^(search$|custom:)/.test(kind)
}
