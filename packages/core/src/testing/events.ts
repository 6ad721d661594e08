import type { TrackedEvent } from '../event/event.ts'
import { uuidv7, type Random } from '../uuid.ts'

/** An event with sensible defaults: a click at `at`. */
export function buildEvent(
  random: Random,
  event: Partial<TrackedEvent> & { readonly at: number },
): TrackedEvent {
  return { id: uuidv7(event.at, random), kind: 'click', item: 'item-1', ...event }
}
