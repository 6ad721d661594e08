import type { TrackedEvent } from '@attune/core'
import type { Batch } from '../batch.ts'
import type { QueueStore, StoreOptions } from './queue-store.ts'

// Plain functions that throw, not Vitest tests: the same cases run in Node and inside a browser's page.

const id = (n: number): string => `01900000-0000-7000-8000-${String(n).padStart(12, '0')}`
const click = (n: number): TrackedEvent => ({ id: id(n), kind: 'click', item: `sku-${n}`, at: 1_000 + n })
const range = (from: number, to: number): TrackedEvent[] =>
  Array.from({ length: to - from }, (_, i) => click(from + i))
const ids = (events: readonly TrackedEvent[] | undefined): (string | undefined)[] | undefined =>
  events?.map((event) => event.item)

function same(received: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(received), JSON.stringify(expected)]
  if (a !== b) throw new Error(`expected ${b}, received ${a}`)
}

type Case = (open: (options?: StoreOptions) => Promise<QueueStore>) => Promise<void>

/** What every QueueStore must do; each case gets an empty one. */
export const STORE_CONTRACT: Readonly<Record<string, Case>> = {
  'a batch is formed of the oldest events and stays the same until it is done': async (open) => {
    const store = await open()
    await store.add([click(2)])
    await store.add([click(1)])
    const batch = await store.next('batch-a')
    same([batch?.id, ids(batch?.events)], ['batch-a', ['sku-1', 'sku-2']])
    await store.add([click(3)])
    same(await store.next('batch-b'), batch)
    same(await store.waiting(), [id(3)])
    await store.done('batch-a')
    same(ids((await store.next('batch-b'))?.events), ['sku-3'])
    await store.done('batch-b')
    same(await store.next('batch-c'), undefined)
  },
  'a batch has at most 100 events; 101 are two batches': async (open) => {
    const store = await open()
    await store.add(range(0, 101))
    same((await store.next('a'))?.events.length, 100)
    await store.done('a')
    same(ids((await store.next('b'))?.events), ['sku-100'])
  },
  'a claimed batch is sent in its turn and its events are not batched again': async (open) => {
    const store = await open()
    await store.add(range(0, 3))
    const claimed: Batch = { id: 'claimed', events: range(0, 2) }
    await store.claim(claimed)
    same(await store.waiting(), [id(2)])
    same(await store.next('later'), claimed)
    await store.done('claimed')
    same(ids((await store.next('later'))?.events), ['sku-2'])
  },
  'the oldest beyond the bound are given up, and how many is told': async (open) => {
    const dropped: number[] = []
    const store = await open({ maxEvents: 3, onDropped: (count) => dropped.push(count) })
    await store.add(range(0, 5))
    same(ids((await store.next('a'))?.events), ['sku-2', 'sku-3', 'sku-4'])
    same(dropped, [2])
  },
  'the newest 200 that are not impressions are remembered, sent or not': async (open) => {
    const store = await open()
    await store.add(range(0, 210))
    await store.add([{ ...click(210), kind: 'impression' }])
    await store.done((await store.next('a'))?.id ?? '')
    same(ids(await store.recent()), ids(range(10, 210)))
  },
  'facts are changed in one step': async (open) => {
    const store = await open()
    same(await store.get('session'), undefined)
    const add = () => store.update('after', (kept) => ((kept as number | undefined) ?? 0) + 1)
    const results = await Promise.all([add(), add(), add()])
    same([...results].sort(), [1, 2, 3])
    same(await store.get('after'), 3)
    await store.update('after', () => undefined)
    same(await store.get('after'), undefined)
  },
  'clear forgets events, batches, memory and facts': async (open) => {
    const store = await open()
    await store.add(range(0, 2))
    await store.next('a')
    await store.add(range(2, 4))
    await store.update('visitor', () => 'v')
    await store.clear()
    same(
      [await store.next('b'), await store.recent(), await store.get('visitor'), await store.waiting()],
      [undefined, [], undefined, []],
    )
  },
}
