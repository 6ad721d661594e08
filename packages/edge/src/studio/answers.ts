import type { RankedItem, ServingState, Strategy, TrackedEvent } from '@attune/core'
import type { SlotRules } from '@attune/core/rules'
import type { ActivityBucket, ActivityStore } from './activity.ts'

// What the live page is told; shared with its script.

export interface EpochSummary {
  readonly epoch: number
  readonly created: string
  readonly trainer: string
  readonly items: number
  readonly serving: boolean
  /** What the trainer measured before it let the epoch out. */
  readonly gate: Readonly<Record<string, unknown>> | null
}

export interface LiveAnswer {
  /** Milliseconds since 1970, by the edge. */
  readonly now: number
  readonly host: 'node' | 'workerd'
  /** Whom the counts are of: this process, or all isolates of the deployment. */
  readonly scope: ActivityStore['scope']
  /** When this process began to count. */
  readonly since: number
  readonly bucketMs: number
  readonly buckets: readonly ActivityBucket[]
  readonly lagMs: number
  readonly serving: ServingState | null
  readonly epochs: readonly EpochSummary[]
  /** Share of lists kept in Cosmos. */
  readonly decisions: number
}

/** One item of a visitor's list with what its score is made of. */
export interface ExplainedItem extends RankedItem {
  /** By `names`; absent: the item has no score of the standard ranker. */
  readonly parts?: readonly number[]
  readonly rest?: number
  /** What the rules of the slot add to that. */
  readonly boost?: number
  /** The rules put it in this place. */
  readonly pinned?: true
}

export interface ExplainAnswer {
  readonly site: string
  readonly slot: string
  readonly strategy: Strategy
  /** What the list went by. */
  readonly rules: SlotRules
  readonly epoch: number
  readonly delta: number
  readonly fresh: boolean
  /** Newest first. */
  readonly events: readonly TrackedEvent[]
  /** What the parts of a score are called. */
  readonly names: readonly string[]
  readonly items: readonly ExplainedItem[]
}
