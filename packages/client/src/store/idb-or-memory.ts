import type { Report } from '../error.ts'
import { createMemoryStore } from './memory.ts'
import type { QueueStore } from './queue-store.ts'

/**
 * IndexedDB where it works, memory where it does not, also when it fails only now and then (no room left): what the one
 * refuses the other keeps, told once. Calls made before the database is open wait for it, in order.
 */
export function createIdbOrMemoryStore(open: () => Promise<QueueStore>, report: Report): QueueStore {
  const memory = createMemoryStore()
  let durable: QueueStore | undefined
  let closed = false
  const opening = open().then(
    (store) => {
      if (closed) store.close()
      durable = store
    },
    (cause: unknown) =>
      report('STORAGE_UNAVAILABLE', 'IndexedDB cannot be opened; events are kept in memory', { cause }),
  )
  let opened = false
  void opening.then(() => (opened = true))

  /** Runs synchronously once open, so that a write made in a closing page has begun. */
  async function attempt<T>(work: (store: QueueStore) => Promise<T>): Promise<{ value: T } | undefined> {
    if (!opened) await opening
    if (durable === undefined) return undefined
    try {
      return { value: await work(durable) }
    } catch (cause) {
      report('STORAGE_FAILED', 'IndexedDB refused a request; memory takes over for it', { cause })
      return undefined
    }
  }

  return {
    async add(events) {
      if ((await attempt((store) => store.add(events))) === undefined) await memory.add(events)
    },
    async claim(batch) {
      const kept = await attempt((store) => store.claim(batch))
      await memory.claim(batch)
      if (kept !== undefined) await memory.done(batch.id)
    },
    async next(id) {
      return (await attempt((store) => store.next(id)))?.value ?? memory.next(id)
    },
    async done(batchId) {
      await Promise.all([attempt((store) => store.done(batchId)), memory.done(batchId)])
    },
    async waiting() {
      const kept = await attempt((store) => store.waiting())
      return [...(kept?.value ?? []), ...(await memory.waiting())]
    },
    async recent() {
      const kept = await attempt((store) => store.recent())
      return [...(kept?.value ?? []), ...(await memory.recent())]
    },
    async get(name) {
      return (await attempt((store) => store.get(name)))?.value ?? memory.get(name)
    },
    async update(name, change) {
      const kept = await attempt((store) => store.update(name, change))
      return kept === undefined ? memory.update(name, change) : kept.value
    },
    async clear() {
      await Promise.all([attempt((store) => store.clear()), memory.clear()])
    },
    close() {
      closed = true
      durable?.close()
    },
  }
}
