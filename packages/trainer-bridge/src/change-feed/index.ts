export { Election, type ElectionOptions, type Leader, type Leadership } from './election.ts'
export { ChangeFeedError, type ChangeFeedErrorCode } from './error.ts'
export { estimateLag, type Lag, type LagOptions } from './lag.ts'
export type { LeaseDocument } from './lease.ts'
export type { RangeStatus } from './leased-range.ts'
export {
  FeedPlaces,
  formatContinuation,
  parseContinuation,
  placesWithin,
  type Continuation,
  type KeyRange,
  type Place,
} from './places.ts'
export { ChangeFeedProcessor, startChangeFeedProcessor, type ProcessorTotals } from './processor.ts'
export type { BatchContext, ChangeFeedProcessorOptions, PoisonPolicy } from './processor-options.ts'
export { readFeed, type FeedRead, type FeedStart, type ReadFeedOptions } from './read.ts'
