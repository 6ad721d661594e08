import type { TrackedEvent } from '@attune/core'
import { added, batchLength, claimed, telling, without, type Batch } from './batch.ts'
import type { Report } from './error.ts'
import type { Facts } from './store/facts.ts'
import type { Kept } from './store/kept.ts'
import type { Pair } from './store/key-value.ts'

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
  /** Oldest batch to send, formed of the oldest events when there is none. Facts are read with it. */
  _next(): Promise<Batch | undefined>
  /** Whether something may have waited beside the batch that `next` returned. */
  _more(): boolean
  /**
   * For a page that is going away: makes a batch of this tab's own events at once, without asking the store, which would
   * answer too late. Only where this tab alone may form batches and `next` found nothing before: an event could end up in
   * two of them.
   */
  _claim(): Batch | undefined
  /** The batch needs no further try; what that changes in the facts is written with it. */
  _done(batch: Batch, change?: (facts: Facts) => Facts): Promise<void>
  /** Newest events of all tabs that are not impressions, sent or not, oldest first. */
  _recent(): Promise<TrackedEvent[]>
}

/**
 * @param makeId - UUIDv7 that sorts after all earlier ones of this tab
 * @param note - hears of the facts that are read or written on the way
 */
export function createQueue(
  kept: Kept,
  makeId: () => string,
  report: Report,
  now: () => number,
  note = (found: unknown): Facts => (found ?? {}) as Facts,
): Queue {
  /** This tab's events that no batch of its own making holds, since `next` was asked. */
  let own: readonly TrackedEvent[] = []
  let more = false

  async function recent(): Promise<TrackedEvent[]> {
    const [[sent] = [], batches, open] = (await kept._read(['recent', 'b:', 'e:'])) as [
      TrackedEvent[][],
      Batch[],
      TrackedEvent[],
    ]
    const events = [...(sent ?? []), ...batches.flatMap((batch) => batch.events), ...open]
    return [...new Map(telling(events).map((event) => [event.id, event])).values()]
  }

  const make = (from: readonly TrackedEvent[]): Batch => ({
    id: makeId(),
    events: from.slice(0, batchLength(from)),
  })

  async function form(): Promise<Batch | undefined> {
    const others = kept._others()
    if (others[0]) await (await import('./recover.ts')).recover(kept, others, now(), recent, added, claimed)
    let batch: Batch | undefined
    let surplus: TrackedEvent[] = []
    // Sent only when it is kept: a page that crashed in between would leave its events to be made another batch.
    await kept._update(['facts', 'b:', 'e:'], (found) => {
      const [[facts], [waiting], open] = found as [Facts[], Batch[], TrackedEvent[]]
      note(facts)
      surplus = open.splice(0, open.length - MAX_QUEUED_EVENTS)
      batch = waiting ?? (open[0] && make(open))
      more = !!waiting || !!open[batch?.events.length ?? 0]
      return [
        ...surplus.map((event): Pair => [`e:${event.id}`]),
        ...(batch && !waiting ? claimed(batch) : []),
      ]
    })
    if (surplus[0]) report('QUEUE_FULL', `${surplus.length} events given up`)
    if (batch) own = without(own, batch.events)
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
    _more: () => more,
    _claim() {
      if (!own[0]) return undefined
      const batch = make(own)
      own = own.slice(batch.events.length)
      void kept._put(claimed(batch))
      return batch
    },
    _done: (batch, change = (facts) => facts) =>
      kept._update(['facts', 'recent'], (found) => {
        const [[facts], [sent = []]] = found as [Facts[], TrackedEvent[][]]
        return [
          ['facts', note(change(note(facts)))],
          ['recent', [...sent, ...telling(batch.events)].slice(-MAX_REMEMBERED_EVENTS)],
          [`b:${batch.id}`],
        ]
      }),
    _recent: recent,
  }
}
