import type { Container, FeedRange } from '@azure/cosmos'
import type { Claim } from './claim.ts'
import { ChangeFeedError } from './error.ts'
import type { LeaseDocument } from './lease.ts'
import { keyOf, parseContinuation } from './places.ts'
import type { BatchContext, ChangeFeedOptions } from './processor-options.ts'
import { readFeed, type FeedRead, type FeedStart } from './read.ts'
import { sleep } from './sleep.ts'

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 10_000

/** How one range is doing, for metrics. */
export interface RangeStatus {
  readonly range: string
  readonly partition: string
  readonly generation: number
  /** Transactions the service has that this range has not handed over. */
  readonly lagItems: number
  /** Age of the oldest change handed over last, while there is a lag. */
  readonly lagSeconds: number
  /** Failures of the batch in hand. */
  readonly failures: number
}

export interface LeasedRangeDeps<Document> {
  readonly options: ChangeFeedOptions<Document>
  readonly container: Container
  /** Any range of the container: the SDK only takes ranges of its own class, which it does not export. */
  readonly sample: FeedRange
  readonly onRead: (ru: number, documents: number) => void
  readonly onBatch: (documents: number) => void
  readonly onFailure: (range: string, error: unknown, retryInMs: number) => void
  /** The range is given up for good: nobody takes its batch aside. */
  readonly onPoison: (error: ChangeFeedError) => void
  /** There is no waiting for the next round: the range was split. */
  readonly onSplit: () => void
}

/** Reads the range of one lease, hands its changes over one batch after the other, and keeps its place. */
export class LeasedRange<Document> {
  readonly claim: Claim<LeaseDocument>
  readonly #deps: LeasedRangeDeps<Document>
  readonly #stop = new AbortController()
  /** For batches that do not end by themselves. */
  readonly #cut = new AbortController()
  #continuation: string | undefined
  #partition: string
  #saved: string | null
  #savedAt: number
  #slices = 1
  #failures = 0
  #lagItems = 0
  #oldest: number | undefined
  readonly #done: Promise<void>

  constructor(claim: Claim<LeaseDocument>, deps: LeasedRangeDeps<Document>) {
    this.claim = claim
    this.#deps = deps
    this.#partition = claim.document.LeaseToken
    this.#saved = claim.document.continuation
    this.#continuation = claim.document.continuation ?? undefined
    this.#savedAt = deps.options.clock()
    this.#done = this.#run()
  }

  get status(): RangeStatus {
    const { range, generation } = this.claim.document
    const waiting = this.#lagItems > 0 && this.#oldest !== undefined
    return {
      range: keyOf(range),
      partition: this.#partition,
      generation,
      lagItems: this.#lagItems,
      lagSeconds: waiting ? Math.max(0, Date.now() / 1_000 - (this.#oldest ?? 0)) : 0,
      failures: this.#failures,
    }
  }

  /**
   * Ends reading after the batch in hand, which is told to give up when it takes longer than `graceMs`, and writes down
   * where it is.
   *
   * @returns the continuation; undefined before any
   */
  async stop(graceMs: number): Promise<string | undefined> {
    this.#stop.abort()
    const cutting = setTimeout(() => {
      this.#cut.abort()
    }, graceMs)
    await this.#done
    clearTimeout(cutting)
    return this.#continuation
  }

  async #run(): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, this.claim.lost])
    while (!signal.aborted) {
      try {
        await this.#read(signal)
      } catch (error) {
        if (error instanceof ChangeFeedError && error.code === 'BATCH_POISONED') {
          this.#deps.onPoison(error)
          break
        }
        await this.#failed(error, signal)
      }
    }
    await this.#save(true).catch((error: unknown) => {
      this.#deps.onFailure(keyOf(this.claim.document.range), error, 0)
    })
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { options, container, sample, onRead, onFailure } = this.#deps
    const { range } = this.claim.document
    const place = await this.#place()
    const feed = readFeed<Document>({
      container,
      range: Object.assign(Object.create(Object.getPrototypeOf(sample) as object) as FeedRange, {
        minInclusive: range.min,
        maxExclusive: range.max,
      }),
      continuation: place.continuation,
      start: place.start,
      ...(options.maxItemCount !== undefined && { maxItemCount: options.maxItemCount }),
      ...(options.idleMs !== undefined && { idleMs: options.idleMs }),
      ...(options.readTimeoutMs !== undefined && { readTimeoutMs: options.readTimeoutMs }),
      signal,
      random: options.random,
      onRead: (ru, documents) => {
        onRead(ru, documents)
        if (documents === 0) this.#lagItems = 0
      },
      onError: (error, retryInMs) => {
        onFailure(keyOf(range), error, retryInMs)
      },
    })
    let previous = place.continuation
    for await (const page of feed) {
      if (!(await this.claim.whenHeld(signal))) return
      await this.#handOver(page, previous, signal)
      if (signal.aborted) return
      previous = page.continuation
    }
  }

  /** Where to read from: what the caller keeps with its effects is nearer to the truth than the lease. */
  async #place(): Promise<{ continuation: string | undefined; start: FeedStart }> {
    const { options } = this.#deps
    if (options.restore === undefined) return { continuation: this.#continuation, start: options.start }
    const { range } = this.claim.document
    const kept = await options.restore(range)
    this.#continuation = kept.continuation
    return { continuation: kept.continuation, start: kept.start ?? options.start }
  }

  async #handOver(
    page: FeedRead<Document>,
    previous: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { options, onBatch } = this.#deps
    const { documents, continuation, through, partition, behind } = page
    this.#partition = partition ?? this.#partition
    this.#lagItems = behind + documents.length
    this.#oldest = timestampOf(documents[0])
    const context: BatchContext = {
      range: this.claim.document.range,
      continuation,
      previous,
      through,
      signal: AbortSignal.any([this.claim.lost, this.#cut.signal]),
    }
    if (documents.length > 0 || options.handOverEmpty === true) {
      const taken = await this.#tryHandOver(documents, context, signal)
      if (!taken) return
      onBatch(documents.length)
    }
    this.#continuation = continuation
    this.#lagItems = behind
    await this.#save(false)
    const slices = parseContinuation(continuation).places.length
    if (slices > this.#slices) this.#deps.onSplit()
    this.#slices = slices
  }

  /** @returns false when there is no use in going on with this batch here */
  async #tryHandOver(
    documents: readonly Document[],
    context: BatchContext,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { options } = this.#deps
    const { poison } = options
    for (;;) {
      try {
        await options.onChanges(documents, context)
        this.#failures = 0
        return true
      } catch (error) {
        this.#failures++
        if (signal.aborted) return false
        if (poison !== undefined && this.#failures >= poison.attempts) {
          if (poison.deadLetter === undefined) throw poisoned(context, this.#failures, error)
          await poison.deadLetter(documents, context, error)
          this.#failures = 0
          return true
        }
        // Where the caller keeps the place, it may have moved: ask again.
        if (options.restore !== undefined) throw error
        await this.#failed(error, signal)
        if (signal.aborted) return false
      }
    }
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const { options, onFailure } = this.#deps
    const doubled = FIRST_RETRY_MS * 2 ** Math.min(10, Math.max(0, this.#failures - 1))
    const retryInMs = Math.min(LAST_RETRY_MS, doubled) * (0.5 + options.random() / 2)
    onFailure(keyOf(this.claim.document.range), error, retryInMs)
    await sleep(retryInMs, signal)
  }

  /** Writes the place into the lease, not more often than asked; the last one always. */
  async #save(last: boolean): Promise<void> {
    const { options } = this.#deps
    const continuation = this.#continuation
    if (continuation === undefined || continuation === this.#saved) return
    if (!last && options.clock() - this.#savedAt < options.checkpointEveryMs) return
    const kept = await this.claim.update({
      continuation,
      ContinuationToken: furthestBack(continuation),
      LeaseToken: this.#partition,
      timestamp: new Date().toISOString(),
    })
    if (!kept) return
    this.#saved = continuation
    this.#savedAt = options.clock()
  }
}

/** For a range in several slices, which it is only until it is split: the one that has come least far. */
function furthestBack(continuation: string): string {
  const tokens = parseContinuation(continuation).places.map(({ token }) => token)
  const lsn = (token: string) => Number(token.replaceAll('"', ''))
  return tokens.reduce((least, token) => (lsn(token) < lsn(least) ? token : least))
}

function poisoned({ range }: BatchContext, attempts: number, cause: unknown): ChangeFeedError {
  return new ChangeFeedError(
    'BATCH_POISONED',
    `range ${keyOf(range)}: its next batch failed ${attempts} times, and no dead letter is taken`,
    { cause },
  )
}

/** Seconds since 1970, as Cosmos stamps documents. */
function timestampOf(document: unknown): number | undefined {
  const ts: unknown =
    typeof document === 'object' && document !== null ? Reflect.get(document, '_ts') : undefined
  return typeof ts === 'number' ? ts : undefined
}
