import type { DurableObjectNamespace } from '@cloudflare/workers-types'
import { DurableObject } from 'cloudflare:workers'
import type { RateLimit } from '../config.ts'
import type { SharedLimits } from './rate-limit.ts'

/** Longest that one report can close a caller off; debts beyond it are forgotten. */
const MAX_DEBT_MS = 60_000

interface RemoteCounter {
  spend(requests: number, limit: RateLimit, now: number): Promise<number>
}

/**
 * One caller's bucket over all isolates, in the memory of one Durable Object. Isolates tell afterwards what they let
 * through, so it may fall below empty: that is a debt, which everybody waits for.
 */
export class LimitCounter extends DurableObject {
  #left: number | undefined
  #at = 0

  /** @returns milliseconds until there is something in the bucket again; 0: there is */
  spend(requests: number, limit: RateLimit, now: number): number {
    const filled = (Math.max(0, now - this.#at) / 1_000) * limit.perSecond
    const before = Math.min(limit.burst, (this.#left ?? limit.burst) + filled)
    const lowest = -(MAX_DEBT_MS / 1_000) * limit.perSecond
    this.#left = Math.max(lowest, before - requests)
    this.#at = Math.max(this.#at, now)
    return this.#left >= 0 ? 0 : (-this.#left / limit.perSecond) * 1_000
  }
}

/** Buckets shared through Durable Objects, one for each caller who asks enough to be told of. */
export function durableObjectLimits(namespace: DurableObjectNamespace): SharedLimits {
  return {
    spend(name, requests, limit, now) {
      const counter = namespace.get(namespace.idFromName(name)) as unknown as RemoteCounter
      return counter.spend(requests, limit, now)
    },
  }
}
