import type { TrackedEvent } from '@attune/core'
import { batchesOf, telling } from './batch.ts'

/** Newest events of all tabs that are not impressions, sent or not, oldest first. */
export function recentOf(all: ReadonlyMap<string, unknown>): TrackedEvent[] {
  const sent = (all.get('recent') ?? []) as TrackedEvent[]
  const events = [...sent, ...batchesOf(all).flatMap((batch) => batch.events)]
  return [...new Map(telling(events).map((event) => [event.id, event])).values()]
}
