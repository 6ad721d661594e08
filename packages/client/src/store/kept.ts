import type { Report } from '../error.ts'
import type { KeyValueStore, Pair } from './key-value.ts'
import type { Spill } from './spill.ts'

/** The database, and over it what it does not have. */
export interface Kept {
  /** Starts writing before it returns. Never rejects. */
  _put(pairs: readonly Pair[]): Promise<void>
  /** As the database's own. Never rejects. */
  _update(change: (all: Map<string, unknown>) => readonly Pair[]): Promise<void>
  /** Where other pages have left something in `localStorage`. */
  _others(idle: boolean): readonly string[]
  _close(): void
}

/**
 * IndexedDB where it works, memory where it does not, also when it fails only now and then (no room left): what the one
 * has not confirmed or refuses, the other keeps; told once. Calls made before the database is open wait for it.
 *
 * @param open - to undefined where there is nothing but memory
 * @param allowed - whether anything may be kept on the device now; the database is not opened before
 */
export function createKept(
  open: () => Promise<KeyValueStore | undefined>,
  report: Report,
  allowed: () => boolean,
  spill?: Spill,
): Kept {
  /** Not confirmed by the database, or refused by it. No value: removed. */
  const over = new Map<string, unknown>()
  let database: KeyValueStore | undefined
  let opening: Promise<KeyValueStore | undefined> | undefined
  /** What has been refused comes later than what is written after it. */
  let mark = spill?._mark

  /** Runs synchronously once open, so that a write made in a closing page has begun. Returns whether it was done. */
  async function attempt(work: (store: KeyValueStore) => Promise<unknown>): Promise<unknown> {
    if (!allowed()) return undefined
    database ??= await (opening ??= open().catch((cause: unknown) => {
      report('STORAGE_UNAVAILABLE', 'memory instead', { cause })
      return undefined
    }))
    try {
      if (database) {
        await work(database)
        return true
      }
    } catch (cause) {
      // A connection may be lost: in the web view of an app that comes back, or because another page deletes the database.
      mark = database = opening = undefined
      report('STORAGE_FAILED', 'memory instead', { cause })
    }
    return undefined
  }

  const mirror = (): void => {
    if (allowed()) spill?._keep(over)
  }

  const merge = (all: Map<string, unknown>): Map<string, unknown> => {
    for (const [key, value] of over) {
      if (value) all.set(key, value)
      else all.delete(key)
    }
    return all
  }

  return {
    async _put(pairs) {
      for (const [key, value] of pairs) over.set(key, value)
      mirror()
      const marked: readonly Pair[] = mark ? [...pairs, [mark, pairs.at(-1)?.[0].slice(2)]] : pairs
      if (await attempt((store) => store.put(marked)))
        for (const [key, value] of pairs) if (over.get(key) === value) over.delete(key)
      mirror()
    },
    async _update(change) {
      let pairs: readonly Pair[] = []
      const done = await attempt((store) => store.update((all) => (pairs = change(merge(all)))))
      if (!done) {
        let all = new Map<string, unknown>()
        await attempt((store) => store.update((found) => ((all = found), [])))
        pairs = change(merge(all))
      }
      for (const [key, value] of pairs) {
        if (done) over.delete(key)
        else over.set(key, value)
      }
      mirror()
    },
    _others: (idle) => (allowed() && spill?._others(idle)) || [],
    _close: () => database?.close(),
  }
}
