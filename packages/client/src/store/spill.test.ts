import type { TrackedEvent } from '@attune/core'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createQueue } from '../queue.ts'
import type { KeyValueStore } from './key-value.ts'
import { createKept } from './kept.ts'
import { createMemoryStore } from './memory.ts'
import { createSpill } from './spill.ts'

const click = (n: number): TrackedEvent => ({ id: `id-${n}`, kind: 'click', item: `sku-${n}`, at: n })
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
const page = (name: string, database: KeyValueStore, report = failing) =>
  createQueue(
    createKept(
      async () => database,
      report,
      () => true,
      createSpill('attune-site', name, () => time),
    ),
    () => `batch-${++batches}`,
    report,
    () => time,
  )
type Page = ReturnType<typeof page>
const items = async (of: Page) => (await of._next())?.events.map((event) => event.item)
const never = (): Promise<never> => new Promise(() => {})
/** The database is open, and nothing is waiting for that any more. */
const settled = (of: Page) => of._recent()

test('a click whose write never ends is taken over by a page 3 s later, not before', async () => {
  const shared = createMemoryStore()
  page('a', { ...shared, put: never })._add([click(1)])
  time += 2_999
  expect(await items(page('b', shared))).toBeUndefined()
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
  dying._add([click(1)])
  await settled(dying)
  const other = page('b', shared)
  const batch = await other._next()
  expect(batch?.events.map((event) => event.item)).toEqual(['sku-1'])
  if (batch) await other._done(batch)
  time += 5_000
  expect(await items(other)).toBeUndefined()
})

test('a batch that was sent as its page went keeps its id, and is taken over at once: its events must not be in another', async () => {
  const shared = createMemoryStore()
  let dead = false
  const dying = page('a', { ...shared, put: (pairs) => (dead ? never() : shared.put(pairs)) })
  expect(await items(dying)).toBeUndefined()
  dying._add([click(1)])
  await settled(dying)
  dead = true
  const sent = dying._claim()
  expect(sent?.events).toEqual([click(1)])
  const other = page('b', shared)
  expect(await other._next()).toEqual(sent)
  if (sent) await other._done(sent)
  // It is still in the dead page's part of localStorage.
  expect(Object.keys(localStorage)).toHaveLength(1)
  expect(await items(other)).toBeUndefined()
})

test('clicks of two pages that ended are not lost when the page that takes them over ends too, before it has written them', async () => {
  const shared = createMemoryStore()
  const stuck = { ...shared, put: never }
  page('a', stuck)._add([click(1), click(2)])
  page('b', stuck)._add([click(3)])
  time += 3_000
  // Reads, and writes nothing any more.
  const ending = page('c', stuck)
  void ending._next()
  await vi.waitFor(() => expect(Object.keys(localStorage)).toContain('attune-site:c'))
  time += 3_000
  const last = page('d', shared)
  expect(await items(last)).toEqual(['sku-1', 'sku-2', 'sku-3'])
  expect(Object.keys(localStorage)).toEqual([])
})

test('what a page that was only slow has written while its older clicks were taken over stays', async () => {
  const shared = createMemoryStore()
  const slow = page('a', { ...shared, put: never })
  slow._add([click(1)])
  time += 3_000
  const other = page('b', {
    ...shared,
    async put(pairs) {
      if (pairs.some(([key]) => key === 'e:id-1')) slow._add([click(2)])
      await shared.put(pairs)
    },
  })
  expect(await items(other)).toEqual(['sku-1'])
  expect(JSON.stringify(localStorage)).toContain('sku-2')
})

test('nothing stays once the database has confirmed, and impressions are never put there', async () => {
  const store = page('a', createMemoryStore())
  store._add([click(1), { ...click(2), kind: 'impression' }])
  expect(JSON.stringify(localStorage)).not.toContain('sku-2')
  expect(JSON.stringify(localStorage)).toContain('sku-1')
  await settled(store)
  expect(Object.keys(localStorage)).toEqual([])
})

test('a database that refuses everything: of 150 clicks the newest 100 are in localStorage, and the next page sends them', async () => {
  const refusing = { ...createMemoryStore(), put: () => Promise.reject(new Error('QuotaExceededError')) }
  const store = page('a', refusing, () => {})
  for (let n = 100; n < 250; n++) store._add([click(n)])
  await settled(store)
  time += 5_000
  const next = await items(page('b', createMemoryStore()))
  expect([next?.length, next?.[0], next?.at(-1)]).toEqual([100, 'sku-150', 'sku-249'])
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
  store._add([click(1)])
  expect(await items(store)).toEqual(['sku-1'])
})
