import type { FeedPage } from './refresh/live-model.ts'

/** Events that may wait before readers are held back. */
const MAX_WAITING_EVENTS = 20_000
/** Events of one micro-batch: about what can be taken in within its 500 ms. */
const MAX_BATCH_EVENTS = 2_500

/** Pages between the readers and the model: readers wait when it is full, the model when it is empty. */
export class Inbox {
  #pages: FeedPage[] = []
  #events = 0
  #filled: (() => void) | undefined
  #waiting: (() => void)[] = []

  /** Events in all waiting pages. */
  get events(): number {
    return this.#events
  }

  /** Settles once there is room for more. */
  async put(page: FeedPage): Promise<void> {
    this.#pages.push(page)
    this.#events += eventsOf(page)
    this.#filled?.()
    while (this.#events > MAX_WAITING_EVENTS)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
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

  /** Oldest pages first, at least one when there is any; the pages of a range stay in order. */
  take(): FeedPage[] {
    let events = 0
    let count = 0
    for (const page of this.#pages) {
      if (count > 0 && events + eventsOf(page) > MAX_BATCH_EVENTS) break
      events += eventsOf(page)
      count++
    }
    this.#events -= events
    const taken = this.#pages.splice(0, count)
    for (const resolve of this.#waiting.splice(0)) resolve()
    return taken
  }

  /** Lets held-back readers go: nothing is taken any more. */
  close(): void {
    this.#events = -Infinity
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

function eventsOf({ batches }: FeedPage): number {
  return batches.reduce((sum, { events }) => sum + events.length, 0)
}
