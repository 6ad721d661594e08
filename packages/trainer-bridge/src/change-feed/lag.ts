import { ChangeFeedStartFrom, StatusCodes, type Container, type FeedRange } from '@azure/cosmos'
import { parseSessionToken } from '@attune/core'
import { LeaseStore, type StoredDocument } from './lease-store.ts'
import { readLeases, type LeaseDocument } from './lease.ts'
import { keyOf } from './places.ts'

/** How far a processor is behind in one range. */
export interface Lag {
  readonly range: string
  /** Undefined: nobody reads it. */
  readonly owner: string | undefined
  /** Transactions after its checkpoint; an estimate, as of .NET's estimator. */
  readonly items: number
  /** Age of the oldest change after its checkpoint. */
  readonly seconds: number
}

export interface LagOptions {
  readonly container: Container
  readonly leases: Container
  /** {@link ChangeFeedProcessor.prefix} */
  readonly prefix: string
  readonly signal: AbortSignal
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/**
 * Estimates how far behind its checkpoints a processor is, from any process: one change is asked for after each, and the
 * session token that comes with it says how far the partition is. One request of a few RU for each range.
 */
export async function estimateLag(options: LagOptions): Promise<readonly Lag[]> {
  const { container, leases, prefix, signal } = options
  const store = new LeaseStore(leases, signal)
  const documents = await store.list<StoredDocument>(prefix)
  const isLease = (one: StoredDocument): one is LeaseDocument => 'generation' in one
  const [sample] = await container.getFeedRanges()
  if (sample === undefined) return []
  return Promise.all(
    readLeases(documents.filter(isLease)).active.map((lease) => lagOf(lease, sample, options)),
  )
}

async function lagOf(lease: LeaseDocument, sample: FeedRange, options: LagOptions): Promise<Lag> {
  const { range, continuation, Owner } = lease
  const whole = Object.assign(Object.create(Object.getPrototypeOf(sample) as object) as FeedRange, {
    minInclusive: range.min,
    maxExclusive: range.max,
  })
  const iterator = options.container.items.getChangeFeedIterator<{ _lsn?: number; _ts?: number }>({
    maxItemCount: 1,
    changeFeedStartFrom:
      continuation === null
        ? ChangeFeedStartFrom.Beginning(whole)
        : ChangeFeedStartFrom.Continuation(continuation),
  })
  const page = await iterator.readNext()
  const none: Lag = { range: keyOf(range), owner: Owner ?? undefined, items: 0, seconds: 0 }
  const first = page.statusCode === StatusCodes.NotModified ? undefined : page.result[0]
  if (first === undefined) return none
  const [progress] = [...parseSessionToken(page.sessionToken).values()]
  const items = Math.max(1, (progress?.globalLsn ?? 0) - (first._lsn ?? 0) + 1)
  const now = (options.now ?? Date.now)() / 1_000
  return { ...none, items, seconds: Math.max(0, now - (first._ts ?? now)) }
}
