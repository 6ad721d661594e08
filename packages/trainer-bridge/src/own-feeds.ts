import type { Container } from '@azure/cosmos'
import { toStoredBatch } from './change-feed/batches.ts'
import { toItemChange } from './change-feed/items.ts'
import { keyOf, type FeedPlaces, type KeyRange } from './change-feed/places.ts'
import { FeedTotals, startReaders } from './change-feed/reader.ts'
import type { FeedRead, FeedStart } from './change-feed/read.ts'
import type { FeedName, FeedPage } from './refresh/micro-batch.ts'

/** Containers whose changes a bridge follows. */
export interface Feeds {
  readonly events: Container
  /** Absent: no catalogue is kept. */
  readonly items: Container | undefined
}

export interface OwnFeedsOptions {
  readonly feeds: Feeds
  /** Of the events; the catalogue is always read whole. */
  readonly start: FeedStart
  readonly places: (feed: FeedName) => FeedPlaces
  readonly idleMs?: number
  readonly signal: AbortSignal
  readonly random: () => number
  readonly onPage: (page: FeedPage) => Promise<void>
  readonly onError: (range: string, error: unknown, retryInMs: number) => void
}

/** Pages of this many items stay far below what a delta may carry. */
export const ITEMS_PER_PAGE = 200

/** A page as read → what the model takes in; documents that are neither batch nor item are left out. */
export function toPage(
  feed: FeedName,
  range: KeyRange,
  { documents, continuation, through }: Pick<FeedRead<unknown>, 'documents' | 'continuation' | 'through'>,
): FeedPage {
  const page = { range: keyOf(range), continuation }
  if (feed === 'events') {
    return { ...page, through, batches: documents.flatMap((document) => toStoredBatch(document) ?? []) }
  }
  const items = documents.flatMap((document) => toItemChange(document) ?? [])
  // Session tokens are of one container: that of the catalogue says nothing about clicks.
  return { ...page, feed, through: null, batches: [], items }
}

/** Reads both feeds in this process, alone: what a bridge with a folder of its own does. */
export async function startOwnFeeds(
  options: OwnFeedsOptions,
): Promise<{ totals: FeedTotals; done: Promise<void> }> {
  const { feeds, start, places, idleMs, signal, random, onPage, onError } = options
  const totals = new FeedTotals()
  const readings = (['events', 'items'] as const).flatMap((feed) => {
    const container = feeds[feed]
    if (container === undefined) return []
    return startReaders({
      name: feed,
      container,
      start: feed === 'events' ? start : 'beginning',
      places: places(feed),
      ...(feed === 'items' && { maxItemCount: ITEMS_PER_PAGE }),
      ...(idleMs !== undefined && { idleMs }),
      signal,
      random,
      totals,
      onPage: (read, range) => {
        const page = toPage(feed, range, read)
        totals.skipped += read.documents.length - page.batches.length - (page.items?.length ?? 0)
        return onPage(page)
      },
      onError: (range, error, retryInMs) => {
        onError(feed === 'events' ? range : `${feed} ${range}`, error, retryInMs)
      },
    })
  })
  const started = await Promise.all(readings)
  return { totals, done: Promise.all(started.map(({ done }) => done)).then(() => undefined) }
}
