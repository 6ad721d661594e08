import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { generate, GENERATED } from './build.ts'
import { newest, seriesOf, slotsOf } from './series.ts'

test('generated.ts is what this folder builds to', async () => {
  expect(await readFile(GENERATED, 'utf8')).toBe(await generate())
})

test('a chart has 180 points of five seconds; where nothing happened it is at 0, the bucket under way is left out', () => {
  const now = 1_764_000_002_000
  const bucket = (at: number, events: number) => ({ at, events, lists: 0, stale: 0, lagMs: 250, slots: [] })
  const { at, events, lag } = seriesOf({
    now,
    bucketMs: 5_000,
    buckets: [bucket(1_763_999_990_000, 20), bucket(1_764_000_000_000, 999)],
  })
  expect([at.length, at.at(-1)]).toEqual([180, 1_763_999_995])
  expect(events.slice(-3)).toEqual([0, 4, 0])
  expect(lag.slice(-2)).toEqual([0.25, 0])
  expect(newest(events, 2)).toBe(2)
})

test('slots add up over all buckets, the most seen first', () => {
  const slot = (name: string, impressions: number, clicks = 0) => ({
    slot: name,
    lists: 1,
    impressions,
    clicks,
  })
  const bucket = (slots: ReturnType<typeof slot>[]) => ({
    at: 0,
    events: 0,
    lists: 0,
    stale: 0,
    lagMs: 0,
    slots,
  })
  expect(slotsOf([bucket([slot('a', 1)]), bucket([slot('b', 5, 2), slot('a', 2, 1)])])).toEqual([
    { slot: 'b', lists: 1, impressions: 5, clicks: 2 },
    { slot: 'a', lists: 2, impressions: 3, clicks: 1 },
  ])
})
