import type { Lock } from './lock.ts'
import type { Kept } from './store/kept.ts'

/** How long a tab that disappeared holds up the others. */
const LEASE_TTL_MS = 15_000
const LEASE_POLL_MS = 500

interface Lease {
  readonly owner: string
  /** Taken or renewed then; milliseconds since 1970. */
  readonly at: number
}

/**
 * A lease in the store: taken and renewed in one transaction, free again when its holder has gone, or when the clock was
 * put back since.
 */
export function createLease(kept: Kept, owner: string, now: () => number): Lock {
  /** Changes the lease unless another tab has it. Returns whether it is ours. */
  const change = async (next?: Lease): Promise<boolean> => {
    let ours = false
    await kept._update((all) => {
      const held = all.get('lease') as Lease | undefined
      ours = !held || held.owner === owner || Math.abs(now() - held.at) >= LEASE_TTL_MS
      return ours ? [['lease', next]] : []
    })
    return ours
  }
  const take = (): Promise<boolean> => change({ owner, at: now() })
  return async (work, signal) => {
    while (!(await take())) {
      await new Promise((resolve) => setTimeout(resolve, LEASE_POLL_MS))
      if (signal.aborted) return
    }
    const renewal = setInterval(take, LEASE_TTL_MS / 3)
    try {
      await work()
    } finally {
      clearInterval(renewal)
      await change()
    }
  }
}
