import { sentence } from '../error.ts'
import { EdgeClient, EdgeProblem, type Acknowledged, type EdgeTarget } from './edge-client.ts'
import { pushEpoch } from './push-epoch.ts'
import type { Release } from './release.ts'

/** What a follower asks its bridge for. */
export interface ReleaseSource {
  readonly release: Release
  /**
   * Makes a fresh epoch of the current state, numbered above `above`; does nothing when there is one already. Resolves
   * when `release` is that epoch.
   */
  renew(above: number): Promise<void>
  /** Settles once edges may be told something; false when never again. Absent: always. */
  ready?(): Promise<boolean>
}

/** How an edge is doing; `error` is what stopped the last attempt. */
export interface EdgeStatus {
  readonly url: string
  readonly state: 'unknown' | 'current' | 'behind' | 'failing'
  readonly epoch: number | null
  readonly delta: number | null
  readonly through: string | null
  readonly error?: string
}

export interface FollowOptions {
  readonly target: EdgeTarget
  readonly source: ReleaseSource
  readonly fetch: typeof fetch
  readonly signal: AbortSignal
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  readonly random: () => number
  readonly onStatus: (status: EdgeStatus) => void
}

const FIRST_RETRY_MS = 200
const LAST_RETRY_MS = 10_000
/** A refused key or signature is not cured by hurrying. */
const REFUSED_RETRY_MS = 15_000
/** An edge that has everything is still asked so often what it serves: it may have been replaced by an empty one. */
const CHECK_EVERY_MS = 10_000

/** Keeps one edge up to date, on its own: a slow or dead edge holds no other back. */
export class EdgeFollower {
  readonly #options: FollowOptions
  readonly #client: EdgeClient
  readonly #uploaded = new Set<string>()
  #acknowledged: Acknowledged | undefined
  #failures = 0
  #wake: (() => void) | undefined
  #status: EdgeStatus
  readonly running: Promise<void>

  constructor(options: FollowOptions) {
    this.#options = options
    this.#client = new EdgeClient(options.target, options.fetch)
    this.#status = { url: this.#client.url, state: 'unknown', epoch: null, delta: null, through: null }
    this.running = this.#run()
  }

  get status(): EdgeStatus {
    return this.#status
  }

  /** There is something new. */
  wake(): void {
    this.#wake?.()
  }

  async #run(): Promise<void> {
    const { signal } = this.#options
    while (!signal.aborted) {
      try {
        await this.#step()
        this.#failures = 0
      } catch (error) {
        if (signal.aborted) return
        await this.#failed(error)
      }
    }
  }

  async #step(): Promise<void> {
    const { source, signal } = this.#options
    const serving = this.#acknowledged ?? (await this.#ask())
    if ((await source.ready?.()) === false) return this.#pause()
    const { release } = source
    if (serving === undefined || serving.epoch < release.number) {
      if (release.after(0) === undefined) return source.renew(release.number)
      this.#acknowledge(await pushEpoch(this.#client, release.epoch, this.#uploaded, signal))
      return
    }
    const missing = isOf(serving, release) ? release.after(serving.delta) : undefined
    if (missing === undefined) return source.renew(serving.epoch)
    for (const { delta, body } of missing) {
      if (source.release !== release || (await source.ready?.()) === false) return
      this.#acknowledge(await this.#client.putDelta(release.number, delta, body, signal))
    }
    if (source.release === release && release.delta === this.#acknowledged?.delta) await this.#rest()
  }

  async #ask(): Promise<Acknowledged | undefined> {
    const { serving } = await this.#client.models(this.#options.signal)
    if (serving === null) return undefined
    this.#acknowledge(serving)
    return serving
  }

  #acknowledge(serving: Acknowledged): void {
    const { epoch, delta, through } = serving
    this.#acknowledged = serving
    const { release } = this.#options.source
    const current = epoch === release.number && delta === release.delta
    this.#report({ url: this.#client.url, state: current ? 'current' : 'behind', epoch, delta, through })
  }

  /** Nothing is left to tell: whoever runs this ends it soon. */
  async #pause(): Promise<void> {
    const { signal, sleep } = this.#options
    await sleep(LAST_RETRY_MS, signal)
  }

  /** Until there is something new; now and then the edge is asked again. */
  async #rest(): Promise<void> {
    const { signal, sleep } = this.#options
    const woken = new AbortController()
    const stop = () => {
      woken.abort()
    }
    this.#wake = stop
    signal.addEventListener('abort', stop)
    await sleep(CHECK_EVERY_MS, woken.signal)
    signal.removeEventListener('abort', stop)
    this.#wake = undefined
    if (!woken.signal.aborted) this.#acknowledged = undefined
  }

  async #failed(error: unknown): Promise<void> {
    const { signal, sleep, random } = this.#options
    // Whatever was known of the edge may be wrong now: a gap, another epoch, an edge started anew.
    this.#acknowledged = undefined
    const status = { ...this.#status, state: 'failing' as const, error: sentence(error) }
    const again = error instanceof EdgeProblem && RACES.has(error.code) && this.#failures === 0
    if (!again) this.#report(status)
    const refused = error instanceof EdgeProblem && [401, 403, 422].includes(error.status)
    const pause = refused ? REFUSED_RETRY_MS : Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 10)
    if (again) return
    const asked =
      error instanceof EdgeProblem && error.retryAfter !== undefined ? error.retryAfter * 1_000 : 0
    await sleep(Math.max(asked, pause * (0.5 + random() / 2)), signal)
  }

  #report(status: EdgeStatus): void {
    this.#status = status
    this.#options.onStatus(status)
  }
}

/**
 * Whether the edge serves this release's epoch. A bridge whose folder was lost begins at epoch 1 again: the edge's epoch 1
 * then is another model, whatever its delta.
 */
function isOf({ epoch, created }: Acknowledged, { number, epoch: { manifest } }: Release): boolean {
  return epoch === number && (created === undefined || created === manifest.created)
}

/** Problems that say the edge is elsewhere than thought: asking it is enough, the first time without a pause. */
const RACES: ReadonlySet<string> = new Set([
  'DELTA_GAP',
  'DELTA_EPOCH_MISMATCH',
  'MODEL_MISSING',
  'ARTIFACT_EPOCH_STALE',
])
