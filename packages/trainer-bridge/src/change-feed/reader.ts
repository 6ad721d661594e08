import type { Container, FeedRange } from '@azure/cosmos'
import type { FeedPage } from '../refresh/live-model.ts'
import { toStoredBatch } from './batches.ts'
import { rangeKey, readFeed, type FeedStart } from './read.ts'

export interface FeedReaderOptions {
  readonly container: Container
  readonly start: FeedStart
  /** By range key, as checkpointed. */
  readonly continuations: ReadonlyMap<string, string>
  readonly idleMs?: number
  readonly readTimeoutMs?: number
  readonly signal: AbortSignal
  readonly random: () => number
  /** Takes a page in; the next one of the range is read when the promise settles. */
  readonly onPage: (page: FeedPage) => Promise<void>
  readonly onError: (range: string, error: unknown, retryInMs: number) => void
}

/** What has been read so far, over all ranges. */
export interface FeedTotals {
  ranges: number
  documents: number
  skipped: number
  ru: number
}

/**
 * Reads all ranges of a container side by side, each from its checkpoint. Ranges of the checkpoint are gone on with as
 * they are, whatever has been split since: their composite continuations know the children. What the checkpoint does
 * not cover, because the process ended before its first page, starts anew.
 *
 * @throws what Cosmos answers when the ranges cannot be listed
 */
export async function startReaders(
  options: FeedReaderOptions,
): Promise<{ totals: FeedTotals; done: Promise<void> }> {
  const known = [...options.continuations.keys()].map(parseRange)
  const listed = await options.container.getFeedRanges()
  const ranges = [...known, ...listed.flatMap((range) => uncovered(range, known))]
  const totals: FeedTotals = { ranges: ranges.length, documents: 0, skipped: 0, ru: 0 }
  const done = Promise.all(ranges.map((range) => readRange(range, options, totals))).then(() => undefined)
  return { totals, done }
}

async function readRange(range: FeedRange, options: FeedReaderOptions, totals: FeedTotals): Promise<void> {
  const key = rangeKey(range)
  const feed = readFeed<unknown>({
    container: options.container,
    range,
    continuation: options.continuations.get(key),
    start: options.start,
    ...(options.idleMs !== undefined && { idleMs: options.idleMs }),
    ...(options.readTimeoutMs !== undefined && { readTimeoutMs: options.readTimeoutMs }),
    signal: options.signal,
    random: options.random,
    onRead: (ru) => {
      totals.ru += ru
    },
    onError: (error, retryInMs) => {
      options.onError(key, error, retryInMs)
    },
  })
  for await (const { documents, continuation, through } of feed) {
    const batches = documents.flatMap((document) => toStoredBatch(document) ?? [])
    totals.documents += documents.length
    totals.skipped += documents.length - batches.length
    await options.onPage({ range: key, continuation, through, batches })
  }
}

/** The parts of a range that none of the known ones reads. */
export function uncovered(range: FeedRange, known: readonly FeedRange[]): FeedRange[] {
  const parts: FeedRange[] = []
  let from = range.minInclusive
  const ordered = [...known].sort((a, b) => (a.minInclusive < b.minInclusive ? -1 : 1))
  for (const { minInclusive, maxExclusive } of ordered) {
    if (maxExclusive <= from || minInclusive >= range.maxExclusive) continue
    if (minInclusive > from) parts.push(partOf(range, from, minInclusive))
    from = maxExclusive
  }
  if (from < range.maxExclusive) parts.push(partOf(range, from, range.maxExclusive))
  return parts
}

/** The SDK only takes ranges of its own class, which it does not export. */
function partOf(range: FeedRange, minInclusive: string, maxExclusive: string): FeedRange {
  return Object.assign(Object.create(Object.getPrototypeOf(range) as object) as FeedRange, {
    minInclusive,
    maxExclusive,
  })
}

function parseRange(key: string): FeedRange {
  const [minInclusive = '', maxExclusive = ''] = key.split('-')
  return { minInclusive, maxExclusive }
}
