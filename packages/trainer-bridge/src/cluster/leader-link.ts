import type { Bridge } from '../bridge.ts'
import type { KeyRange } from '../change-feed/places.ts'
import type { FeedStart } from '../change-feed/read.ts'
import { sleep } from '../change-feed/sleep.ts'
import { BridgeError } from '../error.ts'
import type { FeedName, FeedPage } from '../refresh/micro-batch.ts'
import {
  fromPlaceAnswer,
  PAGES_PATH,
  PLACE_PATH,
  SIGNATURE_HEADER,
  signRequest,
  type PageRequest,
  type PlaceAnswer,
  type PlaceRequest,
} from './wire.ts'

export interface LeaderLinkOptions {
  readonly key: Buffer
  /** The bridge of this instance, while it leads. */
  readonly bridge: () => Bridge | undefined
  /** Where the one that leads is reached, as last seen. */
  readonly url: () => string | undefined
  /** Asks for a look at who leads. */
  readonly look: () => void
  readonly fetch: typeof fetch
}

const RETRY_MS = 200
/** A leader answers once a page is in its journal: within a micro-batch, unless it makes an epoch. */
const ANSWER_MS = 60_000
const PLACE_PATIENCE_MS = 10_000

/** Hands pages to whoever leads, this instance or another. */
export class LeaderLink {
  readonly #options: LeaderLinkOptions

  constructor(options: LeaderLinkOptions) {
    this.#options = options
  }

  /**
   * Settles once the page is in the leader's journal, whoever that is by then.
   *
   * @throws {BridgeError} `FEED_CONFLICT` when it does not follow; whatever else goes wrong is tried again until the signal
   * fires
   */
  async deliver(page: FeedPage, previous: string | null, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        const bridge = this.#options.bridge()
        if (bridge !== undefined) return await bridge.offer(page, previous)
        await this.#post(PAGES_PATH, { page, previous } satisfies PageRequest, signal)
        return
      } catch (error) {
        if (signal.aborted || isFinal(error)) throw error
        this.#options.look()
        await sleep(RETRY_MS, signal)
        if (signal.aborted) throw error
      }
    }
  }

  /** Where a range is to be gone on with. @throws {BridgeError} when nobody leads for a while */
  async place(
    feed: FeedName,
    range: KeyRange,
  ): Promise<{ readonly continuation?: string; readonly start: FeedStart }> {
    const signal = AbortSignal.timeout(PLACE_PATIENCE_MS)
    for (;;) {
      try {
        const bridge = this.#options.bridge()
        if (bridge !== undefined) return bridge.place(feed, range)
        const answer = await this.#post(PLACE_PATH, { feed, range } satisfies PlaceRequest, signal)
        return fromPlaceAnswer(answer as PlaceAnswer)
      } catch (error) {
        if (signal.aborted || isFinal(error)) throw error
        this.#options.look()
        await sleep(RETRY_MS, signal)
      }
    }
  }

  async #post(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    const { key, url, fetch: fetcher } = this.#options
    const leader = url()
    if (leader === undefined) throw new BridgeError('LEADER_UNKNOWN', 'no instance leads at the moment')
    const text = JSON.stringify(body)
    let response: Response
    let answer: { code?: unknown; detail?: unknown }
    try {
      response = await fetcher(leader + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', [SIGNATURE_HEADER]: signRequest(key, path, text) },
        body: text,
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
      })
      answer = (await response.json()) as typeof answer
    } catch (cause) {
      throw new BridgeError('LEADER_UNKNOWN', `${leader}: no answer`, { cause })
    }
    if (response.ok) return answer
    const code = answer.code === 'FEED_CONFLICT' ? 'FEED_CONFLICT' : 'LEADER_UNKNOWN'
    throw new BridgeError(
      code,
      `${leader} answered ${response.status} ${String(answer.code)}: ${String(answer.detail ?? '')}`,
    )
  }
}

function isFinal(error: unknown): boolean {
  return error instanceof BridgeError && error.code === 'FEED_CONFLICT'
}
