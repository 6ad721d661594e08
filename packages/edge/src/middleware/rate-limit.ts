import { CodedError } from '@attune/core'
import type { MiddlewareHandler } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import type { RateLimit, RateLimits, RateScope } from '../config.ts'

export type RateLimitErrorCode = 'RATE_LIMITED'

/** The bucket is empty. */
export class RateLimitError extends CodedError<RateLimitErrorCode> {
  override readonly name = 'RateLimitError'
  readonly scope: RateScope
  readonly limit: RateLimit
  /** Whole seconds until there is one request in the bucket again, at least 1. */
  readonly retryAfterS: number

  constructor(scope: RateScope, limit: RateLimit, retryAfterS: number) {
    const { burst, perSecond } = limit
    super(
      'RATE_LIMITED',
      `${scope}: expected at most ${burst} at once and ${perSecond} a second; try again in ${retryAfterS} s`,
    )
    this.scope = scope
    this.limit = limit
    this.retryAfterS = retryAfterS
  }
}

interface Bucket {
  left: number
  at: number
}

/** Buckets kept by scope; beyond it the ones not used for longest are forgotten, which is to say full again. */
const MAX_BUCKETS = 50_000

/**
 * Token buckets by key, visitor and address, in the memory of this process: on Workers each isolate counts for itself,
 * so what a deployment lets through is the limit times the isolates a caller is spread over.
 */
export class RateLimiter {
  readonly #limits: RateLimits
  readonly #now: () => number
  readonly #buckets: Readonly<Record<RateScope, Map<string, Bucket>>> = {
    key: new Map(),
    visitor: new Map(),
    address: new Map(),
  }

  constructor(limits: RateLimits, now: () => number) {
    this.#limits = limits
    this.#now = now
  }

  /**
   * Takes one request out of the bucket.
   *
   * @throws {RateLimitError} `RATE_LIMITED` when it is empty
   */
  take(scope: RateScope, id: string): void {
    const limit = this.#limits[scope]
    if (limit === undefined) return
    const buckets = this.#buckets[scope]
    const now = this.#now()
    const bucket = buckets.get(id) ?? { left: limit.burst, at: now }
    const left = Math.min(limit.burst, bucket.left + (Math.max(0, now - bucket.at) / 1_000) * limit.perSecond)
    // A map keeps the order of insertion: put back last, it is the newest.
    buckets.delete(id)
    buckets.set(id, { left: left >= 1 ? left - 1 : left, at: now })
    if (buckets.size > MAX_BUCKETS) {
      for (const oldest of buckets.keys()) {
        buckets.delete(oldest)
        break
      }
    }
    if (left < 1) throw new RateLimitError(scope, limit, Math.max(1, Math.ceil((1 - left) / limit.perSecond)))
  }
}

/** Counts a page's request for its key and its address, before the body is read. */
export function limitKeyAndAddress(deps: Pick<AppDeps, 'limiter' | 'addressOf'>): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const address = deps.addressOf(c)
    if (address !== undefined) deps.limiter.take('address', address)
    deps.limiter.take('key', c.var.site.id)
    await next()
  }
}
