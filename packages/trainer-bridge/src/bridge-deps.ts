import type { Feeds } from './own-feeds.ts'
import type { Scanner } from '@attune/core/rank'
import type { Signer } from './artifact/sign.ts'
import type { FeedStart } from './change-feed/read.ts'
import type { EdgeTarget } from './push/edge-client.ts'
import type { EdgeStatus } from './push/follow.ts'
import type { GuardFinding } from './refresh/guard.ts'
import type { StateFolder } from './state/folder.ts'
import type { TrainedModel } from './train/trained-model.ts'

/** What happens in a bridge, for logs, metrics and the shop's drawer. */
export type BridgeStatus =
  | {
      readonly type: 'epoch'
      readonly epoch: number
      readonly items: number
      readonly why: 'initial' | 'resumed' | 'renewed' | 'folded' | 'adopted'
    }
  | {
      readonly type: 'delta'
      readonly epoch: number
      readonly delta: number
      readonly through: string | null
      /** Events of the micro-batch. */
      readonly events: number
      readonly bytes: number
      /** From taking the pages to a signed delta on disk. */
      readonly ms: number
    }
  /** The drift guard kept the factor rows of a delta back; its counts went out. */
  | ({ readonly type: 'held'; readonly epoch: number; readonly delta: number } & GuardFinding)
  | ({ readonly type: 'edge' } & EdgeStatus)
  | { readonly type: 'feed'; readonly range: string; readonly error: string; readonly retryInMs: number }
  | { readonly type: 'stopped'; readonly error: string }

export interface BridgeDeps {
  /** Containers this bridge reads; absent: pages are offered to it. */
  readonly feeds: Feeds | undefined
  readonly folder: StateFolder
  readonly edges: readonly EdgeTarget[]
  readonly signer: Signer
  readonly makeScanner: (dim: number, capacity: number) => Scanner
  readonly initial: () => Promise<FirstModel>
  readonly start: FeedStart
  /** At least this long between two deltas; the first after a pause goes at once. */
  readonly deltaIntervalMs: number
  readonly idleMs?: number
  readonly limits?: BridgeLimits
  /** What makes it the only one that may number epochs and tell edges; absent: the folder's lock. */
  readonly leadership?: BridgeLeadership
  readonly fetch: typeof fetch
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly random: () => number
  readonly onStatus: (status: BridgeStatus) => void
  /** Lets go of what was opened for the bridge. */
  readonly dispose: () => void
}

/** How a bridge among several knows that it leads. */
export interface BridgeLeadership {
  /** A number for a new epoch, above `above`, that no leader before or after is given. @throws `LEADERSHIP_LOST` */
  epoch(above: number): Promise<number>
  /** Settles once it certainly leads; false when it never will again. */
  held(signal: AbortSignal): Promise<boolean>
  /** Whether the leader before ended in order: then its epoch can be gone on with, else it may still be told to edges. */
  readonly orderly: boolean
}

export interface BridgeLimits {
  /** A journal longer than this is folded into a snapshot; 16 MB when absent. */
  readonly journalBytes?: number
  /** An edge that starts anew reads all deltas of its epoch: past so many, a fresh epoch is cheaper. 5,000 when absent. */
  readonly deltas?: number
  /** The same in bytes; four times the epoch's files when absent, at least 64 MB. */
  readonly deltaBytes?: number
  /** Pairs counted on top of the base, about 80 bytes each: past so many they go into a base of its own. 4 million when absent. */
  readonly pairs?: number
}

/** A model trained anew, and up to when its visits reach: everything later is read again. */
export interface NewBase extends FirstModel {
  /** Milliseconds since 1970. */
  readonly since: number
}

export interface FirstModel {
  readonly model: TrainedModel
  /** With version: `local/0.1.0`. */
  readonly trainer: string
  readonly gate?: Readonly<Record<string, unknown>>
}
