import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createIdbOrMemoryStore } from './idb-or-memory.ts'
import { createMemoryStore } from './memory.ts'
import type { QueueStore } from './queue-store.ts'
import { createSpill } from './spill.ts'

const click = (n: number) => ({ id: `id-${n}`, kind: 'click' as const, item: `sku-${n}`, at: n })
let time = 10_000

/** As much of localStorage as is used: own enumerable keys and three methods. */
function fakeStorage(): Storage {
  const hide = (value: unknown) => ({ value, enumerable: false })
  const storage: Record<string, string> = {}
  return Object.defineProperties(storage, {
    getItem: hide((key: string) => storage[key] ?? null),
    setItem: hide((key: string, value: string) => void (storage[key] = value)),
    removeItem: hide((key: string) => delete storage[key]),
  }) as unknown as Storage
}

beforeEach(() => {
  time = 10_000
  vi.stubGlobal('localStorage', fakeStorage())
})
afterEach(() => vi.unstubAllGlobals())

const page = (name: string, durable: QueueStore) =>
  createIdbOrMemoryStore(
    async () => durable,
    (code) => {
      throw new Error(code)
    },
    () => true,
    createSpill('attune-site', name, () => time),
  )
const items = async (store: QueueStore) => (await store.next('batch'))?.events.map((event) => event.item)

test('a click whose write never ends is taken over by a page 3 s later, not before', async () => {
  const shared = createMemoryStore()
  void page('a', { ...shared, add: () => new Promise(() => {}) }).add([click(1)])
  await Promise.resolve()
  time += 2_999
  expect(await items(page('b', shared))).toBeUndefined()
  time += 1
  expect(await items(page('c', shared))).toEqual(['sku-1'])
  expect(Object.keys(localStorage)).toEqual([])
})

test('a click that was written and sent, with its page gone before it knew, is not queued again', async () => {
  const shared = createMemoryStore()
  const neverKnew: QueueStore = {
    ...shared,
    async add(events) {
      await shared.add(events)
      await new Promise(() => {})
    },
  }
  void page('a', neverKnew).add([click(1)])
  const other = page('b', shared)
  await vi.waitFor(async () => expect(await items(other)).toEqual(['sku-1']))
  await other.done('batch')
  time += 5_000
  expect(await items(other)).toBeUndefined()
})

test('a batch that was sent as its page went keeps its id', async () => {
  const shared = createMemoryStore()
  const dying = page('a', { ...shared, add: () => new Promise(() => {}), claim: () => new Promise(() => {}) })
  void dying.add([click(1)])
  void dying.claim({ id: 'sent', events: [click(1)] })
  await Promise.resolve()
  time += 5_000
  expect(await page('b', shared).next('other')).toEqual({ id: 'sent', events: [click(1)] })
})

test('nothing stays once the database has confirmed, and impressions are never put there', async () => {
  const store = page('a', createMemoryStore())
  const adding = store.add([click(1), { ...click(2), kind: 'impression' }])
  expect(JSON.stringify(localStorage)).not.toContain('sku-2')
  expect(JSON.stringify(localStorage)).toContain('sku-1')
  await adding
  expect(Object.keys(localStorage)).toEqual([])
})

test('storage that throws on every access changes nothing', async () => {
  vi.stubGlobal(
    'localStorage',
    new Proxy(
      {},
      {
        get: () => {
          throw new Error('SecurityError')
        },
        ownKeys: () => {
          throw new Error('SecurityError')
        },
      },
    ),
  )
  const store = page('a', createMemoryStore())
  await store.add([click(1)])
  expect(await items(store)).toEqual(['sku-1'])
})
