import type { Kept } from './store/kept.ts'

/**
 * Runs the work while no other tab of the site runs its own; waits its turn, until `signal` ends the wait.
 *
 * @param work - `firm`: nobody takes it away from a tab that has been stopped for a while
 */
export type Lock = (work: (firm?: unknown) => Promise<void>, signal: AbortSignal) => Promise<void>

/**
 * Web Locks: released by the browser whatever becomes of the tab. Where there are none (pages served over plain http), or
 * the browser refuses them as it refuses storage, a lease in the store, which few pages need to load.
 */
export function createLock(name: string, kept: Kept, owner: string, now: () => number): Lock {
  return async (work, signal) => {
    try {
      await navigator.locks.request(name, { signal }, work)
    } catch {
      if (!signal.aborted) await (await import('./rare.ts')).createLease(kept, owner, now)(work, signal)
    }
  }
}
