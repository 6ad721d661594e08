/** A key, and a value or, to remove it, nothing. */
export type Pair = readonly [key: string, value?: unknown]

/**
 * Where events wait: IndexedDB, memory, or what an app brings. All tabs of a site share it. Keys are texts and sort by
 * their code units; values are what JSON can carry.
 */
export interface KeyValueStore {
  /** Writes all or nothing. Starts before it returns: a page that is being closed runs no further callback. */
  put(pairs: readonly Pair[]): Promise<unknown>
  /** The values whose keys start with `prefix`. */
  all(prefix: string): Promise<unknown[]>
  get(key: string): Promise<unknown>
  /** Reads and writes in one step; nothing of another tab comes between. Returns what is kept now. */
  update(key: string, change: (kept: unknown) => unknown): Promise<unknown>
  clear(): Promise<unknown>
  close(): void
}
