import type { TrackedEvent } from '@attune/core'
import { batchLength, type Batch } from '../batch.ts'
import {
  MAX_QUEUED_EVENTS,
  MAX_REMEMBERED_EVENTS,
  type FactName,
  type QueueStore,
  type StoreOptions,
} from './queue-store.ts'

const byId = (a: { readonly id: string }, b: { readonly id: string }): number =>
  a.id < b.id ? -1 : a.id > b.id ? 1 : 0

/** A queue that lives as long as the page: for private windows, blocked storage and tests. */
export function createMemoryStore({
  maxEvents = MAX_QUEUED_EVENTS,
  onDropped,
}: StoreOptions = {}): QueueStore {
  let events: TrackedEvent[] = []
  let batches: Batch[] = []
  let remembered: TrackedEvent[] = []
  const facts = new Map<FactName, unknown>()
  const remove = (gone: readonly TrackedEvent[]): void => {
    const ids = new Set(gone.map((event) => event.id))
    events = events.filter((event) => !ids.has(event.id))
  }
  return {
    async add(more) {
      events = [...events, ...more].sort(byId)
      const told = more.filter((event) => event.kind !== 'impression')
      remembered = [...remembered, ...told].sort(byId).slice(-MAX_REMEMBERED_EVENTS)
    },
    async claim(batch) {
      remove(batch.events)
      batches = [...batches, batch].sort(byId)
    },
    async next(id) {
      const waiting = batches[0]
      if (waiting !== undefined) return waiting
      const excess = events.length - maxEvents
      if (excess > 0) {
        events = events.slice(excess)
        onDropped?.(excess)
      }
      const length = batchLength(events)
      if (length === 0) return undefined
      const batch = { id, events: events.slice(0, length) }
      events = events.slice(length)
      batches = [batch]
      return batch
    },
    async done(batchId) {
      batches = batches.filter((batch) => batch.id !== batchId)
    },
    async waiting() {
      return events.map((event) => event.id)
    },
    async recent() {
      return [...remembered]
    },
    async get(name) {
      return facts.get(name)
    },
    async update(name, change) {
      const value = change(facts.get(name))
      facts.set(name, value)
      return value
    },
    async clear() {
      events = []
      batches = []
      remembered = []
      facts.clear()
    },
    close() {},
  }
}
