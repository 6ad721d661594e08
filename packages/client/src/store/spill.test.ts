import type { TrackedEvent } from '@attune/core'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createQueue } from '../queue.ts'
import type { KeyValueStore } from './key-value.ts'
import { createFactKeeper } from './facts.ts'
import { createKept } from './kept.ts'
import { createMemoryStore } from './memory.ts'
import { createSpill } from './spill.ts'
import { contentOf } from './store.contract.ts'

const click = (n: number): TrackedEvent => ({
  id: `id-${String(n).padStart(4, '0')}`,
  kind: 'click',
  item: `sku-${n}`,
  at: n,
})
let time = 10_000
let batches = 0

beforeEach(() => {
  time = 10_000
  // As much of localStorage as is used: own enumerable keys.
  vi.stubGlobal('localStorage', {})
})
afterEach(() => vi.unstubAllGlobals())

const failing = (code: string): void => {
  throw new Error(code)
}
const page = (name: string, database: KeyValueStore, report = failing) => {
  const kept = createKept(
    async () => database,
    report,
    () => true,
    createSpill('attune-site', name, () => time),
  )
  const made = createQueue(
    kept,
    createFactKeeper(kept),
    // As UUIDv7 does: later ids sort later.
    () => `id-${++batches + 1_000}`,
    report,
    () => time,
  )
  return { ...made, _settled: () => kept._update(() => []) }
}
const same = <T>(facts: T): T => facts
type Page = ReturnType<typeof page>
const items = async (of: Page) => (await of._next())?.events.map((event) => event.item)
const never = (): Promise<never> => new Promise(() => {})
/** The database is open, and nothing is waiting for that any more. */
const settled = (of: Page) => of._settled()

test('a click whose write never ends is taken over by the next page; what is left of it is removed 3 s later', async () => {
  const shared = createMemoryStore()
  page('a', { ...shared, put: never })._add([click(1)], false)
  time += 2_999
  expect(await items(page('b', shared))).toEqual(['sku-1'])
  expect(Object.keys(localStorage)).toEqual(['attune-site:a'])
  time += 1
  expect(await items(page('c', shared))).toEqual(['sku-1'])
  expect(Object.keys(localStorage)).toEqual([])
})

test('a click that was written and sent, with its page gone before it knew, is not queued again', async () => {
  const shared = createMemoryStore()
  const dying = page('a', {
    ...shared,
    async put(pairs) {
      await shared.put(pairs)
      await never()
    },
  })
  dying._add([click(1)], false)
  await settled(dying)
  const other = page('b', shared)
  const batch = await other._next()
  expect(batch?.events.map((event) => event.item)).toEqual(['sku-1'])
  if (batch) await other._done(batch, same)
  time += 5_000
  expect(await items(other)).toBeUndefined()
})

test('a batch that was sent as its page went keeps its id, and is taken over at once: its events must not be in another', async () => {
  const shared = createMemoryStore()
  let dead = false
  const dying = page('a', { ...shared, put: (pairs) => (dead ? never() : shared.put(pairs)) })
  expect(await items(dying)).toBeUndefined()
  dying._add([click(1)], true)
  await settled(dying)
  dead = true
  // In place of the first, which is in the store still.
  dying._add([click(2)], true)
  const sent = dying._take()
  expect(sent?.events).toEqual([click(1), click(2)])
  const other = page('b', shared)
  expect(await other._next()).toEqual(sent)
  if (sent) await other._done(sent, same)
  // It is still in the dead page's part of localStorage.
  expect(Object.keys(localStorage)).toHaveLength(1)
  expect(await items(other)).toBeUndefined()
})

test('a batch in place of one that another tab had sent already has only what is new in it', async () => {
  const shared = createMemoryStore()
  let dead = false
  const dying = page('a', { ...shared, put: (pairs) => (dead ? never() : shared.put(pairs)) })
  await settled(dying)
  dying._add([click(1)], true)
  await settled(dying)
  dead = true
  dying._add([click(2)], true)
  const spilled = { ...localStorage }
  vi.stubGlobal('localStorage', {})
  // What the page wrote in its last moment is not to be seen yet.
  const other = page('b', shared)
  const first = await other._next()
  expect(first?.events).toEqual([click(1)])
  if (first) await other._done(first, same)
  vi.stubGlobal('localStorage', spilled)
  const second = await other._next()
  expect(second?.events).toEqual([click(2)])
})

test('a browser that was killed brings back localStorage of a minute ago: 300 clicks that were stored since are not queued again (clicks were doubled)', async () => {
  const shared = createMemoryStore()
  const first = page('a', shared)
  first._add([click(1)], false)
  const old = { ...localStorage }
  expect(Object.keys(old)).toEqual(['attune-site:a'])
  for (let n = 2; n <= 300; n++) first._add([click(n)], false)
  for (let batch = await first._next(); batch; batch = await first._next()) await first._done(batch, same)
  vi.stubGlobal('localStorage', old)
  time += 60_000
  const again = page('b', shared)
  expect(await items(again)).toBeUndefined()
  expect(Object.keys(old)).toEqual([])
})

test('of what a page left, only what the database had confirmed to it counts as written', async () => {
  const shared = createMemoryStore()
  let dead = false
  const dying = page('a', { ...shared, put: (pairs) => (dead ? never() : shared.put(pairs)) })
  dying._add([click(1)], false)
  await settled(dying)
  dead = true
  dying._add([click(2)], false)
  time += 3_000
  const next = page('b', shared)
  expect(await items(next)).toEqual(['sku-1'])
  const batch = await next._next()
  if (batch) await next._done(batch, same)
  expect(await items(next)).toEqual(['sku-2'])
})

test('a store of more than 200 keys is tidied up: of 101 pages whose marks are kept the oldest is given up', async () => {
  const shared = createMemoryStore()
  for (let n = 100; n <= 200; n++) {
    const one = page(`page-${n}`, shared)
    one._add([click(n)], false)
    await settled(one)
  }
  // Of a tab that has lost nothing.
  localStorage['attune-site:tab'] = '0'
  await page('last', shared)._next()
  const marks = [...(await contentOf(shared)).keys()].filter((key) => key.startsWith('w:'))
  expect([marks.length, marks[0], Object.keys(localStorage)]).toEqual([100, 'w:page-101', []])
})

test('clicks of two pages that ended are not lost when the page that takes them over ends too, before it has written them', async () => {
  const shared = createMemoryStore()
  const stuck = { ...shared, put: never }
  page('a', stuck)._add([click(1), click(2)], false)
  page('b', stuck)._add([click(3)], false)
  time += 3_000
  // Reads, and writes nothing any more.
  const writing = vi.fn(never)
  void page('c', { ...stuck, update: writing })._next()
  await vi.waitFor(() => expect(writing).toHaveBeenCalled())
  time += 3_000
  const last = page('d', shared)
  const taken: unknown[] = []
  for (let batch = await last._next(); batch; batch = await last._next()) {
    taken.push(batch.events.map((event) => event.item))
    await last._done(batch, same)
  }
  expect(taken).toEqual([['sku-1', 'sku-2'], ['sku-3']])
  expect(Object.keys(localStorage)).toEqual([])
})

test('what a page that was only slow has written while its older clicks were taken over stays', async () => {
  const shared = createMemoryStore()
  const slow = page('a', { ...shared, put: never })
  slow._add([click(1)], false)
  time += 3_000
  const other = page('b', {
    ...shared,
    update: (change) =>
      shared.update((all) => {
        const pairs = change(all)
        if (pairs.some(([key]) => key.startsWith('b:'))) slow._add([click(2)], false)
        return pairs
      }),
  })
  expect(await items(other)).toEqual(['sku-1'])
  expect(JSON.stringify(localStorage)).toContain('sku-2')
})

test('nothing stays once the database has confirmed, and impressions are never put there', async () => {
  const store = page('a', createMemoryStore())
  store._add([click(1), { ...click(2), kind: 'impression' }], false)
  expect(JSON.stringify(localStorage)).not.toContain('sku-2')
  expect(JSON.stringify(localStorage)).toContain('sku-1')
  await settled(store)
  expect(Object.keys(localStorage)).toEqual([])
})

test('a database that refuses everything: of 150 clicks the newest 100 are in localStorage, and the next page sends them', async () => {
  const refusing = { ...createMemoryStore(), put: () => Promise.reject(new Error('QuotaExceededError')) }
  const store = page('a', refusing, () => {})
  for (let n = 100; n < 250; n++) store._add([click(n)], false)
  await settled(store)
  time += 5_000
  const empty = createMemoryStore()
  await page('b', empty)._next()
  const next = [...(await contentOf(empty))].map(
    ([, value]) => (value as { events: TrackedEvent[] }).events[0]?.item,
  )
  expect([next.length, next[0], next.at(-1)]).toEqual([100, 'sku-150', 'sku-249'])
})

test('storage that throws on every access changes nothing', async () => {
  const refuse = () => {
    throw new Error('SecurityError')
  }
  vi.stubGlobal(
    'localStorage',
    new Proxy({}, { get: refuse, set: refuse, deleteProperty: refuse, ownKeys: refuse }),
  )
  const store = page('a', createMemoryStore())
  store._add([click(1)], false)
  expect(await items(store)).toEqual(['sku-1'])
})
