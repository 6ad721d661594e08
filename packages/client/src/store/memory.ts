import type { KeyValueStore, Pair } from './key-value.ts'

/** Lives as long as the page: for apps without IndexedDB and for tests. */
export function createMemoryStore(): KeyValueStore {
  const kept = new Map<string, unknown>()
  const write = (pairs: readonly Pair[]): void => {
    for (const [key, value] of pairs) {
      if (value === undefined) kept.delete(key)
      else kept.set(key, value)
    }
  }
  const find = (prefixes: readonly string[]): unknown[][] =>
    prefixes.map((prefix) => [...kept].flatMap(([key, value]) => (key.startsWith(prefix) ? [value] : [])))
  return {
    put: async (pairs) => write(pairs),
    read: async (prefixes) => find(prefixes),
    update: async (prefixes, change) => write(change(find(prefixes))),
    clear: async () => kept.clear(),
    close() {},
  }
}
