import { CosmosClient, type Container } from '@azure/cosmos'
import { covers, DATABASE, EVENTS_CONTAINER, parseSessionToken } from '@attune/core'
import { startCosmosLocal, type CosmosLocal } from '@attune/cosmos-local'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { startProxy } from '../testing/cosmos-proxy.ts'
import { createEvents, storeClicks } from '../testing/events-container.ts'
import { toStoredBatch } from './batches.ts'
import { FeedPlaces } from './places.ts'
import { startReaders } from './reader.ts'
import { readThrough, type FeedRead, type FeedStart } from './read.ts'

let cosmos: CosmosLocal
let container: Container
const cleanup: (() => Promise<unknown> | void)[] = []
beforeAll(async () => {
  cosmos = await startCosmosLocal({ port: 0 })
})
afterAll(() => cosmos.close())
beforeEach(async () => {
  container = await createEvents(cosmos)
})
afterEach(async () => {
  for (const action of cleanup.splice(0).reverse()) await action()
  await container.delete()
})

interface Read {
  readonly pages: FeedRead<unknown>[]
  readonly errors: string[]
  stop(): Promise<void>
}

async function read(
  from: Container,
  options: { start?: FeedStart; continuations?: readonly string[] } = {},
): Promise<Read> {
  const stop = new AbortController()
  const pages: FeedRead<unknown>[] = []
  const errors: string[] = []
  const { done } = await startReaders({
    container: from,
    start: options.start ?? 'beginning',
    places: new FeedPlaces(options.continuations),
    idleMs: 5,
    readTimeoutMs: 1_000,
    signal: stop.signal,
    random: () => 0.5,
    onPage: (page) => {
      pages.push(page)
      return Promise.resolve()
    },
    onError: (_range, error) => errors.push(String(error)),
  })
  const ended = async () => {
    stop.abort()
    await done
  }
  cleanup.push(ended)
  return { pages, errors, stop: ended }
}

const items = ({ pages }: Read) =>
  pages
    .flatMap(({ documents }) => documents.flatMap((document) => toStoredBatch(document) ?? []))
    .flatMap(({ events }) => events.map(({ item }) => item))
const settled = async (reader: Read, count: number) => {
  const end = Date.now() + 10_000
  while (items(reader).length < count && Date.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 5))
  return items(reader)
}

test('from the beginning: all that was stored, then what comes, each once and in the order of its visitor', async () => {
  await storeClicks(container, 'v1', ['a', 'b'])
  const reader = await read(container)
  await settled(reader, 2)
  await storeClicks(container, 'v1', ['c'])
  await storeClicks(container, 'v2', ['x'])
  await storeClicks(container, 'v1', ['d'])
  const seen = await settled(reader, 5)
  expect(seen.filter((item) => item !== 'x')).toEqual(['a', 'b', 'c', 'd'])
  expect(seen.length).toBe(5)
})

test('from now: nothing that was there, everything after the first page', async () => {
  await storeClicks(container, 'v1', ['old'])
  const reader = await read(container, { start: 'now' })
  const end = Date.now() + 5_000
  while (reader.pages.length === 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(reader.pages[0]).toMatchObject({ documents: [], through: null })
  await storeClicks(container, 'v1', ['new'])
  expect(await settled(reader, 1)).toEqual(['new'])
})

test('a reader that goes on from a continuation reads the rest, and no page twice', async () => {
  for (let index = 0; index < 20; index++) await storeClicks(container, `v${index % 3}`, [`i${index}`])
  const first = await read(container)
  await settled(first, 20)
  await first.stop()
  const last = first.pages.at(-1)
  const continuations = [last?.continuation ?? '']
  await storeClicks(container, 'v0', ['later'])
  const second = await read(container, { continuations })
  expect(await settled(second, 1)).toEqual(['later'])
})

test('the token a page proves covers every write in it and none after it', async () => {
  const tokens = []
  for (let index = 0; index < 5; index++) tokens.push(await storeClicks(container, 'v', [`i${index}`]))
  const reader = await read(container)
  await settled(reader, 5)
  const through = reader.pages.at(-1)?.through
  expect(through).toEqual(expect.any(String))
  for (const token of tokens)
    expect(covers(parseSessionToken(through ?? ''), parseSessionToken(token))).toBe(true)
  const next = await storeClicks(container, 'v', ['later'])
  expect(covers(parseSessionToken(through ?? ''), parseSessionToken(next))).toBe(false)
})

test('a document that is no batch is skipped, not stumbled over', async () => {
  await container.items.create({ id: 'odd', visitor: 'shop:v', hello: 'world' })
  await container.items.create({
    id: 'odder',
    visitor: 'shop:v',
    received: 1,
    events: [{ id: 7 }, null, 'x'],
  })
  await storeClicks(container, 'v', ['a'])
  expect(await settled(await read(container), 1)).toEqual(['a'])
})

test('Cosmos away and back: reading goes on where it was, the failures are told', async () => {
  const proxy = await startProxy(cosmos.endpoint)
  cleanup.push(() => proxy.close())
  const client = new CosmosClient({
    endpoint: proxy.url,
    key: cosmos.key,
    connectionPolicy: { enableEndpointDiscovery: false },
  })
  await storeClicks(container, 'v', ['a'])
  const reader = await read(client.database(DATABASE).container(EVENTS_CONTAINER.id))
  await settled(reader, 1)
  proxy.down = true
  await storeClicks(container, 'v', ['b'])
  const end = Date.now() + 10_000
  while (reader.errors.length === 0 && Date.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 10))
  expect(reader.errors[0]).toContain('no answer within 1000 ms')
  proxy.down = false
  expect(await settled(reader, 2)).toEqual(['a', 'b'])
})

test('a page’s token goes no further than its etag, also by region', () => {
  expect(readThrough('0:-1#12', '"9"')).toBe('0:-1#9')
  expect(readThrough('0:-1#12', '"40"')).toBe('0:-1#12')
  expect(readThrough('3:2#12#1=11#5=12', '"9"')).toBe('3:2#9#1=9#5=9')
  expect(readThrough('0:-1#12,1:-1#7', '"9"')).toBeNull()
  expect(readThrough(undefined, '"9"')).toBeNull()
  expect(readThrough('0:-1#12', undefined)).toBeNull()
})
