export { createClient, type Client, type ClientOptions, type Device } from './client.ts'
export { createTracker, type EventFields, type Tracker, type TrackerOptions } from './tracker.ts'
export { ClientError, type ClientErrorCode } from './error.ts'
export type { Batch } from './batch.ts'
export type { Consent } from './consent.ts'
export type { ClientEvents, Emitter, Listener } from './emitter.ts'
export type { RankOptions } from './rank.ts'
export type { SlotOptions } from './slot.ts'
export type { KeyValueStore, Pair } from './store/key-value.ts'
export { createMemoryStore } from './store/memory.ts'
export type { Fields, Lookup } from './template.ts'
export type {
  EventKind,
  EventsResponse,
  RankedItem,
  RankRequest,
  RankResponse,
  Strategy,
  TrackedEvent,
} from '@attune/core'
