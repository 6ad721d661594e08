import { CodedError } from '@attune/core'
import type { Context, MiddlewareHandler } from 'hono'
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

/** One bucket for all processes of a deployment. */
export interface SharedLimits {
  /**
   * Tells of requests that were let through.
   *
   * @param name - scope and id of the caller
   * @returns milliseconds until anybody may let more through; 0: at once
   */
  spend(name: string, requests: number, limit: RateLimit, now: number): Promise<number>
}

interface Bucket {
  left: number
  at: number
  /** Let through and not yet told to the others. */
  untold: number
  /** Others have used up what there was: until then nothing is let through. */
  closedUntil: number
}

/** Where a request leaves its caller. */
export interface Standing {
  readonly limit: RateLimit
  /** Requests still in the bucket, not a whole number. */
  readonly left: number
}

/** Buckets kept by scope; beyond it the ones not used for longest are forgotten, which is to say full again. */
const MAX_BUCKETS = 50_000
/** A caller is told of after so great a part of a burst: most visitors never are, and cost nobody a call. */
const TOLD_PART = 0.1

/**
 * Token buckets by key, visitor and address, in the memory of this process, so that no request waits for anybody. Where
 * buckets are shared, what was let through is told behind responses: a caller spread over N processes gets at most a
 * tenth of a burst more from each. Where they are not, each process counts for itself.
 */
export class RateLimiter {
  readonly #limits: RateLimits
  readonly #now: () => number
  readonly #shared: SharedLimits | undefined
  readonly #buckets: Readonly<Record<RateScope, Map<string, Bucket>>> = {
    key: new Map(),
    visitor: new Map(),
    address: new Map(),
  }
  /** Buckets with something to tell. */
  #due: { scope: RateScope; id: string; limit: RateLimit; bucket: Bucket }[] = []

  constructor(limits: RateLimits, now: () => number, shared?: SharedLimits) {
    this.#limits = limits
    this.#now = now
    this.#shared = shared
  }

  /**
   * Takes one request out of the bucket.
   *
   * @returns undefined where there is no limit
   * @throws {RateLimitError} `RATE_LIMITED` when it is empty
   */
  take(scope: RateScope, id: string): Standing | undefined {
    const limit = this.#limits[scope]
    if (limit === undefined) return undefined
    const buckets = this.#buckets[scope]
    const now = this.#now()
    const bucket = buckets.get(id) ?? { left: limit.burst, at: now, untold: 0, closedUntil: 0 }
    const left = Math.min(limit.burst, bucket.left + (Math.max(0, now - bucket.at) / 1_000) * limit.perSecond)
    const free = left >= 1 && now >= bucket.closedUntil
    bucket.left = free ? left - 1 : left
    bucket.at = now
    // A map keeps the order of insertion: put back last, it is the newest.
    buckets.delete(id)
    buckets.set(id, bucket)
    if (buckets.size > MAX_BUCKETS) {
      for (const oldest of buckets.keys()) {
        buckets.delete(oldest)
        break
      }
    }
    if (!free) {
      const waitS = Math.max((1 - left) / limit.perSecond, (bucket.closedUntil - now) / 1_000)
      throw new RateLimitError(scope, limit, Math.max(1, Math.ceil(waitS)))
    }
    if (this.#shared !== undefined && ++bucket.untold === tellAfter(limit))
      this.#due.push({ scope, id, limit, bucket })
    return { limit, left: bucket.left }
  }

  /** Tells what is to be told. For after a response. Never throws: without the others each counts for itself. */
  async settle(): Promise<void> {
    const shared = this.#shared
    if (shared === undefined || this.#due.length === 0) return
    const due = this.#due
    this.#due = []
    await Promise.all(
      due.map(async ({ scope, id, limit, bucket }) => {
        const requests = bucket.untold
        bucket.untold = 0
        const now = this.#now()
        const closedMs = await shared.spend(`${scope} ${id}`, requests, limit, now).catch(() => 0)
        bucket.closedUntil = Math.max(bucket.closedUntil, now + closedMs)
      }),
    )
  }
}

function tellAfter({ burst }: RateLimit): number {
  return Math.max(1, Math.floor(burst * TOLD_PART))
}

/**
 * Takes a request out of a bucket, and tells its caller of the emptiest of those it was taken out of: `RateLimit-Limit`,
 * `RateLimit-Remaining` and `RateLimit-Reset`, seconds until it is full. Not on GET, whose answers caches hand to others.
 *
 * @throws {RateLimitError} `RATE_LIMITED` when it is empty
 * @see draft-ietf-httpapi-ratelimit-headers-07 for the headers
 */
export function takeFor(
  c: Context<AppEnv>,
  { limiter }: Pick<AppDeps, 'limiter'>,
  scope: RateScope,
  id: string,
): void {
  const standing = limiter.take(scope, id)
  if (standing === undefined || c.req.method === 'GET') return
  const before = c.get('standing')
  if (before !== undefined && before.left <= standing.left) return
  c.set('standing', standing)
  const { limit, left } = standing
  tellLimit(c, limit.burst, Math.floor(left), Math.ceil((limit.burst - left) / limit.perSecond))
}

/** @param resetS - seconds */
export function tellLimit(c: Context<AppEnv>, limit: number, remaining: number, resetS: number): void {
  c.header('ratelimit-limit', String(limit))
  c.header('ratelimit-remaining', String(remaining))
  c.header('ratelimit-reset', String(resetS))
}

/** Counts a page's request for its key and its address, before the body is read. */
export function limitKeyAndAddress({
  limiter,
  quotas,
  addressOf,
}: Pick<AppDeps, 'limiter' | 'quotas' | 'addressOf'>): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const address = addressOf(c)
    if (address !== undefined) takeFor(c, { limiter }, 'address', address)
    const { id } = c.get('site')
    takeFor(c, { limiter }, 'key', id)
    quotas.take(id)
    await next()
    c.executionCtx.waitUntil(Promise.all([limiter.settle(), quotas.settle()]))
  }
}
