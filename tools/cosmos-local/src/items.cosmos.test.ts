import { CosmosClient, type Container } from '@azure/cosmos'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCosmosLocal, type CosmosLocal } from './index.ts'

let cosmos: CosmosLocal
let client: CosmosClient
let container: Container

beforeAll(async () => {
  cosmos = await startCosmosLocal({ port: 0 })
  client = new CosmosClient({
    endpoint: cosmos.endpoint,
    key: cosmos.key,
    connectionPolicy: { enableBackgroundEndpointRefreshing: false },
  })
  const { database } = await client.databases.createIfNotExists({ id: 'attune' })
  const made = await database.containers.createIfNotExists({
    id: 'events',
    partitionKey: { paths: ['/visitor'] },
  })
  container = made.container
})

afterAll(async () => {
  client.dispose()
  await cosmos.close()
})

test('a created item is read back with its charge of 1 RU and a session token', async () => {
  const created = await container.items.create({ id: 'a', visitor: 'v1', at: 1 })
  expect(created.statusCode).toBe(201)
  expect(created.requestCharge).toBe(4.95)
  expect(created.headers['x-ms-session-token']).toMatch(/^0:-1#\d+$/)
  const read = await container.item('a', 'v1').read<{ at: number }>()
  expect(read.resource?.at).toBe(1)
  expect(read.requestCharge).toBe(1)
})

test('a second create of the same id is a 409, in another partition it is not', async () => {
  await container.items.create({ id: 'twice', visitor: 'v1' })
  await expect(container.items.create({ id: 'twice', visitor: 'v1' })).rejects.toMatchObject({ code: 409 })
  expect((await container.items.create({ id: 'twice', visitor: 'v2' })).statusCode).toBe(201)
})

test('a visitor sees only their own newest items', async () => {
  for (let at = 0; at < 15; at++) await container.items.create({ id: `e${at}`, visitor: 'v3', at })
  const { resources } = await container.items
    .query<{ at: number }>(
      {
        query: 'SELECT * FROM c WHERE c.visitor = @v ORDER BY c.at DESC OFFSET 0 LIMIT 10',
        parameters: [{ name: '@v', value: 'v3' }],
      },
      { partitionKey: 'v3' },
    )
    .fetchAll()
  expect(resources.map((one) => one.at)).toEqual([14, 13, 12, 11, 10, 9, 8, 7, 6, 5])
})

test('a read with a token ahead of the replica is a 404 with substatus 1002', async () => {
  await container.items.create({ id: 'ahead', visitor: 'v4' })
  const response = await fetch(`${cosmos.endpoint}/dbs/attune/colls/events/docs/ahead`, {
    headers: {
      ...(await signedHeaders('GET', 'docs', 'dbs/attune/colls/events/docs/ahead')),
      'x-ms-documentdb-partitionkey': '["v4"]',
      'x-ms-session-token': '0:-1#1000000',
    },
  })
  expect([response.status, response.headers.get('x-ms-substatus')]).toEqual([404, '1002'])
})

test('the change feed gives every item once and then 304', async () => {
  const made = await client.database('attune').containers.createIfNotExists({
    id: 'feed',
    partitionKey: { paths: ['/visitor'] },
  })
  for (let i = 0; i < 25; i++) await made.container.items.create({ id: `f${i}`, visitor: `v${i % 4}` })
  const { ChangeFeedStartFrom } = await import('@azure/cosmos')
  const iterator = made.container.items.getChangeFeedIterator<{ id: string }>({
    changeFeedStartFrom: ChangeFeedStartFrom.Beginning(),
    maxItemCount: 10,
  })
  const seen: string[] = []
  for (;;) {
    const page = await iterator.readNext()
    if (page.statusCode === 304) break
    seen.push(...page.result.map((one) => one.id))
  }
  expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => `f${i}`))
})

test('a port that is taken is an error with its own code', async () => {
  const port = Number(new URL(cosmos.endpoint).port)
  await expect(startCosmosLocal({ port })).rejects.toMatchObject({ code: 'COSMOS_PORT_TAKEN' })
})

async function signedHeaders(verb: string, type: string, link: string): Promise<Record<string, string>> {
  const { sign } = await import('./protocol/auth.ts')
  const date = new Date().toUTCString()
  return {
    'x-ms-date': date,
    authorization: sign(cosmos.key, verb, type, link, date),
    'x-ms-version': '2020-07-15',
  }
}
