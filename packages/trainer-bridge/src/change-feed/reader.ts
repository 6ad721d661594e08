import type { Container, FeedRange } from '@azure/cosmos'
import { keyOf, uncoveredParts, type FeedPlaces, type KeyRange } from './places.ts'
import { readFeed, type FeedRead, type FeedStart } from './read.ts'

export interface FeedReaderOptions {
  /** For metrics; the container's id when absent. */
  readonly name?: string
  readonly container: Container
  readonly start: FeedStart
  /** As checkpointed. */
  readonly places: FeedPlaces
  readonly maxItemCount?: number
  readonly idleMs?: number
  readonly readTimeoutMs?: number
  readonly signal: AbortSignal
  readonly random: () => number
  /** Added to. */
  readonly totals?: FeedTotals
  /** Takes a page in; the next one of the range is read when the promise settles. */
  readonly onPage: (page: FeedRead<unknown>, range: KeyRange) => Promise<void>
  readonly onError: (range: string, error: unknown, retryInMs: number) => void
}

/** What has been read so far, over all ranges. */
export class FeedTotals {
  ranges = 0
  documents = 0
  skipped = 0
  ru = 0
  readonly #lags = new Map<
    string,
    { feed: string; range: string; items: number; oldest: number | undefined }
  >()

  /** @param oldest - seconds since 1970 of the oldest change that waits */
  lag(feed: string, range: string, items: number, oldest?: number): void {
    this.#lags.set(`${feed} ${range}`, { feed, range, items, oldest })
  }

  /** How far behind each range is, in transactions and in seconds. */
  lags(): { feed: string; range: string; items: number; seconds: number }[] {
    const now = Date.now() / 1_000
    return [...this.#lags.values()].map(({ feed, range, items, oldest = now }) => ({
      feed,
      range,
      items,
      seconds: items === 0 ? 0 : Math.max(0, now - oldest),
    }))
  }
}

/**
 * Reads all ranges of a container side by side, each from its checkpoint, for a process that shares them with nobody.
 * Slices of the checkpoint are gone on with as they are, whatever has been split since. What the checkpoint does not
 * cover, because the process ended before its first page, starts anew.
 *
 * @throws what Cosmos answers when the ranges cannot be listed
 */
export async function startReaders(
  options: FeedReaderOptions,
): Promise<{ totals: FeedTotals; done: Promise<void> }> {
  const known = options.places.continuations
  const listed = await options.container.getFeedRanges()
  const [sample] = listed
  const fresh = listed
    .map(({ minInclusive: min, maxExclusive: max }) => ({ min, max }))
    .flatMap((range) => uncoveredParts(range, options.places.places))
  const ranges: [KeyRange, string | undefined][] = [
    ...known,
    ...fresh.map((range): [KeyRange, undefined] => [range, undefined]),
  ]
  const totals = options.totals ?? new FeedTotals()
  totals.ranges += ranges.length
  const reading = ranges.map(([range, continuation]) =>
    sample === undefined ? undefined : readRange(range, continuation, sample, options, totals),
  )
  return { totals, done: Promise.all(reading).then(() => undefined) }
}

async function readRange(
  range: KeyRange,
  continuation: string | undefined,
  sample: FeedRange,
  options: FeedReaderOptions,
  totals: FeedTotals,
): Promise<void> {
  const name = options.name ?? options.container.id
  const feed = readFeed<unknown>({
    container: options.container,
    // The SDK only takes ranges of its own class, which it does not export.
    range: Object.assign(Object.create(Object.getPrototypeOf(sample) as object) as FeedRange, {
      minInclusive: range.min,
      maxExclusive: range.max,
    }),
    continuation,
    start: options.start,
    ...(options.maxItemCount !== undefined && { maxItemCount: options.maxItemCount }),
    ...(options.idleMs !== undefined && { idleMs: options.idleMs }),
    ...(options.readTimeoutMs !== undefined && { readTimeoutMs: options.readTimeoutMs }),
    signal: options.signal,
    random: options.random,
    onRead: (ru, documents) => {
      totals.ru += ru
      totals.documents += documents
      if (documents === 0) totals.lag(name, keyOf(range), 0)
    },
    onError: (error, retryInMs) => {
      options.onError(keyOf(range), error, retryInMs)
    },
  })
  for await (const page of feed) {
    const first: unknown = page.documents[0]
    const stamp: unknown = typeof first === 'object' && first !== null ? Reflect.get(first, '_ts') : undefined
    totals.lag(name, keyOf(range), page.behind + page.documents.length, Number(stamp ?? Date.now() / 1_000))
    await options.onPage(page, range)
  }
}
