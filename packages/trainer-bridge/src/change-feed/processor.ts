import type { FeedRange, PartitionKeyRange } from '@azure/cosmos'
import { balance } from './balance.ts'
import { Claim, Observations, type ClaimOptions } from './claim.ts'
import { ChangeFeedError } from './error.ts'
import { LeaseStore, type StoredDocument } from './lease-store.ts'
import {
  leasePrefix,
  newLease,
  readLeases,
  type FeedInfoDocument,
  type LeaseDocument,
  type MemberDocument,
} from './lease.ts'
import { LeasedRange, type LeasedRangeDeps, type RangeStatus } from './leased-range.ts'
import { uncoveredParts, type KeyRange } from './places.ts'
import { withDefaults, type ChangeFeedOptions, type ChangeFeedProcessorOptions } from './processor-options.ts'
import { joinRanges, splitRange } from './reshape.ts'
import { sleep } from './sleep.ts'
import { withinTime } from './within-time.ts'

/** What a processor has done so far. */
export interface ProcessorTotals {
  batches: number
  documents: number
  /** RU charged for reading the feed. */
  ru: number
  /** Reads, hand-overs and renewals that failed and were tried again. */
  failures: number
  acquired: number
  lost: number
}

export interface Partition extends KeyRange {
  readonly id: string
}

const TIMEOUT_MS = 10_000
const GRACE_MS = 5_000

/**
 * Starts an instance of a change-feed processor: reads the ranges it is due, hands their changes over, keeps their places.
 *
 * @throws {ChangeFeedError} `LEASES_MISSING`; what Cosmos answers when the container cannot be read
 */
export async function startChangeFeedProcessor<Document>(
  options: ChangeFeedProcessorOptions<Document>,
): Promise<ChangeFeedProcessor<Document>> {
  const { container, leases, name, endpoint } = options
  const [{ resource }, [sample]] = await Promise.all([container.read(), container.getFeedRanges()])
  await leases.read().catch((cause: unknown) => {
    throw new ChangeFeedError('LEASES_MISSING', `${leases.id}: no container for leases, partitioned by /id`, {
      cause,
    })
  })
  if (resource === undefined || sample === undefined) {
    throw new ChangeFeedError('FEED_TIMEOUT', `${container.id}: no description of the container`)
  }
  const prefix = leasePrefix(name, endpoint, String(resource._rid))
  return new ChangeFeedProcessor(withDefaults(options), prefix, sample)
}

/** One instance; see {@link startChangeFeedProcessor}. */
export class ChangeFeedProcessor<Document> {
  readonly #options: ChangeFeedOptions<Document>
  readonly #prefix: string
  readonly #sample: FeedRange
  readonly #stop = new AbortController()
  /** Requests to the lease container go on for a while after stopping. */
  readonly #cut = new AbortController()
  readonly #store: LeaseStore
  readonly #observed = new Observations()
  readonly #held = new Map<string, LeasedRange<Document>>()
  readonly #totals: ProcessorTotals = { batches: 0, documents: 0, ru: 0, failures: 0, acquired: 0, lost: 0 }
  #woken = new AbortController()
  /** Physical partitions as last listed. */
  #partitions: readonly Partition[] = []
  #stopping: Promise<void> | undefined
  #fail: (error: ChangeFeedError) => void = () => undefined
  /** Settles when the processor has stopped; rejects with `BATCH_POISONED` when it stopped by itself. */
  readonly done: Promise<void>
  readonly #rounds: Promise<void>

  constructor(options: ChangeFeedOptions<Document>, prefix: string, sample: FeedRange) {
    this.#options = options
    this.#prefix = prefix
    this.#sample = sample
    this.#store = new LeaseStore(options.leases, this.#cut.signal)
    let end: () => void = () => undefined
    this.done = new Promise((resolve, reject) => {
      end = resolve
      this.#fail = reject
    })
    this.done.catch(() => undefined)
    this.#rounds = this.#run()
    void this.#rounds.then(end)
    options.signal?.addEventListener('abort', () => void this.stop())
    if (options.signal?.aborted === true) void this.stop()
  }

  get instance(): string {
    return this.#options.instance
  }

  /** Start of the ids of all documents of this processor in the lease container. */
  get prefix(): string {
    return this.#prefix
  }

  get totals(): Readonly<ProcessorTotals> & { readonly leaseRu: number } {
    return { ...this.#totals, leaseRu: this.#store.ru }
  }

  /** The ranges this instance reads. */
  get ranges(): readonly RangeStatus[] {
    return [...this.#held.values()].map(({ status }) => status)
  }

  /** Ends reading after the batches in hand, keeps their places and lets the leases go. */
  stop(): Promise<void> {
    this.#stopping ??= this.#end()
    return this.#stopping
  }

  /** Looks at the leases now instead of at the next round. */
  wake(): void {
    this.#woken.abort()
  }

  async #end(): Promise<void> {
    this.#stop.abort()
    await this.#rounds
    await Promise.all([...this.#held.values()].map((held) => this.#release(held)))
    await this.#leave().catch((error: unknown) => {
      this.#failed('leases', error, 0)
    })
    this.#cut.abort()
  }

  async #run(): Promise<void> {
    const { roundMs, random } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      this.#woken = new AbortController()
      try {
        await this.#round()
      } catch (error) {
        this.#failed('leases', error, roundMs)
      }
      const pause = AbortSignal.any([signal, this.#woken.signal])
      await sleep(roundMs * (0.9 + random() / 5), pause)
    }
  }

  async #round(): Promise<void> {
    const { clock, instance, roundMs, ttlMs } = this.#options
    await this.#store.upsert({
      id: `${this.#prefix}member.${encodeURIComponent(instance)}`,
      member: instance,
    })
    this.#partitions = await this.#listPartitions()
    const documents = await this.#store.list<StoredDocument>(this.#prefix)
    const now = clock()
    this.#observed.see(documents, now)
    const leases = await this.#leases(documents)
    const { active, superseded } = readLeases(leases)
    await Promise.all(superseded.map((lease) => this.#store.delete(lease)))
    this.#forgetLost()
    await this.#reshape(leases, active)
    const members = new Set([instance])
    for (const one of documents) {
      if (!('member' in one)) continue
      const age = this.#observed.age(one.id, now)
      if (age <= ttlMs + roundMs) members.add(String(one.member))
      else if (age > 10 * ttlMs) await this.#store.delete(one)
    }
    const shared = active.map(({ id, Owner }) => ({
      id,
      owner: Owner !== null && this.#observed.age(id, now) <= ttlMs ? Owner : undefined,
    }))
    const moves = balance(shared, members, instance, new Set(this.#held.keys()))
    await Promise.all([
      ...moves.take.map((id) => this.#take(active.find((lease) => lease.id === id))),
      ...moves.release.map((id) => this.#release(this.#held.get(id))),
    ])
  }

  /** Leases there are; at the very first, those everybody starts from. */
  async #leases(documents: readonly StoredDocument[]): Promise<LeaseDocument[]> {
    const isLease = (one: StoredDocument): one is LeaseDocument => 'generation' in one
    const found = documents.filter(isLease)
    const missing = this.#partitions.flatMap(({ id, ...range }) =>
      uncoveredParts(
        range,
        found.map((lease) => lease.range),
      ).map((part) => ({ ...part, partition: id })),
    )
    if (missing.length === 0) return found
    const id = `${this.#prefix}info`
    const known = documents.find((one): one is FeedInfoDocument => one.id === id)
    const info =
      known ??
      (await this.#store.create<FeedInfoDocument>({
        id,
        ranges: this.#partitions.map(({ id: partition, min, max }) => ({ min, max, partition })),
      })) ??
      (await this.#store.read<FeedInfoDocument>(id))
    // A lease somebody deleted by hand is not among those of the beginning any more; its range is still to be read.
    const wanted = found.length === 0 ? (info?.ranges ?? []) : missing
    const made = await Promise.all(
      wanted.map(({ partition, min, max }) =>
        this.#store.create<LeaseDocument>(newLease(this.#prefix, { min, max }, partition, 1)),
      ),
    )
    return [...found, ...made.flatMap((lease) => lease ?? [])]
  }

  /** Leases follow physical partitions: those that span several are split, several of this instance in one are joined. */
  async #reshape(leases: readonly LeaseDocument[], active: readonly LeaseDocument[]): Promise<void> {
    const deps = {
      claims: this.#claimOptions,
      prefix: this.#prefix,
      partitions: this.#partitions,
      leases,
      stop: async (held: LeasedRange<Document>) => {
        this.#held.delete(held.claim.document.id)
        return held.stop(GRACE_MS)
      },
    }
    for (const held of this.#held.values()) {
      for (const claim of await splitRange(held, deps)) this.#hold(claim)
    }
    for (const claim of await joinRanges([...this.#held.values()], active, deps)) this.#hold(claim)
  }

  get #claimOptions(): ClaimOptions {
    const { instance, ttlMs, clock } = this.#options
    return {
      store: this.#store,
      instance,
      ttlMs,
      clock,
      onError: (error) => {
        this.#failed('lease', error, ttlMs / 10)
      },
    }
  }

  async #take(lease: LeaseDocument | undefined): Promise<void> {
    if (lease === undefined || this.#stop.signal.aborted) return
    const claim = await Claim.take(this.#claimOptions, lease)
    if (claim !== undefined) this.#hold(claim)
  }

  #hold(claim: Claim<LeaseDocument>): void {
    this.#totals.acquired++
    const deps: LeasedRangeDeps<Document> = {
      options: this.#options,
      container: this.#options.container,
      sample: this.#sample,
      onRead: (ru) => {
        this.#totals.ru += ru
      },
      onBatch: (documents) => {
        this.#totals.batches++
        this.#totals.documents += documents
      },
      onFailure: (range, error, retryInMs) => {
        this.#failed(range, error, retryInMs)
      },
      onPoison: (error) => {
        this.#fail(error)
        void this.stop()
      },
      onSplit: () => {
        this.wake()
      },
    }
    this.#held.set(claim.document.id, new LeasedRange(claim, deps))
    claim.lost.addEventListener('abort', () => {
      this.wake()
    })
  }

  async #release(held: LeasedRange<Document> | undefined): Promise<void> {
    if (held === undefined) return
    this.#held.delete(held.claim.document.id)
    await held.stop(GRACE_MS)
    await held.claim.release()
  }

  #forgetLost(): void {
    for (const [id, { claim }] of this.#held) {
      if (!claim.lost.aborted) continue
      this.#held.delete(id)
      this.#totals.lost++
    }
  }

  async #leave(): Promise<void> {
    const id = `${this.#prefix}member.${encodeURIComponent(this.#options.instance)}`
    const member = await this.#store.read<MemberDocument>(id)
    if (member !== undefined) await this.#store.delete(member)
  }

  async #listPartitions(): Promise<readonly Partition[]> {
    const listing = this.#options.container.readPartitionKeyRanges().fetchAll()
    const answer = await withinTime('partitions', listing, TIMEOUT_MS, this.#stop.signal)
    const partitions = answer?.resources.map(({ id, minInclusive, maxExclusive }: PartitionKeyRange) => ({
      id,
      min: minInclusive,
      max: maxExclusive,
    }))
    return partitions ?? this.#partitions
  }

  #failed(where: string, error: unknown, retryInMs: number): void {
    if (this.#cut.signal.aborted) return
    this.#totals.failures++
    this.#options.onError(where, error, retryInMs)
  }
}
