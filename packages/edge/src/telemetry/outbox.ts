import type { Background } from '../models/models.ts'

export interface OutboxOptions<T> {
  /** Sends what was collected. What it throws is told to `failed`; nothing is sent twice. */
  readonly send: (entries: readonly T[]) => Promise<void>
  /** How long the first entry waits for others. */
  readonly waitMs: number
  /** Sent at once when there are so many. */
  readonly full: number
  /** Held at most, those being sent included; more are dropped. */
  readonly most: number
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly failed: (error: unknown, entries: number) => void
  readonly dropped: (entries: number) => void
}

/**
 * Collects what goes out behind responses and sends it in few requests. Nothing waits for it. On Workers nothing runs
 * between requests, so the request of the first entry is what keeps the sending alive.
 */
export class Outbox<T> {
  readonly #options: OutboxOptions<T>
  #entries: T[] = []
  #since = 0
  #sending = 0
  readonly #waiting = new Set<() => void>()

  constructor(options: OutboxOptions<T>) {
    this.#options = options
  }

  /** @param background - `waitUntil` of the request the entry comes from */
  add(entry: T, background: Background): void {
    const { full, most, waitMs, now, dropped } = this.#options
    if (this.#entries.length + this.#sending >= most) {
      dropped(1)
      return
    }
    this.#entries.push(entry)
    const at = now()
    if (this.#entries.length === 1) {
      this.#since = at
      background(this.#wait().then(() => this.#send()))
    } else if (this.#entries.length >= full || at - this.#since > 2 * waitMs) {
      // Late when the request that was to send them was cut off by its host.
      background(this.#send())
    }
  }

  /** Sends what there is without waiting longer: this process ends. */
  hurry(): void {
    for (const wake of this.#waiting) wake()
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, this.#options.waitMs)
      this.#waiting.add(wake)
    })
  }

  async #send(): Promise<void> {
    const entries = this.#entries
    if (entries.length === 0) return
    this.#entries = []
    this.#sending += entries.length
    try {
      await this.#options.send(entries)
    } catch (error) {
      this.#options.failed(error, entries.length)
    } finally {
      this.#sending -= entries.length
    }
  }
}
