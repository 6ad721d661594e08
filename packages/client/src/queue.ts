import type { TrackedEvent } from '@attune/core'
import { added, batchLength, claimed, telling, type Batch } from './batch.ts'
import type { Report } from './error.ts'
import type { Kept } from './store/kept.ts'

/** Most events that wait without a batch; beyond it the oldest are given up. 5,000 are about 1 MB. */
const MAX_QUEUED_EVENTS = 5_000
/** Newest events kept when sent, to know what has been queued before; the newest 50 of them go into `recent`. */
const MAX_REMEMBERED_EVENTS = 200

/**
 * This tab's view of the queue that all tabs share. Ids sort in the order in which a tab made its events and batches, and
 * so do keys: `e:` events that no batch holds, `b:` batches not acknowledged.
 */
export interface Queue {
  /** Starts writing before it returns. */
  _add(events: readonly TrackedEvent[]): void
  /** Oldest batch to send, formed of the oldest events when there is none. */
  _next(): Promise<Batch | undefined>
  /**
   * For a page that is going away: makes a batch of this tab's own events at once, without asking the store, which would
   * answer too late. Only where this tab alone may form batches and `next` found nothing before: an event could end up in
   * two of them.
   */
  _claim(): Batch | undefined
  /** The batch needs no further try. */
  _done(batch: Batch): Promise<void>
  /** Newest events of all tabs that are not impressions, sent or not, oldest first. */
  _recent(): Promise<TrackedEvent[]>
}

/** @param makeId - UUIDv7 that sorts after all earlier ones of this tab */
export function createQueue(kept: Kept, makeId: () => string, report: Report, now: () => number): Queue {
  /** This tab's events since `next` was asked. */
  let own: readonly TrackedEvent[] = []

  let written: Promise<void> | undefined

  const batches = () => kept._all('b:') as Promise<Batch[]>
  const open = () => kept._all('e:') as Promise<TrackedEvent[]>

  async function recent(): Promise<TrackedEvent[]> {
    const sent = (await kept._get('recent')) as TrackedEvent[] | undefined
    const events = [...(sent ?? []), ...(await batches()).flatMap((batch) => batch.events), ...(await open())]
    return [...new Map(telling(events).map((event) => [event.id, event])).values()]
  }

  async function form(): Promise<Batch | undefined> {
    const others = kept._others()
    if (others[0]) await (await import('./recover.ts')).recover(kept, others, now(), recent, added, claimed)
    const [waiting] = await batches()
    if (waiting) return waiting
    const all = await open()
    const surplus = all.splice(0, all.length - MAX_QUEUED_EVENTS)
    if (surplus[0]) {
      report('QUEUE_FULL', `${surplus.length} events given up`)
      await kept._put(surplus.map((event) => [`e:${event.id}`]))
    }
    const batch = claim(all)
    // Sent only when it is kept: a page that crashed in between would leave its events to be made another batch.
    await written
    return batch
  }

  function claim(from: readonly TrackedEvent[]): Batch | undefined {
    if (!from[0]) return undefined
    const batch = { id: makeId(), events: from.slice(0, batchLength(from)) }
    written = kept._put(claimed(batch))
    return batch
  }

  return {
    _add(events) {
      own = [...own, ...events].slice(-MAX_QUEUED_EVENTS)
      void kept._put(added(events))
    },
    _next() {
      own = []
      return form()
    },
    _claim() {
      const batch = claim(own)
      own = own.slice(batch?.events.length)
      return batch
    },
    async _done(batch) {
      await kept._update('recent', (sent = []) =>
        [...(sent as TrackedEvent[]), ...telling(batch.events)].slice(-MAX_REMEMBERED_EVENTS),
      )
      await kept._put([[`b:${batch.id}`]])
    },
    _recent: recent,
  }
}
