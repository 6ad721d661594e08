import type { TrackedEvent } from '@attune/core'
import { beforeEach, expect, test } from 'vitest'
import { createSignals } from './emitter.ts'
import { createQueue, type Queue } from './queue.ts'
import { createKept } from './store/kept.ts'
import { createMemoryStore } from './store/memory.ts'

const id = (n: number): string => `01900000-0000-7000-8000-${String(n).padStart(12, '0')}`
const click = (n: number): TrackedEvent => ({ id: id(n), kind: 'click', item: `sku-${n}`, at: 1_000 + n })
const range = (from: number, to: number): TrackedEvent[] =>
  Array.from({ length: to - from }, (_, i) => click(from + i))
const items = (events: readonly TrackedEvent[] | undefined) => events?.map((event) => event.item)

let codes: string[]
let queue: Queue
let other: Queue

beforeEach(() => {
  codes = []
  const database = createMemoryStore()
  const { _report: report } = createSignals((error) => codes.push(`${error.code} ${error.message}`))
  let batches = 0
  const tab = () =>
    createQueue(
      createKept(
        async () => database,
        report,
        () => true,
      ),
      () => `batch-${++batches}`,
      report,
      Date.now,
    )
  queue = tab()
  other = tab()
})
const take = async (from = queue) => {
  const batch = await from._next()
  if (batch !== undefined) await from._done(batch)
  return items(batch?.events)
}

test('a batch is formed of the oldest events of all tabs and stays the same until it is done', async () => {
  queue._add([click(2)])
  other._add([click(1)])
  await other._recent()
  const batch = await queue._next()
  expect([batch?.id, items(batch?.events)]).toEqual(['batch-1', ['sku-1', 'sku-2']])
  queue._add([click(3)])
  expect(await queue._next()).toEqual(batch)
  expect(await other._next()).toEqual(batch)
  if (batch) await other._done(batch)
  expect([await take(), await take()]).toEqual([['sku-3'], undefined])
})

test('a batch has at most 100 events; 101 are two batches', async () => {
  queue._add(range(0, 101))
  expect([(await take())?.length, await take(), await take()]).toEqual([100, ['sku-100'], undefined])
})

test('what came since the last look into the store can be claimed at once; it is sent in its turn and not batched again', async () => {
  queue._add([click(0)])
  expect(await take()).toEqual(['sku-0'])
  expect(await queue._next()).toBeUndefined()
  queue._add([click(1), click(2)])
  const claimed = queue._claim()
  expect(items(claimed?.events)).toEqual(['sku-1', 'sku-2'])
  expect(queue._claim()).toBeUndefined()
  queue._add([click(3)])
  expect(await other._next()).toEqual(claimed)
  if (claimed) await other._done(claimed)
  expect([await take(other), await take()]).toEqual([['sku-3'], undefined])
})

test('of 5,003 events that wait the oldest 3 are given up, which is told', async () => {
  queue._add(range(0, 5_003))
  expect((await take())?.slice(0, 2)).toEqual(['sku-3', 'sku-4'])
  expect(codes).toEqual(['QUEUE_FULL 3 events given up'])
  let left = 0
  for (let batch = await take(); batch !== undefined; batch = await take()) left += batch.length
  expect(left).toBe(4_900)
})

test('the newest 200 that are not impressions are remembered when sent, and those that wait', async () => {
  queue._add(range(0, 210))
  queue._add([{ ...click(210), kind: 'impression' }])
  for (let batch = await take(); batch !== undefined; batch = await take());
  queue._add([click(211)])
  expect(items(await other._recent())).toEqual([...(items(range(10, 210)) ?? []), 'sku-211'])
})
