import type { TrackedEvent } from './event/event.ts'

// What is kept in Cosmos: one definition for code, tests and deployment.

export const DATABASE = 'attune'

/** One document per flush: its id is the batch id, so a retry is a `create` that answers 409. */
export interface BatchDocument {
  readonly id: string
  /** Partition key: `<site>:<visitor id>`. */
  readonly visitor: string
  readonly site: string
  /**
   * Newest event of the batch that counts in a list (a step of the history, a dislike), milliseconds since 1970; 0 when
   * it has none, as a batch of impressions, or one that only tells what was lost. The history read orders by it.
   */
  readonly at: number
  /** When the edge received it, milliseconds since 1970. */
  readonly received: number
  readonly events: readonly TrackedEvent[]
}

/** What one answer showed. Arrays run in the list's order. */
export interface Decision {
  /** Id of the answer; events carry it as `decision`. */
  readonly id: string
  readonly slot: string
  readonly strategy: string
  readonly epoch: number
  readonly delta: number
  /** The list knew everything the page had sent. */
  readonly fresh: boolean
  /** When it was answered, milliseconds since 1970. */
  readonly at: number
  readonly items: readonly string[]
  /** null: the model does not know the item. */
  readonly scores: readonly (number | null)[]
  /** Probability with which each item came to its place; absent where nothing was explored. */
  readonly propensities?: readonly (number | null)[]
}

/** What one visitor was shown within a moment, as a page asks for several slots at once: container `decisions`. */
export interface DecisionDocument {
  /** Id of its first decision. */
  readonly id: string
  /** Partition key, as in {@link BatchDocument}. */
  readonly visitor: string
  readonly site: string
  /** Share of decisions that is kept: each stands for 1 / sampled. */
  readonly sampled: number
  readonly decisions: readonly Decision[]
}

export interface ContainerDefinition {
  readonly id: string
  readonly partitionKey: { readonly paths: readonly string[]; readonly kind: 'Hash'; readonly version: 2 }
  readonly indexingPolicy: {
    readonly indexingMode: 'consistent'
    readonly automatic: true
    readonly includedPaths: readonly { readonly path: string }[]
    readonly excludedPaths: readonly { readonly path: string }[]
  }
  /** Seconds; -1 keeps documents unless they carry their own. */
  readonly defaultTtl?: number
}

const DAY_S = 86_400

/** Clicks. Only what the history read orders by is indexed: each further path costs RU on every write. */
export const EVENTS_CONTAINER: ContainerDefinition = {
  id: 'events',
  partitionKey: { paths: ['/visitor'], kind: 'Hash', version: 2 },
  indexingPolicy: {
    indexingMode: 'consistent',
    automatic: true,
    includedPaths: [{ path: '/at/?' }],
    excludedPaths: [{ path: '/*' }],
  },
  defaultTtl: 90 * DAY_S,
}

/** Read and written by id within a partition, and through the change feed: nothing is indexed. */
function unindexed(id: string, path: string, defaultTtl?: number): ContainerDefinition {
  return {
    id,
    partitionKey: { paths: [path], kind: 'Hash', version: 2 },
    indexingPolicy: {
      indexingMode: 'consistent',
      automatic: true,
      includedPaths: [],
      excludedPaths: [{ path: '/*' }],
    },
    ...(defaultTtl !== undefined && { defaultTtl }),
  }
}

/** The catalogue: one {@link ItemDocument} an item. Tombstones carry their own TTL. */
export const ITEMS_CONTAINER: ContainerDefinition = unindexed('items', '/item', -1)

/**
 * Which handles belong to one user: what export and deletion have to cover. Documents carry their own TTL where the
 * deployer limits how long.
 */
export const USERS_CONTAINER: ContainerDefinition = unindexed('users', '/user', -1)

/** What was shown, as far as the deployer lets decisions be kept. */
export const DECISIONS_CONTAINER: ContainerDefinition = unindexed('decisions', '/visitor', 30 * DAY_S)

/** Slots and their rules, by site. */
export const SETTINGS_CONTAINER: ContainerDefinition = unindexed('settings', '/site')

/** Who reads which feed range, how far, and who leads. */
export const LEASES_CONTAINER: ContainerDefinition = unindexed('leases', '/id')

export const CONTAINERS: readonly ContainerDefinition[] = [
  EVENTS_CONTAINER,
  ITEMS_CONTAINER,
  USERS_CONTAINER,
  DECISIONS_CONTAINER,
  SETTINGS_CONTAINER,
  LEASES_CONTAINER,
]
