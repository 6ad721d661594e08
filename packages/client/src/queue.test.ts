import type { TrackedEvent } from '@attune/core'
import { beforeEach, expect, test } from 'vitest'
import { createSignals } from './emitter.ts'
import { createQueue, type Queue } from './queue.ts'
import { recentOf } from './recent.ts'
import { createFactKeeper } from './store/facts.ts'
import { createKept } from './store/kept.ts'
import { createMemoryStore } from './store/memory.ts'
import { contentOf } from './store/store.contract.ts'

const id = (n: number): string => `01900000-0000-7000-8000-${String(n).padStart(12, '0')}`
const click = (n: number): TrackedEvent => ({ id: id(n), kind: 'click', item: `sku-${n}`, at: 1_000 + n })
const range = (from: number, to: number): TrackedEvent[] =>
  Array.from({ length: to - from }, (_, i) => click(from + i))
const items = (events: readonly TrackedEvent[] | undefined) => events?.map((event) => event.item)

const same = <T>(facts: T): T => facts

let codes: string[]
type Tab = Queue & { _recent(): Promise<TrackedEvent[]> }
let queue: Tab
let other: Tab

beforeEach(() => {
  codes = []
  const database = createMemoryStore()
  const { _report: report } = createSignals((error) => codes.push(`${error.code} ${error.message}`))
  let batches = 0
  const tab = () => {
    const kept = createKept(
      async () => database,
      report,
      () => true,
    )
    const made = createQueue(kept, createFactKeeper(kept), () => id(900 + ++batches), report, Date.now)
    return { ...made, _recent: async () => recentOf(await contentOf({ update: kept._update })) }
  }
  queue = tab()
  other = tab()
})
const take = async (from = queue) => {
  const batch = await from._next()
  if (batch !== undefined) await from._done(batch, same)
  return items(batch?.events)
}

test('what tabs add is sent oldest first, and a batch stays the same until it is done', async () => {
  queue._add([click(1)], false)
  other._add([click(2)], false)
  queue._add([click(3), click(4)], false)
  const batch = await queue._next()
  expect([batch?.id, items(batch?.events)]).toEqual([id(901), ['sku-1']])
  expect(await other._next()).toEqual(batch)
  if (batch) await other._done(batch, same)
  expect([await take(other), await take(), await take()]).toEqual([['sku-2'], ['sku-3', 'sku-4'], undefined])
})

test('a tab that alone sends gathers its events in one batch; each time it has another id, and takes the place of the one before', async () => {
  expect(queue._add([click(1)], true)).toBe(true)
  const first = await other._next()
  expect(queue._add([click(2)], true)).toBe(true)
  const own = queue._take()
  expect([own?.id, items(own?.events)]).toEqual([id(902), ['sku-1', 'sku-2']])
  expect([first?.id, queue._take()]).toEqual([id(901), undefined])
  expect(queue._add([click(3)], false)).toBe(false)
  // Another tab, or the next page, finds the same.
  expect(await other._next()).toEqual(own)
  if (own) await other._done(own, same)
  expect([await take(other), await take()]).toEqual([['sku-3'], undefined])
})

test('a batch that is found in the store is not added to any more', async () => {
  queue._add([click(1)], true)
  const found = await queue._next()
  queue._add([click(2)], true)
  expect(items(found?.events)).toEqual(['sku-1'])
  expect([await take(), await take(), await take()]).toEqual([['sku-1'], ['sku-2'], undefined])
})

test('a batch has at most 100 events; 101 are two batches, and there is more than the newest', async () => {
  expect(queue._add(range(0, 101), true)).toBe(false)
  expect(items(queue._take()?.events)).toEqual(['sku-100'])
  expect([(await take())?.length, await take(), await take()]).toEqual([100, ['sku-100'], undefined])
})

test('of 5,003 events that wait the oldest batch of 100 is given up, which is told', async () => {
  queue._add(range(0, 5_003), false)
  expect((await take())?.slice(0, 2)).toEqual(['sku-100', 'sku-101'])
  expect(codes).toEqual(['QUEUE_FULL 100 events given up'])
  let left = 0
  for (let batch = await take(); batch !== undefined; batch = await take()) left += batch.length
  expect(left).toBe(4_803)
})

test('the newest 200 that are not impressions are remembered when sent, and those that wait', async () => {
  queue._add(range(0, 210), false)
  queue._add([{ ...click(210), kind: 'impression' }], false)
  for (let batch = await take(); batch !== undefined; batch = await take());
  queue._add([click(211)], false)
  expect(items(await other._recent())).toEqual([...(items(range(10, 210)) ?? []), 'sku-211'])
})
