import { MAX_BATCH_BYTES, MAX_EVENTS_PER_BATCH, type EventsRequest, type TrackedEvent } from '@attune/core'

/** Events that travel together. The id is fixed when the batch is formed: a retry of any kind repeats it. */
export interface Batch {
  /** UUIDv7; later batches of one page sort later. */
  readonly id: string
  readonly events: readonly TrackedEvent[]
  /** In place of events: last numbers of tabs that have ended before they brought them. */
  readonly last?: NonNullable<EventsRequest['last']>
}

/** Those that begin with `prefix`, in order. */
export const startingWith = (prefix: string, keys: Iterable<string>): string[] =>
  [...keys].filter((key) => key.startsWith(prefix)).sort()

/** The batches that wait, oldest first. */
export const batchesOf = (all: ReadonlyMap<string, unknown>): Batch[] =>
  startingWith('b:', all.keys()).map((key) => all.get(key) as Batch)

/** Room left in a request for handle, batch id and a session token of up to 8,192 characters. */
const ENVELOPE_BYTES = 9_000

/**
 * The first of `events` that fit one batch: at most 100, and 60,000 bytes with everything around them. At least 1 when there
 * is any, so that one oversized event cannot block the others for ever.
 */
export function firstBatch(events: readonly TrackedEvent[]): TrackedEvent[] {
  let bytes = ENVELOPE_BYTES
  return events.slice(0, MAX_EVENTS_PER_BATCH).filter((event, index) => {
    // Not a Blob, which costs milliseconds: the browser's process is told of each.
    bytes += new TextEncoder().encode(JSON.stringify([event])).length
    return !index || bytes <= MAX_BATCH_BYTES
  })
}

/** Impressions come in crowds; one that is lost with its page was hardly one. */
export const telling = (events: readonly TrackedEvent[]): TrackedEvent[] =>
  events.filter(({ kind }) => kind !== 'impression')
