import { MAX_RECENT_EVENTS, type TrackedEvent } from '@attune/core'
import { batchLength, type Batch } from './batch.ts'
import { MAX_QUEUED_EVENTS, type QueueStore } from './store/queue-store.ts'

/** This tab's view of the queue that all tabs share. */
export interface Queue {
  /** Starts writing before it returns. */
  add(events: readonly TrackedEvent[]): void
  /** This tab alone may form batches from now on, until `leave`. */
  enter(): Promise<void>
  leave(): void
  /** Oldest batch to send, formed now when need be. */
  next(): Promise<Batch | undefined>
  /**
   * For a page that is going away: makes a batch of this tab's own events at once, without asking the store, which would
   * answer too late. Nothing unless this tab alone may form batches: an event could end up in two.
   */
  claim(): Batch | undefined
  done(batch: Batch): Promise<void>
  /** Newest events of all tabs, sent or not, oldest first. */
  recent(): Promise<TrackedEvent[]>
  /** Forgets what this tab holds in memory; the store is another matter. */
  forget(): void
}

/** @param makeId - UUIDv7 that sorts after all earlier ones of this tab */
export function createQueue(store: QueueStore, makeId: () => string): Queue {
  let alone = false
  /** This tab's events that no batch holds; certain only while alone. */
  let own: TrackedEvent[] = []
  /** The store answers a little later than a click that is followed by a list at once. */
  let remembered: TrackedEvent[] = []

  /** Sets own events aside while the store decides about them: `claim` must not see them meanwhile. */
  async function decide<T>(
    question: Promise<T>,
    keep: (event: TrackedEvent, answer: T) => boolean,
  ): Promise<T> {
    const open = own
    own = []
    const answer = await question
    own = [...open.filter((event) => keep(event, answer)), ...own]
    return answer
  }

  return {
    add(events) {
      own = [...own, ...events].slice(-MAX_QUEUED_EVENTS)
      const telling = events.filter((event) => event.kind !== 'impression')
      remembered = [...remembered, ...telling].slice(-MAX_RECENT_EVENTS)
      void store.add(events)
    },
    async enter() {
      await decide(store.waiting(), ({ id }, waiting) => waiting.includes(id))
      alone = true
    },
    leave() {
      alone = false
    },
    next: () =>
      decide(store.next(makeId()), ({ id }, batch) => !batch?.events.some((taken) => taken.id === id)),
    claim() {
      const events = alone ? own.slice(0, batchLength(own)) : []
      if (events.length === 0) return undefined
      own = own.slice(events.length)
      const batch = { id: makeId(), events }
      void store.claim(batch)
      return batch
    },
    done: (batch) => store.done(batch.id),
    async recent() {
      const byId = new Map([...(await store.recent()), ...remembered].map((event) => [event.id, event]))
      return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).slice(-MAX_RECENT_EVENTS)
    },
    forget() {
      own = remembered = []
    },
  }
}
