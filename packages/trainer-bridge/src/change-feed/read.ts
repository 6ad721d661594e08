import {
  ChangeFeedStartFrom,
  ErrorResponse,
  StatusCodes,
  type ChangeFeedPullModelIterator,
  type Container,
  type FeedRange,
} from '@azure/cosmos'
import { formatSessionToken, parseSessionToken } from '@attune/core'
import { sleep } from './sleep.ts'
import { withinTime } from './within-time.ts'

/** Where a range without a continuation starts. */
export type FeedStart = 'beginning' | 'now' | Date

/** What came back from one read of one range. */
export interface FeedRead<Document> {
  readonly documents: readonly Document[]
  /** Where to go on once these are taken in. */
  readonly continuation: string
  /** Session token up to which the range has been read; null when the service told none. */
  readonly through: string | null
  /** Physical partition the page came from; undefined when the service told none. */
  readonly partition: string | undefined
  /** Transactions of that partition after this page. */
  readonly behind: number
}

export interface ReadFeedOptions {
  readonly container: Container
  readonly range: FeedRange
  /** As handed out by an earlier read of this range. */
  readonly continuation: string | undefined
  readonly start: FeedStart
  readonly maxItemCount?: number
  /** Pause after an empty read while documents still come; four times as long once the range has been quiet. */
  readonly idleMs?: number
  /** A read without an answer for so long is given up and told; 10 s when absent. */
  readonly readTimeoutMs?: number
  readonly signal: AbortSignal
  readonly random: () => number
  /** Told the charge of each read, empty ones too, and whether there was anything. */
  readonly onRead?: (ru: number, documents: number) => void
  /** Told each failed read; reading goes on after a pause. */
  readonly onError: (error: unknown, retryInMs: number) => void
}

const READ_TIMEOUT_MS = 10_000
const MAX_ITEM_COUNT = 500
const IDLE_MS = 25
const QUIET_AFTER = 40
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5_000

/**
 * Reads one range of the change feed until the signal fires: a page as soon as there is one. The iterator follows splits
 * and merges by itself; its composite continuation then names the children.
 *
 * Yields an empty page once where the range starts at "now" or at a time, so that the starting point can be kept.
 * Asks for the next page only when the consumer comes back: that is the back-pressure.
 */
export async function* readFeed<Document>(
  options: ReadFeedOptions,
): AsyncGenerator<FeedRead<Document>, void> {
  const { signal, random, idleMs = IDLE_MS } = options
  let { continuation } = options
  let iterator: ChangeFeedPullModelIterator<Document> | undefined
  let failures = 0
  let empty = 0
  while (!signal.aborted) {
    try {
      iterator ??= openIterator<Document>(options, continuation)
      const page = await withinTime(
        'change feed',
        iterator.readNext(),
        options.readTimeoutMs ?? READ_TIMEOUT_MS,
        signal,
      )
      if (page === undefined) return
      failures = 0
      const isNew = page.statusCode !== StatusCodes.NotModified
      options.onRead?.(page.requestCharge, isNew ? page.result.length : 0)
      const first = continuation === undefined && options.start !== 'beginning'
      if (isNew) continuation = page.continuationToken
      if (isNew || first) {
        empty = 0
        continuation = page.continuationToken
        const etag = header(page.headers, 'etag')
        yield {
          documents: isNew ? page.result : [],
          continuation,
          through: isNew ? readThrough(page.sessionToken, etag) : null,
          ...progressOf(page.sessionToken, etag),
        }
      } else {
        empty++
        await sleep(empty > QUIET_AFTER ? idleMs * 4 : idleMs, signal)
      }
    } catch (error) {
      if (signal.aborted) return
      // The iterator may have lost its place; a fresh one goes on from what the consumer has taken.
      iterator = undefined
      const retryInMs =
        retryAfter(error) ?? Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures) * (0.5 + random() / 2)
      failures = Math.min(failures + 1, 10)
      options.onError(error, retryInMs)
      await sleep(retryInMs, signal)
    }
  }
}

function openIterator<Document>(
  { container, range, start, maxItemCount = MAX_ITEM_COUNT }: ReadFeedOptions,
  continuation: string | undefined,
): ChangeFeedPullModelIterator<Document> {
  return container.items.getChangeFeedIterator<Document>({
    maxItemCount,
    changeFeedStartFrom: startFrom(range, start, continuation),
  })
}

function startFrom(
  range: FeedRange,
  start: FeedStart,
  continuation: string | undefined,
): ChangeFeedStartFrom {
  if (continuation !== undefined) return ChangeFeedStartFrom.Continuation(continuation)
  if (start === 'beginning') return ChangeFeedStartFrom.Beginning(range)
  return start === 'now' ? ChangeFeedStartFrom.Now(range) : ChangeFeedStartFrom.Time(start, range)
}

/** Where the partition a page came from stands, by the session token of the answer. */
function progressOf(
  sessionToken: string | undefined,
  etag: string | undefined,
): { partition: string | undefined; behind: number } {
  const lsn = Number(etag?.replaceAll('"', ''))
  try {
    const [entry] = parseSessionToken(sessionToken ?? '')
    if (entry === undefined) return { partition: undefined, behind: 0 }
    const [partition, { globalLsn }] = entry
    return { partition, behind: Number.isSafeInteger(lsn) ? Math.max(0, globalLsn - lsn) : 0 }
  } catch {
    return { partition: undefined, behind: 0 }
  }
}

/**
 * The session token that a page proves: that of the response, but no further than the page's own etag, which is the
 * number of the last change in it. The response's token says how far the *service* has come, and more changes may wait.
 */
export function readThrough(sessionToken: string | undefined, etag: string | undefined): string | null {
  const lsn = Number(etag?.replaceAll('"', ''))
  if (sessionToken === undefined || !Number.isSafeInteger(lsn)) return null
  try {
    const ranges = [...parseSessionToken(sessionToken)]
    const [entry] = ranges
    if (ranges.length !== 1 || entry === undefined) return null
    const [range, { version, globalLsn, regions }] = entry
    const capped = new Map([...regions].map(([region, local]) => [region, Math.min(local, lsn)]))
    return formatSessionToken(
      new Map([[range, { version, globalLsn: Math.min(globalLsn, lsn), regions: capped }]]),
    )
  } catch {
    return null
  }
}

function header(headers: object, name: string): string | undefined {
  const value: unknown = Reflect.get(headers, name)
  return typeof value === 'string' ? value : undefined
}

function retryAfter(error: unknown): number | undefined {
  if (!(error instanceof ErrorResponse)) return undefined
  const ms = error.retryAfterInMs ?? Number(header(error.headers ?? {}, 'x-ms-retry-after-ms'))
  return Number.isFinite(ms) && ms > 0 ? ms : undefined
}
