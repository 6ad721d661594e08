import type { TrackedEvent } from '@attune/core'
import type { Batch } from '../batch.ts'

/** Most events that wait without a batch; beyond it the oldest are given up. 5,000 are about 1 MB. */
export const MAX_QUEUED_EVENTS = 5_000
/** Newest events kept, sent or not, to know what has been queued before; the newest 50 of them go into `recent`. */
export const MAX_REMEMBERED_EVENTS = 200

/** Small things kept next to the events. */
export type FactName = 'visitor' | 'session' | 'lease' | 'after'

/**
 * Where events wait. Ids sort in the order in which a tab made its events and batches, and so does the store.
 *
 * `add` and `claim` start writing before they return: a page that is being closed runs no further callback.
 */
export interface QueueStore {
  /** Keeps events until a batch holds them. Impressions are not remembered for `recent()`. */
  add(events: readonly TrackedEvent[]): Promise<void>
  /** Moves these events into this batch. */
  claim(batch: Batch): Promise<void>
  /** The oldest batch that is not done; when there is none, the oldest events are made one, called `id`. */
  next(id: string): Promise<Batch | undefined>
  done(batchId: string): Promise<void>
  /** Ids of the events that no batch holds. */
  waiting(): Promise<string[]>
  /** Newest 200 events that are not impressions, oldest first, sent or not; until the next `next` perhaps some more. */
  recent(): Promise<TrackedEvent[]>
  get(name: FactName): Promise<unknown>
  /** Reads and writes in one step; nothing of another tab comes between. Returns what is kept now. */
  update(name: FactName, change: (kept: unknown) => unknown): Promise<unknown>
  /** Forgets everything. */
  clear(): Promise<void>
  close(): void
}

export interface StoreOptions {
  readonly maxEvents?: number
  /** Told how many of the oldest events were given up. */
  readonly onDropped?: (count: number) => void
}
