import { formatContinuation, parseContinuation, rangeOf, type FeedPlaces } from './change-feed/places.ts'
import { sleep } from './change-feed/sleep.ts'
import { BridgeError } from './error.ts'
import type { LiveModel } from './refresh/live-model.ts'
import type { FeedPage } from './refresh/micro-batch.ts'

/** Events that may wait before readers are held back. */
const MAX_WAITING_EVENTS = 20_000
/** Events of one micro-batch: about what can be taken in within its 500 ms. */
const MAX_BATCH_EVENTS = 2_500
/** With so many waiting there is no pause: it is for quiet times, to make a few deltas of many clicks. */
const BACKLOG_EVENTS = 400
/** Items of the catalogue weigh more: all their attributes go into the delta. */
const EVENTS_PER_ITEM = 4

/** A page that waits to be taken in. */
export interface Waiting {
  readonly page: FeedPage
  /** Where its reader stood before it; null: nowhere yet; undefined: it is known to follow. */
  readonly previous: string | null | undefined
  /** Told once the page is in the journal. */
  readonly taken: () => void
  readonly refused: (error: unknown) => void
}

/** Pages between the readers and the model: readers wait when it is full, the model when it is empty. */
export class Inbox {
  #pages: Waiting[] = []
  #events = 0
  #filled: (() => void) | undefined
  #backlog: (() => void) | undefined
  #waiting: (() => void)[] = []
  #closed = false

  /** Events in all waiting pages. */
  get events(): number {
    return this.#events
  }

  /** Settles once there is room for more. */
  async put(page: FeedPage): Promise<void> {
    this.#add({ page, previous: undefined, taken: () => undefined, refused: () => undefined })
    while (this.#events > MAX_WAITING_EVENTS && !this.#closed)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Settles once the page is in the journal. @throws {BridgeError} `FEED_CLOSED`, or why it was refused */
  offer(page: FeedPage, previous: string | null): Promise<void> {
    if (this.#closed) return Promise.reject(closed())
    return new Promise<void>((taken, refused) => {
      this.#add({ page, previous, taken, refused })
    })
  }

  /** Settles when there is a page, or when the signal fires. */
  async filled(signal: AbortSignal): Promise<void> {
    if (this.#pages.length > 0 || signal.aborted) return
    await new Promise<void>((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#filled = done
      signal.addEventListener('abort', done)
    })
    this.#filled = undefined
  }

  /** Settles after `ms`, or as soon as much is waiting, or when the signal fires. */
  async pause(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#events >= BACKLOG_EVENTS) return
    const hurry = new AbortController()
    this.#backlog = () => {
      hurry.abort()
    }
    await sleep(ms, AbortSignal.any([signal, hurry.signal]))
    this.#backlog = undefined
  }

  /** Oldest pages first, at least one when there is any; the pages of a range stay in order. */
  take(): Waiting[] {
    let events = 0
    let count = 0
    for (const { page } of this.#pages) {
      if (count > 0 && events + weightOf(page) > MAX_BATCH_EVENTS) break
      events += weightOf(page)
      count++
    }
    this.#events -= events
    const taken = this.#pages.splice(0, count)
    for (const resolve of this.#waiting.splice(0)) resolve()
    return taken
  }

  /** Lets held-back readers go: nothing is taken any more. */
  close(): void {
    this.#closed = true
    for (const { refused } of this.#pages.splice(0)) refused(closed())
    this.#events = 0
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #add(waiting: Waiting): void {
    if (this.#closed) return
    this.#pages.push(waiting)
    this.#events += weightOf(waiting.page)
    this.#filled?.()
    if (this.#events >= BACKLOG_EVENTS) this.#backlog?.()
  }
}

/**
 * The pages that go on where their range was taken in up to. Others come from a reader that has been overtaken, or whose
 * last answer was lost: they are refused, and it asks where to go on. This is what makes counts exact, whoever reads a
 * range and however often.
 */
export function inOrder(waiting: readonly Waiting[], model: LiveModel): Waiting[] {
  const ahead = { events: model.places('events').copy(), items: model.places('items').copy() }
  return waiting.filter(({ page, previous, refused }) => {
    const places = ahead[page.feed ?? 'events']
    if (previous !== undefined && !follows(places, page, previous)) {
      refused(new BridgeError('FEED_CONFLICT', `${page.range}: the page does not follow what was taken in`))
      return false
    }
    if (page.continuation !== null) places.advance(page.continuation)
    return true
  })
}

function follows(places: FeedPlaces, page: FeedPage, previous: string | null): boolean {
  const range = rangeOf(page.range)
  if (previous === null) return places.isNew(range)
  return places.continuationOf(range) === formatContinuation(parseContinuation(previous))
}

function weightOf({ batches, items = [] }: FeedPage): number {
  return batches.reduce((sum, { events }) => sum + events.length, items.length * EVENTS_PER_ITEM)
}

function closed(): BridgeError {
  return new BridgeError('FEED_CLOSED', 'pages are not taken in at the moment; the reader tries again')
}
