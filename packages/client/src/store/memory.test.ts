import { expect, test } from 'vitest'
import { createSignals } from '../emitter.ts'
import { createKept } from './kept.ts'
import type { KeyValueStore } from './key-value.ts'
import { createMemoryStore } from './memory.ts'
import { contentOf, STORE_CONTRACT } from './store.contract.ts'

const always = () => true
const nothing = () => {
  throw new Error('nothing should be reported')
}
/** What is kept, as a store of the same kind. */
const asStore = (
  open: () => Promise<KeyValueStore | undefined>,
  report: Parameters<typeof createKept>[1] = nothing,
): KeyValueStore => {
  const kept = createKept(open, report, always)
  return {
    put: kept._put,
    update: kept._update,
    close: kept._close,
  }
}
const codes: string[] = []
const told = () => {
  codes.length = 0
  return createSignals((error) => codes.push(error.code))._report
}

test.each(Object.entries(STORE_CONTRACT))('memory: %s', async (_name, run) => {
  await run(async () => createMemoryStore())
})

test.each(Object.entries(STORE_CONTRACT))('a database that opens late: %s', async (_name, run) => {
  const late = () =>
    new Promise<KeyValueStore>((resolve) => setTimeout(() => resolve(createMemoryStore()), 5))
  await run(async () => asStore(late))
})

test.each(Object.entries(STORE_CONTRACT))('no database: %s', async (_name, run) => {
  await run(async () => asStore(async () => undefined))
})

test.each(Object.entries(STORE_CONTRACT))(
  'a database that cannot be opened, told once: %s',
  async (_name, run) => {
    const report = told()
    await run(async () => asStore(() => Promise.reject(new Error('SecurityError')), report))
    expect(codes).toEqual(['STORAGE_UNAVAILABLE'])
  },
)

test.each(Object.entries(STORE_CONTRACT))(
  'a database that refuses every second write for want of room: %s',
  async (_name, run) => {
    const report = told()
    let writes = 0
    const store = createMemoryStore()
    const open = async (): Promise<KeyValueStore> => {
      const refusing =
        <Args extends unknown[]>(work: (...args: Args) => Promise<unknown>) =>
        (...args: Args): Promise<unknown> =>
          writes++ % 2 === 0 ? Promise.reject(new Error('QuotaExceededError')) : work(...args)
      return { ...store, put: refusing(store.put), update: refusing(store.update) }
    }
    await run(async () => asStore(open, report))
    if (writes > 0) expect(codes).toEqual(['STORAGE_FAILED'])
  },
)

test('a connection that is lost is opened again: told once, what comes later is in the database, and nothing is missing', async () => {
  const report = told()
  const database = createMemoryStore()
  let opened = 0
  let lost = 0
  const open = async (): Promise<KeyValueStore> => {
    const own = ++opened
    const living = <Args extends unknown[]>(work: (...args: Args) => Promise<unknown>, ...args: Args) =>
      own > lost ? work(...args) : Promise.reject(new DOMException('lost', 'InvalidStateError'))
    return {
      ...database,
      put: (pairs) => living(database.put, pairs),
      update: (change) => living(database.update, change),
    }
  }
  const kept = createKept(open, report, always)
  await kept._put([['e:1', { id: '1' }]])
  for (const id of ['2', '4']) {
    lost = opened
    await kept._put([[`e:${id}`, { id }]])
    await kept._put([[`e:${Number(id) + 1}`, { id: String(Number(id) + 1) }]])
  }
  expect([codes, opened]).toEqual([['STORAGE_FAILED'], 3])
  expect([...(await contentOf(database)).keys()]).toEqual(['e:1', 'e:3', 'e:5'])
  expect([...(await contentOf({ update: kept._update })).keys()].toSorted()).toEqual([
    'e:1',
    'e:2',
    'e:3',
    'e:4',
    'e:5',
  ])
})

test('while nothing may be kept the database is not opened; afterwards it is', async () => {
  let allowed = false
  let opened = 0
  const database = createMemoryStore()
  const open = async () => {
    opened++
    return database
  }
  const kept = createKept(open, nothing, () => allowed)
  await kept._put([['e:1', { id: '1' }]])
  expect([opened, [...(await contentOf({ update: kept._update }))]]).toEqual([0, [['e:1', { id: '1' }]]])
  allowed = true
  await kept._put([['e:2', { id: '2' }]])
  expect(opened).toBe(1)
  expect([...(await contentOf(database)).keys()]).toEqual(['e:2'])
  expect([...(await contentOf({ update: kept._update })).keys()]).toEqual(['e:2', 'e:1'])
})
