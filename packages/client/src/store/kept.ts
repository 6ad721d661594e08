import type { Report } from '../error.ts'
import type { KeyValueStore, Pair } from './key-value.ts'
import type { Spill } from './spill.ts'

/** The database, and over it what it does not have. */
export interface Kept {
  /** Starts writing before it returns. Never rejects. */
  _put(pairs: readonly Pair[]): Promise<void>
  _all(prefix: string): Promise<unknown[]>
  _get(key: string): Promise<unknown>
  _update(key: string, change: (kept: unknown) => unknown): Promise<unknown>
  /** Where other pages have left something in `localStorage`. */
  _others(): readonly string[]
  _clear(): Promise<void>
  _close(): void
}

/**
 * IndexedDB where it works, memory where it does not, also when it fails only now and then (no room left): what the one
 * has not confirmed or refuses, the other keeps; told once. Calls made before the database is open wait for it.
 *
 * @param open - undefined where there is nothing but memory
 * @param allowed - whether anything may be kept on the device now; the database is not opened before
 */
export function createKept(
  open: (() => Promise<KeyValueStore>) | undefined,
  report: Report,
  allowed: () => boolean,
  spill?: Spill,
): Kept {
  /** Not confirmed by the database, or refused by it. No value: removed. */
  const over = new Map<string, unknown>()
  let database: KeyValueStore | undefined
  let opening: Promise<void> | undefined
  let opened = !open

  async function start(): Promise<void> {
    try {
      database = await open?.()
    } catch (cause) {
      report('STORAGE_UNAVAILABLE', 'memory only', { cause })
    }
    opened = true
  }

  /** Runs synchronously once open, so that a write made in a closing page has begun. */
  async function attempt<T>(work: (store: KeyValueStore) => Promise<T>): Promise<[T] | undefined> {
    if (!allowed()) return undefined
    if (!opened) await (opening ??= start())
    try {
      return database && [await work(database)]
    } catch (cause) {
      report('STORAGE_FAILED', 'memory instead', { cause })
      return undefined
    }
  }

  const mirror = (): void => {
    if (allowed()) spill?._keep(over)
  }

  return {
    async _put(pairs) {
      for (const [key, value] of pairs) over.set(key, value)
      mirror()
      const done = await attempt((store) => store.put(pairs))
      for (const [key, value] of pairs) {
        // Without a database there is nothing that a removal must hide.
        if (over.get(key) === value && (done || !(value || database))) over.delete(key)
      }
      mirror()
    },
    async _all(prefix) {
      const [values = []] = (await attempt((store) => store.all(prefix))) ?? []
      const all = new Map(values.map((value) => [prefix + (value as { id: string }).id, value]))
      for (const [key, value] of over) if (key.startsWith(prefix)) all.set(key, value)
      return [...all.keys()]
        .sort()
        .map((key) => all.get(key))
        .filter(Boolean)
    },
    async _get(key) {
      const found = await attempt((store) => store.get(key))
      return found?.[0] ?? over.get(key)
    },
    async _update(key, change) {
      const kept = await attempt((store) => store.update(key, change))
      if (!kept) over.set(key, change(over.get(key)))
      return kept ? kept[0] : over.get(key)
    },
    _others: () => (allowed() && spill?._others()) || [],
    async _clear() {
      over.clear()
      mirror()
      await attempt((store) => store.clear())
    },
    _close: () => database?.close(),
  }
}
