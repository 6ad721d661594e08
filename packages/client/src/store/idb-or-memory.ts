import type { Report } from '../error.ts'
import { createMemoryStore } from './memory.ts'
import type { QueueStore } from './queue-store.ts'
import type { Spill } from './spill.ts'

/**
 * IndexedDB where it works, memory where it does not, also when it fails only now and then (no room left): what the one
 * refuses the other keeps, told once. Calls made before the database is open wait for it, in order.
 *
 * @param spill - keeps what the database has not confirmed
 * @param allowed - whether anything may be kept on the device now; the database is not opened before
 */
export function createIdbOrMemoryStore(
  open: () => Promise<QueueStore>,
  report: Report,
  allowed: () => boolean = () => true,
  spill?: Spill,
): QueueStore {
  const memory = createMemoryStore()
  let durable: QueueStore | undefined
  let opening: Promise<void> | undefined
  let opened = false
  let closed = false

  async function start(): Promise<void> {
    try {
      durable = await open()
      if (closed) durable.close()
    } catch (cause) {
      report('STORAGE_UNAVAILABLE', 'events are kept in memory', { cause })
    }
    opened = true
  }

  /** Runs synchronously once open, so that a write made in a closing page has begun. */
  async function attempt<T>(work: (store: QueueStore) => Promise<T>): Promise<{ value: T } | undefined> {
    if (!allowed()) return undefined
    opening ??= start()
    if (!opened) await opening
    if (durable === undefined) return undefined
    try {
      return { value: await work(durable) }
    } catch (cause) {
      report('STORAGE_FAILED', 'memory takes over', { cause })
      return undefined
    }
  }

  const either = async <T>(work: (store: QueueStore) => Promise<T>): Promise<T> => {
    const kept = await attempt(work)
    return kept ? kept.value : work(memory)
  }
  const first = async <T>(work: (store: QueueStore) => Promise<T>): Promise<T> =>
    (await attempt(work))?.value ?? work(memory)
  const both = async (work: (store: QueueStore) => Promise<void>): Promise<void> => {
    await attempt(work)
    await work(memory)
  }
  const joined = async <T>(work: (store: QueueStore) => Promise<T[]>): Promise<T[]> => [
    ...((await attempt(work))?.value ?? []),
    ...(await work(memory)),
  ]

  return {
    async add(events) {
      // Impressions come in crowds; one that is lost with its page was hardly one.
      const telling = allowed() ? events.filter((event) => event.kind !== 'impression') : []
      if (telling.length > 0) spill?.keep({ events: telling })
      await either((store) => store.add(events))
      if (telling.length > 0) spill?.confirm({ events: telling })
    },
    async claim(batch) {
      spill?.keep({ batches: [batch] })
      const kept = await attempt((store) => store.claim(batch))
      await memory.claim(batch)
      if (kept) await memory.done(batch.id)
      spill?.confirm({ batches: [batch] })
    },
    async next(id) {
      const { events = [], batches = [] } = (allowed() && spill?.adopt()) || {}
      for (const batch of batches) await either((store) => store.claim(batch))
      if (events.length > 0) {
        // Those that had been written after all, and the page ended before it knew, are remembered.
        const known = new Set((await joined((store) => store.recent())).map((event) => event.id))
        await either((store) => store.add(events.filter((event) => !known.has(event.id))))
      }
      return first((store) => store.next(id))
    },
    done: (batchId) => both((store) => store.done(batchId)),
    waiting: () => joined((store) => store.waiting()),
    recent: () => joined((store) => store.recent()),
    get: (name) => first((store) => store.get(name)),
    update: (name, change) => either((store) => store.update(name, change)),
    clear() {
      spill?.clear()
      return both((store) => store.clear())
    },
    close() {
      closed = true
      durable?.close()
    },
  }
}
