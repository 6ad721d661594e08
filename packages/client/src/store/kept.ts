import type { Report } from '../error.ts'
import type { KeyValueStore, Pair } from './key-value.ts'
import type { Spill } from './spill.ts'

/** The database, and over it what it does not have. */
export interface Kept {
  /** Starts writing before it returns. Never rejects. */
  _put(pairs: readonly Pair[]): Promise<void>
  _read(prefixes: readonly string[]): Promise<unknown[][]>
  /** As the database's own. Never rejects. */
  _update(
    prefixes: readonly string[],
    change: (found: readonly unknown[][]) => readonly Pair[],
  ): Promise<void>
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

  /** What the database has found, as `over` has it. What has no id of its own is alone under its key. */
  const merge = (
    prefixes: readonly string[],
    found: readonly unknown[][] = [],
    held: ReadonlyMap<string, unknown> = over,
  ): unknown[][] =>
    prefixes.map((prefix, at) => {
      const all = new Map(found[at]?.map((value) => [prefix + ((value as { id?: string }).id ?? ''), value]))
      for (const [key, value] of held)
        if (key.startsWith(prefix) && over.get(key) === value) all.set(key, value)
      return [...all.keys()]
        .sort()
        .map((key) => all.get(key))
        .filter(Boolean)
    })

  const find = async (prefixes: readonly string[]): Promise<unknown[][]> =>
    merge(prefixes, (await attempt((store) => store.read(prefixes)))?.[0])

  /** The database has them now, unless they have changed since. Without one there is nothing that a removal must hide. */
  const confirm = (pairs: readonly Pair[], done: unknown): void => {
    for (const [key, value] of pairs)
      if (over.get(key) === value && (done || !(value || database))) over.delete(key)
    mirror()
  }

  return {
    async _put(pairs) {
      for (const [key, value] of pairs) over.set(key, value)
      mirror()
      confirm(pairs, await attempt((store) => store.put(pairs)))
    },
    _read: find,
    async _update(prefixes, change) {
      let pairs: readonly Pair[] = []
      // What comes later is written later: a removal made here would be undone by it.
      const held = new Map(over)
      const done = await attempt((store) =>
        store.update(prefixes, (found) => (pairs = change(merge(prefixes, found, held)))),
      )
      if (done) {
        if (pairs.filter(([key]) => over.delete(key))[0]) mirror()
        return
      }
      const found = await attempt((store) => store.read(prefixes))
      pairs = change(merge(prefixes, found?.[0]))
      for (const [key, value] of pairs) over.set(key, value)
      confirm(pairs, false)
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
