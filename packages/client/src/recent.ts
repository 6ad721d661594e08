import type { TrackedEvent } from '@attune/core'
import { telling, type Batch } from './batch.ts'
import type { Kept } from './store/kept.ts'

/** Newest events of all tabs that are not impressions, sent or not, oldest first. */
export async function recent(kept: Kept): Promise<TrackedEvent[]> {
  const [[sent] = [], batches, open] = (await kept._read(['recent', 'b:', 'e:'])) as [
    TrackedEvent[][],
    Batch[],
    TrackedEvent[],
  ]
  const events = [...(sent ?? []), ...batches.flatMap((batch) => batch.events), ...open]
  return [...new Map(telling(events).map((event) => [event.id, event])).values()]
}
