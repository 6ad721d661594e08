/**
 * What Attune's requests to Cosmos cost, RU, by the meter of the local Cosmos: `npm run bench -- ru --json` for the first three,
 * tests beside this file and in `bench/src/plan.test.ts` hold all against the meter. Writes are the published table less what unindexed paths
 * save; queries and the feed are modelled, Azure does not publish their charges.
 */
export const CHARGES = {
  /** A batch of 5 events, as the client sends them: 1.2 KB, one indexed path. */
  batch: 3.06,
  /** A list for a visitor without a batch; and what each of the newest 16 batches adds. */
  list: 2.28,
  listPerBatch: 0.182,
  /** The bridge reading one batch, besides the page it comes in; and a page that has nothing new. */
  feedPerBatch: 0.45,
  feedEmpty: 1,
  /** What was shown, kept in the container `decisions`. */
  decision: 2.72,
} as const

export const EVENTS_A_BATCH = 5
export const BYTES_A_BATCH = 1_160
/** Only the newest so many batches are read for a list. */
export const MAX_BATCHES_READ = 16
/** Empty reads of a quiet feed range: one every 100 ms. */
export const EMPTY_READS_A_SECOND = 10
