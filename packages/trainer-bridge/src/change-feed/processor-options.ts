import type { Container } from '@azure/cosmos'
import type { KeyRange } from './places.ts'
import type { FeedStart } from './read.ts'

/** What is known of a batch beside its changes. */
export interface BatchContext {
  readonly range: KeyRange
  /** Where to go on once this batch is taken in; whoever keeps it with its effects has them exactly once. */
  readonly continuation: string
  /** Where this batch starts; undefined at the very first of a range. */
  readonly previous: string | undefined
  /** Session token up to which the range has been read; null when the service told none. */
  readonly through: string | null
  /** Fires when the range is lost, or when the processor stops and the batch is not done in time. */
  readonly signal: AbortSignal
}

/** A batch that fails again and again. */
export interface PoisonPolicy<Document> {
  /** Failures after which it is taken aside. */
  readonly attempts: number
  /** Takes it aside; the range goes on after it. Absent: the processor stops. A rejection is one more failure. */
  readonly deadLetter?: (
    documents: readonly Document[],
    context: BatchContext,
    error: unknown,
  ) => Promise<void>
}

export interface ChangeFeedProcessorOptions<Document> {
  /** Whose changes. */
  readonly container: Container
  /** Of the account of `container`, as the client got it: part of the ids of leases. */
  readonly endpoint: string
  /** Where leases are kept; partitioned by `/id`, shared by as many processors as you like. */
  readonly leases: Container
  /** Of the processor: instances of the same name share the ranges. */
  readonly name: string
  /** Of this instance, different from all others running; a random one when absent. */
  readonly instance?: string
  /** Where a feed nobody has read yet starts; `beginning` when absent. */
  readonly start?: FeedStart
  /**
   * Takes a batch; the place is kept once it resolves, so each batch comes at least once. Batches of a range come one
   * after the other, in order.
   */
  readonly onChanges: (documents: readonly Document[], context: BatchContext) => Promise<void>
  /** Hands empty batches over too: the first of a range that starts at "now" or at a time says where that is. */
  readonly handOverEmpty?: boolean
  /**
   * Where a range is to go on, asked when it is taken over and after each failure. For those who keep
   * {@link BatchContext.continuation} together with the effects of the batch: then effects are exactly once. Absent: the
   * lease says it.
   */
  readonly restore?: (
    range: KeyRange,
  ) => Promise<{ readonly continuation?: string; readonly start?: FeedStart }>
  /** Absent: a batch that fails is tried again for ever. */
  readonly poison?: PoisonPolicy<Document>
  /** Changes of a batch, 500 when absent; Cosmos ends a page at 4 MB. */
  readonly maxItemCount?: number
  /** Pause after an empty read while changes still come, 25 when absent; four times as long once a range is quiet. */
  readonly idleMs?: number
  /** A read without an answer for so long is given up, 10,000 when absent. */
  readonly readTimeoutMs?: number
  /** At least so long between two checkpoints of a range; 0, after every batch, when absent. */
  readonly checkpointEveryMs?: number
  /** A lease that is not renewed for so long is free, 10,000 when absent. */
  readonly ttlMs?: number
  /** How often leases and instances are looked at, 2,000 when absent. */
  readonly roundMs?: number
  /** Told what failed and is tried again. */
  readonly onError?: (where: string, error: unknown, retryInMs: number) => void
  /** Ends the processor, as `stop` does. */
  readonly signal?: AbortSignal
  readonly random?: () => number
  /** Milliseconds of a clock that never goes back. */
  readonly clock?: () => number
}

/** With what is absent filled in. */
export type ChangeFeedOptions<Document> = ChangeFeedProcessorOptions<Document> &
  Required<
    Pick<
      ChangeFeedProcessorOptions<Document>,
      'instance' | 'start' | 'checkpointEveryMs' | 'ttlMs' | 'roundMs' | 'onError' | 'random' | 'clock'
    >
  >

export function withDefaults<Document>(
  options: ChangeFeedProcessorOptions<Document>,
): ChangeFeedOptions<Document> {
  return {
    ...options,
    instance: options.instance ?? crypto.randomUUID(),
    start: options.start ?? 'beginning',
    checkpointEveryMs: options.checkpointEveryMs ?? 0,
    ttlMs: options.ttlMs ?? 10_000,
    roundMs: options.roundMs ?? 2_000,
    onError: options.onError ?? (() => undefined),
    random: options.random ?? Math.random,
    clock: options.clock ?? (() => performance.now()),
  }
}
