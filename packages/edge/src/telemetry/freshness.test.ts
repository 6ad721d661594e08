import { expect, test } from 'vitest'
import { Freshness } from './freshness.ts'

test('lag is the age of the oldest batch that the model does not contain, 0 once it contains all', () => {
  const took: number[] = []
  const freshness = new Freshness((ms) => took.push(ms))
  expect(freshness.lagMs(5_000)).toBe(0)
  freshness.stored('0:-1#7', 10_000)
  freshness.stored('1:-1#3', 10_400)
  freshness.serves('0:-1#6,1:-1#2', 10_450)
  expect(freshness.lagMs(10_500)).toBe(500)
  // Range 1 is read, range 0 is not yet: the batch of 10,000 still waits.
  freshness.serves('0:-1#6,1:-1#3', 10_500)
  expect([freshness.lagMs(10_600), took]).toEqual([600, [100]])
  freshness.serves('0:-1#9,1:-1#3', 10_900)
  expect([freshness.lagMs(99_000), took]).toEqual([0, [100, 900]])
})

test('of many batches one in 100 ms is looked at; without a trainer the lag grows and the memory does not', () => {
  const freshness = new Freshness(() => undefined)
  for (let at = 0; at < 120_000; at += 10) freshness.stored(`0:-1#${at + 1}`, at)
  freshness.serves(null, 0)
  expect(freshness.lagMs(120_000)).toBe(120_000)
  const took: number[] = []
  const counted = new Freshness((ms) => took.push(ms))
  for (let at = 0; at < 120_000; at += 10) counted.stored(`0:-1#${at + 1}`, at)
  counted.serves('0:-1#999999', 120_000)
  expect(took).toHaveLength(600)
})

test('an epoch whose token is absent or broken contains nothing', () => {
  const freshness = new Freshness(() => undefined)
  freshness.stored('0:-1#7', 1_000)
  freshness.serves(null, 1_500)
  freshness.serves('nonsense', 1_600)
  expect(freshness.lagMs(2_000)).toBe(1_000)
})
