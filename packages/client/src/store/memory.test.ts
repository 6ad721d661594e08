import { expect, test } from 'vitest'
import { createReport } from '../error.ts'
import { createIdbOrMemoryStore } from './idb-or-memory.ts'
import { createMemoryStore } from './memory.ts'
import type { QueueStore } from './queue-store.ts'
import { STORE_CONTRACT } from './store.contract.ts'

test.each(Object.entries(STORE_CONTRACT))('memory: %s', async (_name, run) => {
  await run(async (options) => createMemoryStore(options))
})

test.each(Object.entries(STORE_CONTRACT))(
  'idb-or-memory over a store that opens late: %s',
  async (_name, run) => {
    await run(async (options) =>
      createIdbOrMemoryStore(
        () => new Promise((resolve) => setTimeout(() => resolve(createMemoryStore(options)), 5)),
        () => {
          throw new Error('nothing should be reported')
        },
      ),
    )
  },
)

test('a store that cannot be opened is told once, and memory keeps the events', async () => {
  const codes: string[] = []
  const report = createReport((error) => codes.push(error.code))
  const store = createIdbOrMemoryStore(() => Promise.reject(new Error('SecurityError')), report)
  await store.add([{ id: 'a', kind: 'click', item: 'x', at: 1 }])
  expect((await store.next('batch'))?.events).toHaveLength(1)
  expect(codes).toEqual(['STORAGE_UNAVAILABLE'])
})

test('writes that are refused for want of room go to memory and are sent after what was kept before', async () => {
  const codes: string[] = []
  let full = false
  const durable = createMemoryStore()
  const quota: QueueStore = {
    ...durable,
    add: (events) => (full ? Promise.reject(new Error('QuotaExceededError')) : durable.add(events)),
  }
  const store = createIdbOrMemoryStore(
    () => Promise.resolve(quota),
    createReport((error) => codes.push(error.code)),
  )
  await store.add([{ id: '1', kind: 'click', item: 'before', at: 1 }])
  full = true
  await store.add([{ id: '2', kind: 'click', item: 'refused', at: 2 }])
  expect((await store.next('a'))?.events.map((event) => event.item)).toEqual(['before'])
  await store.done('a')
  expect((await store.next('b'))?.events.map((event) => event.item)).toEqual(['refused'])
  await store.done('b')
  expect(await store.next('c')).toBeUndefined()
  expect(codes).toEqual(['STORAGE_FAILED'])
})
