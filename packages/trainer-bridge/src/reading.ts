import { FeedTotals } from './change-feed/reader.ts'
import { Inbox } from './inbox.ts'
import { startOwnFeeds, type OwnFeedsOptions } from './own-feeds.ts'

export interface ReadingOptions extends Pick<
  OwnFeedsOptions,
  'start' | 'places' | 'idleMs' | 'random' | 'onError'
> {
  /** Absent: pages are offered by somebody else. */
  readonly feeds: OwnFeedsOptions['feeds'] | undefined
  /** At least this long between two calls of `take`; the first after a pause goes at once. */
  readonly intervalMs: number
  readonly now: () => number
  /** Takes pages in. What it throws ends the reading. */
  readonly take: (inbox: Inbox, signal: AbortSignal) => Promise<void>
  readonly onStopped: (error: unknown) => void
}

/** The change feed being read: from opening the ranges until a new base, or the end. */
export class Reading {
  readonly inbox: Inbox = new Inbox()
  readonly #stop = new AbortController()
  #totals = new FeedTotals()
  #done: Promise<unknown> = Promise.resolve()

  static async start(options: ReadingOptions): Promise<Reading> {
    const { feeds, start, places, idleMs, random, onError } = options
    const reading = new Reading()
    const { inbox } = reading
    const { signal } = reading.#stop
    const reads =
      feeds &&
      (await startOwnFeeds({
        feeds,
        start,
        places,
        ...(idleMs !== undefined && { idleMs }),
        signal,
        random,
        onPage: (page) => inbox.put(page),
        onError,
      }))
    if (reads !== undefined) reading.#totals = reads.totals
    reading.#done = Promise.allSettled([reads?.done, reading.#run(options)])
    return reading
  }

  private constructor() {}

  get totals(): FeedTotals {
    return this.#totals
  }

  /** Settles when nothing more is taken in. */
  async end(): Promise<void> {
    this.#close()
    await this.#done
  }

  async #run({ take, intervalMs, now, onStopped }: ReadingOptions): Promise<void> {
    const { inbox } = this
    const { signal } = this.#stop
    try {
      while (!signal.aborted) {
        await inbox.filled(signal)
        if (signal.aborted) return
        const started = now()
        await take(inbox, signal)
        await inbox.pause(intervalMs - (now() - started), signal)
      }
    } catch (error) {
      onStopped(error)
      this.#close()
    }
  }

  #close(): void {
    this.#stop.abort()
    this.inbox.close()
  }
}
