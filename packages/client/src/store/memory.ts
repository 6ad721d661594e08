import type { KeyValueStore } from './key-value.ts'

/** Lives as long as the page: for apps without IndexedDB and for tests. */
export function createMemoryStore(): KeyValueStore {
  const kept = new Map<string, unknown>()
  return {
    async put(pairs) {
      for (const [key, value] of pairs) {
        if (value === undefined) kept.delete(key)
        else kept.set(key, value)
      }
    },
    all: async (prefix) => [...kept].flatMap(([key, value]) => (key.startsWith(prefix) ? [value] : [])),
    get: async (key) => kept.get(key),
    async update(key, change) {
      const value = change(kept.get(key))
      kept.set(key, value)
      return value
    },
    clear: async () => kept.clear(),
    close() {},
  }
}
