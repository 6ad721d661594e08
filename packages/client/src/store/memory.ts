import type { TrackedEvent } from '@attune/core'
import { batchLength, type Batch } from '../batch.ts'
import {
  MAX_QUEUED_EVENTS,
  MAX_REMEMBERED_EVENTS,
  type FactName,
  type QueueStore,
  type StoreOptions,
} from './queue-store.ts'

const sorted = <T extends { readonly id: string }>(list: readonly T[]): T[] =>
  [...list].sort((a, b) => (a.id < b.id ? -1 : 1))

/** A queue that lives as long as the page: for private windows, blocked storage and tests. */
export function createMemoryStore({
  maxEvents = MAX_QUEUED_EVENTS,
  onDropped,
}: StoreOptions = {}): QueueStore {
  let events: TrackedEvent[] = []
  let batches: Batch[] = []
  let remembered: TrackedEvent[] = []
  const facts = new Map<FactName, unknown>()
  return {
    async add(more) {
      events = sorted([...events, ...more])
      const told = more.filter((event) => event.kind !== 'impression')
      remembered = sorted([...remembered, ...told]).slice(-MAX_REMEMBERED_EVENTS)
    },
    async claim(batch) {
      const ids = new Set(batch.events.map((event) => event.id))
      events = events.filter((event) => !ids.has(event.id))
      batches = sorted([...batches, batch])
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
