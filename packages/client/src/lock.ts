import type { QueueStore } from './store/queue-store.ts'

/** Runs the work while no other tab of the site runs its own; waits its turn, until `signal` ends the wait. */
export type Lock = (work: () => Promise<void>, signal: AbortSignal) => Promise<void>

/** How long a tab that disappeared holds up the others, where there are no Web Locks. */
const LEASE_TTL_MS = 15_000
const LEASE_POLL_MS = 500

interface Lease {
  readonly owner: string
  /** Milliseconds since 1970. */
  readonly until: number
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Without Web Locks (pages served over plain http have none) a lease in the store does: taken and renewed in one
 * transaction, free again when its holder has gone. A lease further ahead than any could be was written by a clock that
 * has been put back since, and counts as free.
 */
export function createLease(store: QueueStore, owner: string, now: () => number): Lock {
  const take = async (): Promise<boolean> => {
    const kept = (await store.update('lease', (held) => {
      const lease = held as Lease | undefined
      const time = now()
      const taken = lease && lease.owner !== owner && lease.until > time && lease.until <= time + LEASE_TTL_MS
      return taken ? lease : { owner, until: time + LEASE_TTL_MS }
    })) as Lease
    return kept.owner === owner
  }
  return async (work, signal) => {
    while (!(await take())) {
      await sleep(LEASE_POLL_MS)
      signal.throwIfAborted()
    }
    const renewal = setInterval(() => void take(), LEASE_TTL_MS / 3)
    try {
      await work()
    } finally {
      clearInterval(renewal)
      await store.update('lease', (held) => ((held as Lease | undefined)?.owner === owner ? undefined : held))
    }
  }
}

/** Web Locks: released by the browser whatever becomes of the tab. */
export function createWebLock(locks: LockManager, name: string): Lock {
  return async (work, signal) => {
    await locks.request(name, { signal }, work)
  }
}
