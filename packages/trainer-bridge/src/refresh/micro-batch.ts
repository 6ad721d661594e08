import type { ItemAttributes } from '@attune/core'
import type { DeltaContent } from '@attune/core/artifact'
import type { ItemChange } from '../change-feed/items.ts'
import type { StoredBatch } from '../windows.ts'
import type { GuardFinding } from './guard.ts'

export type FeedName = 'events' | 'items'

/** A page of one range of a change feed, as read. */
export interface FeedPage {
  /** Whose change feed; the events' when absent. */
  readonly feed?: FeedName
  readonly range: string
  /** Where to go on reading this range once the page has been taken in; null: it is no page of a change feed. */
  readonly continuation: string | null
  /** Session token up to which the page's range has been read; null when the service told none. */
  readonly through: string | null
  readonly batches: readonly StoredBatch[]
  /** Changes of the catalogue. */
  readonly items?: readonly ItemChange[]
}

/** Everything that goes into one step of the model: applied again, it gives the same state. */
export interface MicroBatch {
  /** 1 for the first after the base model, then without gaps. */
  readonly seq: number
  /** Wall clock when it was taken in, milliseconds since 1970. */
  readonly at: number
  readonly pages: readonly FeedPage[]
}

/** What a delta is made of, before it has a number and a signature. */
export interface ModelChange {
  readonly items: readonly string[]
  readonly content: DeltaContent
  /** What the drift guard found; undefined when no factor row changed. */
  readonly guard?: GuardFinding
  /** What the catalogue says of items from now on; null: deleted. */
  readonly attributes: ReadonlyMap<string, ItemAttributes | null>
}
