import assert from 'node:assert/strict'
import {
  ChangeFeedMode,
  ChangeFeedStartFrom,
  type ChangeFeedIteratorOptions,
  type Container,
} from '@azure/cosmos'
import type { Check, World } from './world.ts'

interface Item {
  id: string
  pk: string
  n?: number
}

/** Reads until there is nothing new; the items and where it stopped. */
async function drain<T>(
  container: Container,
  options: ChangeFeedIteratorOptions,
): Promise<{ items: T[]; continuation: string }> {
  const iterator = container.items.getChangeFeedIterator<T>(options)
  const items: T[] = []
  for (;;) {
    const page = await iterator.readNext()
    if (page.statusCode === 304) return { items, continuation: page.continuationToken }
    items.push(...page.result)
  }
}

const beginning = (): ChangeFeedIteratorOptions => ({
  changeFeedStartFrom: ChangeFeedStartFrom.Beginning(),
  maxItemCount: 3,
})

async function filled(world: World, throughput = 400, count = 20): Promise<Container> {
  const made = await world.container({ throughput })
  for (let i = 0; i < count; i++) await made.items.create({ id: `a${i}`, pk: `k${i % 6}`, n: i })
  return made
}

const ids = (items: readonly Item[]): string[] => items.map((one) => one.id)

/** The change feed: latest version, and all versions and deletes. */
export const feeds: readonly Check[] = [
  {
    name: 'feed: from the beginning, in the order of the changes',
    run: async (world) => {
      const { items } = await drain<Item>(await filled(world), beginning())
      assert.deepEqual(
        ids(items),
        Array.from({ length: 20 }, (_, i) => `a${i}`),
      )
    },
  },
  {
    name: 'feed: an item changed twice comes once, at its last change',
    run: async (world) => {
      const made = await filled(world, 400, 4)
      await made.items.upsert({ id: 'a1', pk: 'k1', n: 100 })
      const { items } = await drain<Item>(made, beginning())
      assert.deepEqual(ids(items), ['a0', 'a2', 'a3', 'a1'])
    },
  },
  {
    name: 'feed: deleted items are not in it',
    run: async (world) => {
      const made = await filled(world, 400, 3)
      await made.item('a1', 'k1').delete()
      assert.deepEqual(ids((await drain<Item>(made, beginning())).items), ['a0', 'a2'])
    },
  },
  {
    name: 'feed: from now gives only what comes after',
    run: async (world) => {
      const made = await filled(world, 20_000)
      const iterator = made.items.getChangeFeedIterator<Item>({
        changeFeedStartFrom: ChangeFeedStartFrom.Now(),
      })
      assert.equal((await iterator.readNext()).statusCode, 304)
      await made.items.create({ id: 'new', pk: 'k1' })
      const seen: string[] = []
      for (let page = await iterator.readNext(); page.statusCode !== 304; page = await iterator.readNext()) {
        seen.push(...ids(page.result))
      }
      assert.deepEqual(seen, ['new'])
    },
  },
  {
    name: 'feed: from a time',
    run: async (world) => {
      const made = await filled(world, 400, 3)
      await new Promise((resolve) => setTimeout(resolve, 1100))
      const since = new Date()
      await new Promise((resolve) => setTimeout(resolve, 1000))
      await made.items.create({ id: 'late', pk: 'k1' })
      const { items } = await drain<Item>(made, { changeFeedStartFrom: ChangeFeedStartFrom.Time(since) })
      assert.deepEqual(ids(items), ['late'])
    },
  },
  {
    name: 'feed: from a continuation',
    run: async (world) => {
      const made = await filled(world, 20_000)
      const { continuation } = await drain<Item>(made, beginning())
      await made.items.create({ id: 'next', pk: 'k3' })
      const { items } = await drain<Item>(made, {
        changeFeedStartFrom: ChangeFeedStartFrom.Continuation(continuation),
      })
      assert.deepEqual(ids(items), ['next'])
    },
  },
  {
    name: 'feed: of one partition key',
    run: async (world) => {
      const made = await filled(world, 20_000)
      const { items } = await drain<Item>(made, { changeFeedStartFrom: ChangeFeedStartFrom.Beginning('k2') })
      assert.deepEqual(ids(items), ['a2', 'a8', 'a14'])
    },
  },
  {
    name: 'feed: the feed ranges together give every item once',
    run: async (world) => {
      const made = await filled(world, 30_000)
      const ranges = await made.getFeedRanges()
      assert.equal(ranges.length, 3)
      const all: string[] = []
      for (const range of ranges) {
        all.push(
          ...ids(
            (await drain<Item>(made, { changeFeedStartFrom: ChangeFeedStartFrom.Beginning(range) })).items,
          ),
        )
      }
      assert.deepEqual(all.sort(), Array.from({ length: 20 }, (_, i) => `a${i}`).sort())
    },
  },
  {
    name: 'feed: 304 with a quoted LSN as etag',
    run: async (world) => {
      const { id } = await world.container()
      const headers = { 'a-im': 'Incremental Feed' }
      const reply = await world.raw('GET', `/dbs/conformance/colls/${id}/docs`, { headers })
      assert.equal(reply.status, 304)
      assert.match(reply.headers.get('etag') ?? '', /^"\d+"$/)
    },
  },
  {
    name: 'feed: a split in the middle loses nothing and repeats nothing',
    run: async (world) => {
      const made = await filled(world, 400, 30)
      const iterator = made.items.getChangeFeedIterator<Item>(beginning())
      const seen = ids((await iterator.readNext()).result)
      await world.admin('POST', `containers/conformance/${made.id}/split`, {})
      for (let i = 30; i < 40; i++) await made.items.create({ id: `a${i}`, pk: `k${i % 6}` })
      for (let page = await iterator.readNext(); page.statusCode !== 304; page = await iterator.readNext()) {
        seen.push(...ids(page.result))
      }
      assert.deepEqual(seen.sort(), Array.from({ length: 40 }, (_, i) => `a${i}`).sort())
    },
  },
  {
    name: 'feed: a merge in the middle loses nothing and repeats nothing',
    run: async (world) => {
      const made = await filled(world, 20_000, 30)
      const iterator = made.items.getChangeFeedIterator<Item>(beginning())
      const seen = [...ids((await iterator.readNext()).result), ...ids((await iterator.readNext()).result)]
      await world.admin('POST', `containers/conformance/${made.id}/merge`, {})
      for (let i = 30; i < 40; i++) await made.items.create({ id: `a${i}`, pk: `k${i % 6}` })
      for (let page = await iterator.readNext(); page.statusCode !== 304; page = await iterator.readNext()) {
        seen.push(...ids(page.result))
      }
      assert.deepEqual(seen.sort(), Array.from({ length: 40 }, (_, i) => `a${i}`).sort())
    },
  },
  {
    name: 'feed: a continuation from before a split and a merge goes on after them',
    run: async (world) => {
      const made = await filled(world, 20_000, 30)
      const { continuation } = await drain<Item>(made, beginning())
      await world.admin('POST', `containers/conformance/${made.id}/split`, {})
      await world.admin('POST', `containers/conformance/${made.id}/merge`, {})
      for (let i = 30; i < 40; i++) await made.items.create({ id: `a${i}`, pk: `k${i % 6}` })
      const { items } = await drain<Item>(made, {
        changeFeedStartFrom: ChangeFeedStartFrom.Continuation(continuation),
      })
      assert.deepEqual(
        ids(items).sort(),
        Array.from({ length: 10 }, (_, i) => `a${i + 30}`),
      )
    },
  },
  {
    name: 'feed: all versions and deletes, with what happened',
    run: async (world) => {
      const made = await world.container({
        changeFeedPolicy: {
          retentionDuration: 10,
        } as never,
      })
      const iterator = made.items.getChangeFeedIterator<Record<string, unknown>>({
        changeFeedStartFrom: ChangeFeedStartFrom.Now(),
        changeFeedMode: ChangeFeedMode.AllVersionsAndDeletes,
      })
      assert.equal((await iterator.readNext()).statusCode, 304)
      await made.items.create({ id: 'a', pk: 'x', n: 1 })
      await made.items.upsert({ id: 'a', pk: 'x', n: 2 })
      await made.item('a', 'x').delete()
      const page = await iterator.readNext()
      const seen = page.result.map((one) => {
        const metadata = one['metadata'] as Record<string, unknown>
        return [
          metadata['operationType'],
          (one['current'] as Item).n,
          (one['previous'] as Item | undefined)?.n,
        ]
      })
      assert.deepEqual(seen, [
        ['create', 1, undefined],
        ['replace', 2, undefined],
        ['delete', undefined, 2],
      ])
      const last = page.result[2]?.['metadata'] as Record<string, unknown>
      assert.equal(last['id'], 'a')
      assert.deepEqual(last['partitionKey'], { pk: 'x' })
    },
  },
  {
    name: 'feed: an expired item is a delete marked so',
    run: async (world) => {
      const made = await world.container({ defaultTtl: 1 })
      const iterator = made.items.getChangeFeedIterator<Record<string, unknown>>({
        changeFeedStartFrom: ChangeFeedStartFrom.Now(),
        changeFeedMode: ChangeFeedMode.AllVersionsAndDeletes,
      })
      await iterator.readNext()
      await made.items.create({ id: 'a', pk: 'x' })
      let page = await iterator.readNext()
      for (let tries = 0; tries < 40 && page.result?.at(-1)?.['previous'] === undefined; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 250))
        page = await iterator.readNext()
      }
      const last = page.result?.at(-1)?.['metadata'] as Record<string, unknown>
      assert.deepEqual([last['operationType'], last['timeToLiveExpired']], ['delete', true])
    },
  },
]
