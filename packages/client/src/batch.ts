import { MAX_BATCH_BYTES, MAX_EVENTS_PER_BATCH, type TrackedEvent } from '@attune/core'

/** Events that travel together. The id is fixed when the batch is formed: a retry of any kind repeats it. */
export interface Batch {
  /** UUIDv7; later batches of one page sort later. */
  readonly id: string
  readonly events: readonly TrackedEvent[]
}

/** Room left in a request for handle, batch id and a session token of up to 8,192 characters. */
const ENVELOPE_BYTES = 9_000

/**
 * How many of the first `events` fit one batch: at most 100 events, and 60,000 bytes with everything around them.
 * At least 1 when there is any, so that one oversized event cannot block the others for ever.
 */
export function batchLength(events: readonly TrackedEvent[]): number {
  const encoder = new TextEncoder()
  let bytes = ENVELOPE_BYTES
  let length = 0
  for (const event of events) {
    bytes += encoder.encode(JSON.stringify(event)).length + 1
    if (length > 0 && (bytes > MAX_BATCH_BYTES || length >= MAX_EVENTS_PER_BATCH)) break
    length++
  }
  return length
}
