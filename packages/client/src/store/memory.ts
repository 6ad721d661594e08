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
  return {
    put: async (pairs) => write(pairs),
    update: async (change) => write(change(new Map(kept))),
    close() {},
  }
}
