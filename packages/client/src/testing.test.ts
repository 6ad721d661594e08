import { afterEach, expect, test } from 'vitest'
import type { Client, ClientOptions } from './client.ts'
import { createTestClient, listOf } from './testing.ts'

const open: Client[] = []
afterEach(() => {
  for (const client of open.splice(0)) client.close()
})
function start(options: Partial<ClientOptions> = {}) {
  const made = createTestClient(options)
  open.push(made.client)
  return made
}

test('what an app tells is what the edge has, after a flush', async () => {
  const { client, edge } = start()
  client.track('add-to-cart', 'sku-1', { value: 12.5 })
  client.track('search', null, { query: 'tea' })
  await client.flush()
  expect(edge.events).toMatchObject([
    { kind: 'add-to-cart', item: 'sku-1', value: 12.5, seq: 1 },
    { kind: 'search', query: 'tea', seq: 2 },
  ])
  expect(edge.batches[0]).toMatchObject({ visitor: 'visitor.signed' })
})

test('lists are as the test says, and carry what the visitor has just done', async () => {
  const { client, edge } = start()
  client.track('click', 'sku-7')
  expect((await client.rank(['b', 'a']))?.items.map(({ id }) => id)).toEqual(['b', 'a'])
  expect(edge.ranks[0]?.recent?.map((event) => event.item)).toEqual(['sku-7'])
  edge.rank = (request) => listOf(['x', 'y', 'z'], request)
  expect((await client.recommend('for-you', { k: 2 }))?.items.map(({ id }) => id)).toEqual(['x', 'y'])
})

test('no network, and a failing edge: nothing is thrown, the app hears of it, what was told comes later, once', async () => {
  const codes: string[] = []
  const { client, edge } = start({ onError: (error) => codes.push(error.code), random: () => 0 })
  edge.status = 0
  client.track('click', 'a')
  await client.flush()
  expect(await client.recommend('for-you')).toBeUndefined()
  expect([codes, edge.events]).toEqual([['DELIVERY_DELAYED', 'RANK_FAILED'], []])
  edge.status = undefined
  await expect.poll(() => edge.events.map((event) => event.item), { timeout: 10_000 }).toEqual(['a'])
})

test('two tests do not see each other', async () => {
  const [one, two] = [start(), start()]
  one.client.track('click', 'a')
  await Promise.all([one.client.flush(), two.client.flush()])
  expect([one.edge.events.length, two.edge.events.length]).toEqual([1, 0])
})
