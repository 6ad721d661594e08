/** A key, and a value or, to remove it, nothing. */
export type Pair = readonly [key: string, value?: unknown]

/**
 * Where events wait: IndexedDB, memory, or what an app brings. All tabs of a site share it. Keys are texts and sort by
 * their code units; values are what JSON can carry.
 */
export interface KeyValueStore {
  /** Writes all or nothing. Starts before it returns: a page that is being closed runs no further callback. */
  put(pairs: readonly Pair[]): Promise<unknown>
  /**
   * Hands everything to `change`, by key, and writes what that returns, in one step: nothing of another tab comes between.
   * `change` returns at once, and is called again after a refusal.
   */
  update(change: (all: Map<string, unknown>) => readonly Pair[]): Promise<unknown>
  close(): void
}
