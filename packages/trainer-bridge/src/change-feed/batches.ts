import { isEventKind, MAX_EVENTS_PER_BATCH, type TrackedEvent } from '@attune/core'
import type { StoredBatch } from '../windows.ts'

/**
 * A document of the events container → what counts need of it; undefined for anything that is not a batch, such as a
 * document another tool put there. It is counted as skipped and never stops the feed.
 */
export function toStoredBatch(document: unknown): StoredBatch | undefined {
  if (typeof document !== 'object' || document === null) return undefined
  const { id, visitor, received, events } = document as Record<string, unknown>
  if (typeof id !== 'string' || typeof visitor !== 'string' || typeof received !== 'number') return undefined
  if (!Number.isFinite(received) || !Array.isArray(events) || events.length > MAX_EVENTS_PER_BATCH)
    return undefined
  return { id, visitor, received, events: events.flatMap((event) => toEvent(event)) }
}

function toEvent(input: unknown): TrackedEvent[] {
  if (typeof input !== 'object' || input === null) return []
  const { id, kind, item, at } = input as Record<string, unknown>
  if (typeof id !== 'string' || !isEventKind(kind) || typeof at !== 'number' || !Number.isFinite(at))
    return []
  if (item === undefined) return [{ id, kind, at }]
  return typeof item === 'string' && item.length > 0 && item.length <= 256 ? [{ id, kind, item, at }] : []
}
