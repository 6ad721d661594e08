import type { ActivityBucket, SlotActivity } from '../src/studio/activity.ts'
import type { LiveAnswer } from '../src/studio/answers.ts'

/** Columns for a chart, oldest first; times in seconds. */
export interface Series {
  readonly at: number[]
  readonly events: number[]
  readonly lists: number[]
  readonly lag: number[]
}

const WINDOW_MS = 15 * 60_000

/** Buckets → an even grid over the last 15 minutes: where nothing happened there is no bucket, and the line is at 0. */
export function seriesOf({
  now,
  bucketMs,
  buckets,
}: Pick<LiveAnswer, 'now' | 'bucketMs' | 'buckets'>): Series {
  const known = new Map(buckets.map((bucket) => [bucket.at, bucket]))
  // The newest bucket is not full yet: as a rate it would always look like a fall.
  const last = Math.floor(now / bucketMs) * bucketMs - bucketMs
  const series: Series = { at: [], events: [], lists: [], lag: [] }
  for (let at = last - WINDOW_MS + bucketMs; at <= last; at += bucketMs) {
    const bucket = known.get(at)
    series.at.push(at / 1_000)
    series.events.push(((bucket?.events ?? 0) / bucketMs) * 1_000)
    series.lists.push(((bucket?.lists ?? 0) / bucketMs) * 1_000)
    series.lag.push((bucket?.lagMs ?? 0) / 1_000)
  }
  return series
}

/** All buckets by slot, the most shown first. */
export function slotsOf(buckets: readonly ActivityBucket[]): SlotActivity[] {
  const rows = new Map<string, SlotActivity>()
  for (const { slot, lists, impressions, clicks } of buckets.flatMap(({ slots }) => slots)) {
    const known = rows.get(slot)
    rows.set(slot, {
      slot,
      lists: lists + (known?.lists ?? 0),
      impressions: impressions + (known?.impressions ?? 0),
      clicks: clicks + (known?.clicks ?? 0),
    })
  }
  return [...rows.values()].toSorted((a, b) => b.impressions - a.impressions || b.lists - a.lists)
}

/** Mean of the newest values: a rate over 15 seconds does not jump about. */
export function newest(values: readonly number[], many = 3): number {
  const part = values.slice(-many)
  return part.reduce((sum, value) => sum + value, 0) / Math.max(1, part.length)
}
