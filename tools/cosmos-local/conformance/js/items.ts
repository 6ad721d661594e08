import assert from 'node:assert/strict'
import type { Check } from './world.ts'
import { failure } from './world.ts'

interface Item {
  id: string
  pk?: unknown
  n?: number
  [name: string]: unknown
}

/** Items: create, read, replace, upsert, delete; conditions; keys; TTL; unique keys. */
export const items: readonly Check[] = [
  {
    name: 'item: create gives system properties, etag and session token',
    run: async ({ container }) => {
      const { resource, headers, statusCode, etag } = await (
        await container()
      ).items.create<Item>({ id: 'a', pk: 'x' })
      assert.equal(statusCode, 201)
      for (const name of ['_rid', '_self', '_etag', '_ts', '_attachments'])
        assert.ok(name in (resource ?? {}), name)
      assert.equal(resource?.['_etag'], etag)
      assert.match(String(headers['x-ms-session-token']), /^0:-1#\d+$/)
    },
  },
  {
    name: 'item: read what was written, unicode and nesting included',
    run: async ({ container }) => {
      const made = await container()
      const item = { id: 'ü✓ ', pk: 'é"\\', list: [1, [2, { a: null }]], 'a b': { '': true }, n: 1e-7 }
      const id = item.id.trim()
      await made.items.create({ ...item, id })
      const { resource } = await made.item(id, item.pk).read<Item>()
      const own = Object.entries(resource ?? {}).filter(([name]) => !name.startsWith('_'))
      assert.deepEqual(Object.fromEntries(own), { ...item, id })
    },
  },
  {
    name: 'item: missing is 404',
    run: async ({ container }) =>
      assert.equal((await (await container()).item('no', 'x').read()).statusCode, 404),
  },
  {
    name: 'item: the same id twice is 409; in another partition it is not',
    run: async ({ container }) => {
      const made = await container()
      await made.items.create({ id: 'a', pk: 'x' })
      assert.equal((await failure(made.items.create({ id: 'a', pk: 'x' }))).code, 409)
      assert.equal((await made.items.create({ id: 'a', pk: 'y' })).statusCode, 201)
    },
  },
  {
    name: 'item: read from the wrong partition is 404',
    run: async ({ container }) => {
      const made = await container()
      await made.items.create({ id: 'a', pk: 'x' })
      assert.equal((await made.item('a', 'y').read()).statusCode, 404)
    },
  },
  {
    name: 'item: upsert is 201, then 200',
    run: async ({ container }) => {
      const made = await container()
      assert.equal((await made.items.upsert({ id: 'a', pk: 'x', n: 1 })).statusCode, 201)
      assert.equal((await made.items.upsert({ id: 'a', pk: 'x', n: 2 })).statusCode, 200)
      assert.equal((await made.item('a', 'x').read<Item>()).resource?.n, 2)
    },
  },
  {
    name: 'item: replace keeps the rid and changes the etag',
    run: async ({ container }) => {
      const made = await container()
      const before = await made.items.create<Item>({ id: 'a', pk: 'x', n: 1 })
      const after = await made.item('a', 'x').replace<Item>({ id: 'a', pk: 'x', n: 2 })
      assert.equal(after.resource?.['_rid'], before.resource?.['_rid'])
      assert.notEqual(after.etag, before.etag)
    },
  },
  {
    name: 'item: replace of a missing one is 404',
    run: async ({ container }) =>
      assert.equal(
        (await failure((await container()).item('a', 'x').replace({ id: 'a', pk: 'x' }))).code,
        404,
      ),
  },
  {
    name: 'item: delete is 204, then 404',
    run: async ({ container }) => {
      const made = await container()
      await made.items.create({ id: 'a', pk: 'x' })
      assert.equal((await made.item('a', 'x').delete()).statusCode, 204)
      assert.equal((await failure(made.item('a', 'x').delete())).code, 404)
    },
  },
  {
    name: 'item: made again after a delete it has another rid',
    run: async ({ container }) => {
      const made = await container()
      const first = await made.items.create<Item>({ id: 'a', pk: 'x' })
      await made.item('a', 'x').delete()
      const second = await made.items.create<Item>({ id: 'a', pk: 'x' })
      assert.notEqual(first.resource?.['_rid'], second.resource?.['_rid'])
    },
  },
  {
    name: 'condition: replace with the current etag passes, with an old one is 412',
    run: async ({ container }) => {
      const made = await container()
      const { etag } = await made.items.create({ id: 'a', pk: 'x', n: 1 })
      const accessCondition = { type: 'IfMatch', condition: etag }
      assert.equal(
        (await made.item('a', 'x').replace({ id: 'a', pk: 'x', n: 2 }, { accessCondition })).statusCode,
        200,
      )
      assert.equal(
        (await failure(made.item('a', 'x').replace({ id: 'a', pk: 'x', n: 3 }, { accessCondition }))).code,
        412,
      )
    },
  },
  {
    name: 'condition: delete and upsert with an old etag are 412',
    run: async ({ container }) => {
      const made = await container()
      const { etag } = await made.items.create({ id: 'a', pk: 'x', n: 1 })
      await made.items.upsert({ id: 'a', pk: 'x', n: 2 })
      const accessCondition = { type: 'IfMatch', condition: etag }
      assert.equal((await failure(made.item('a', 'x').delete({ accessCondition }))).code, 412)
      assert.equal(
        (await failure(made.items.upsert({ id: 'a', pk: 'x', n: 3 }, { accessCondition }))).code,
        412,
      )
    },
  },
  {
    name: 'condition: If-Match * passes on any version',
    run: async ({ container }) => {
      const made = await container()
      await made.items.create({ id: 'a', pk: 'x', n: 1 })
      const accessCondition = { type: 'IfMatch', condition: '*' }
      assert.equal(
        (await made.item('a', 'x').replace({ id: 'a', pk: 'x', n: 2 }, { accessCondition })).statusCode,
        200,
      )
    },
  },
  {
    name: 'condition: read of an unchanged item is 304',
    run: async ({ container }) => {
      const made = await container()
      const { etag } = await made.items.create({ id: 'a', pk: 'x' })
      const read = await made
        .item('a', 'x')
        .read({ accessCondition: { type: 'IfNoneMatch', condition: etag } })
      assert.equal(read.statusCode, 304)
    },
  },
  ...[
    ['a number', 7, 7],
    ['a fraction', -1.25, -1.25],
    ['true', true, true],
    ['null', null, null],
    ['an empty string', '', ''],
    ['a string of 200 characters', 'k'.repeat(200), 'k'.repeat(200)],
  ].map(([what, pk, key]): Check => ({
    name: `partition key: ${String(what)}`,
    run: async ({ container }) => {
      const made = await container()
      await made.items.create({ id: 'a', pk } as Item)
      assert.equal((await made.item('a', key as string).read<Item>()).resource?.pk, pk)
      const { resources } = await made.items
        .query('SELECT * FROM c', { partitionKey: key as string })
        .fetchAll()
      assert.equal(resources.length, 1)
    },
  })),
  {
    name: 'partition key: none at all',
    run: async ({ container }) => {
      const made = await container()
      await made.items.create({ id: 'a' })
      assert.equal((await made.item('a', undefined).read<Item>()).resource?.id, 'a')
    },
  },
  {
    name: 'partition key: nested path',
    run: async ({ container }) => {
      const made = await container({ partitionKey: { paths: ['/a/b'], version: 2 } })
      await made.items.create({ id: 'a', a: { b: 'deep' } })
      assert.equal((await made.item('a', 'deep').read<Item>()).resource?.id, 'a')
    },
  },
  {
    name: 'partition key: version 1',
    run: async ({ container }) => {
      const made = await container({
        partitionKey: { paths: ['/pk'], version: 1 as never },
        throughput: 30_000,
      })
      for (let i = 0; i < 30; i++) await made.items.create({ id: `a${i}`, pk: `k${i}` })
      const { resources } = await made.items.query('SELECT VALUE COUNT(1) FROM c').fetchAll()
      assert.deepEqual(resources, [30])
    },
  },
  {
    name: 'partition key: header and body disagree, 400/1001',
    run: async ({ container, raw }) => {
      const { id } = await container()
      const headers = { 'x-ms-documentdb-partitionkey': '["y"]' }
      const body = JSON.stringify({ id: 'a', pk: 'x' })
      const reply = await raw('POST', `/dbs/conformance/colls/${id}/docs`, { headers, body })
      assert.deepEqual([reply.status, reply.substatus], [400, 1001])
    },
  },
  {
    name: 'hierarchical key: read by all levels, query by a prefix',
    run: async ({ container }) => {
      const made = await container({
        partitionKey: { paths: ['/t', '/u', '/s'], kind: 'MultiHash' as never, version: 2 },
        throughput: 20_000,
      })
      for (const t of ['a', 'b']) {
        for (const u of ['c', 'd'])
          for (const s of [1, 2]) await made.items.create({ id: `${t}${u}${s}`, t, u, s })
      }
      assert.equal((await made.item('ac1', ['a', 'c', 1]).read<Item>()).resource?.id, 'ac1')
      const one = await made.items.query('SELECT * FROM c', { partitionKey: ['a', 'c', 1] }).fetchAll()
      assert.equal(one.resources.length, 1)
      const two = await made.items.query('SELECT * FROM c', { partitionKey: ['a', 'c'] }).fetchAll()
      assert.equal(two.resources.length, 2)
      const four = await made.items.query('SELECT * FROM c', { partitionKey: ['a'] }).fetchAll()
      assert.equal(four.resources.length, 4)
    },
  },
  {
    name: 'unique keys: the same value in a partition is 409, in another it is not, freed by delete',
    run: async ({ container }) => {
      const made = await container({ uniqueKeyPolicy: { uniqueKeys: [{ paths: ['/email'] }] } })
      await made.items.create({ id: 'a', pk: 'x', email: 'e' })
      assert.equal((await failure(made.items.create({ id: 'b', pk: 'x', email: 'e' }))).code, 409)
      assert.equal((await made.items.create({ id: 'b', pk: 'y', email: 'e' })).statusCode, 201)
      await made.item('a', 'x').delete()
      assert.equal((await made.items.create({ id: 'b', pk: 'x', email: 'e' })).statusCode, 201)
    },
  },
  {
    name: 'unique keys: replacing an item with its own value passes; with another’s is 409',
    run: async ({ container }) => {
      const made = await container({ uniqueKeyPolicy: { uniqueKeys: [{ paths: ['/a', '/b'] }] } })
      await made.items.create({ id: '1', pk: 'x', a: 1, b: 1 })
      await made.items.create({ id: '2', pk: 'x', a: 1, b: 2 })
      assert.equal(
        (await made.item('1', 'x').replace({ id: '1', pk: 'x', a: 1, b: 1, c: 1 })).statusCode,
        200,
      )
      assert.equal((await failure(made.item('1', 'x').replace({ id: '1', pk: 'x', a: 1, b: 2 }))).code, 409)
    },
  },
  {
    name: 'TTL: an item’s own ends it; -1 keeps it; without a container default it does nothing',
    run: async ({ container }) => {
      const made = await container({ defaultTtl: 1 })
      const off = await container()
      await made.items.create({ id: 'short', pk: 'x' })
      await made.items.create({ id: 'kept', pk: 'x', ttl: -1 })
      await made.items.create({ id: 'long', pk: 'x', ttl: 100 })
      await off.items.create({ id: 'off', pk: 'x', ttl: 1 })
      await new Promise((resolve) => setTimeout(resolve, 2100))
      assert.equal((await made.item('short', 'x').read()).statusCode, 404)
      const { resources } = await made.items
        .query('SELECT VALUE c.id FROM c', { partitionKey: 'x' })
        .fetchAll()
      assert.deepEqual(resources, ['kept', 'long'])
      assert.equal((await off.item('off', 'x').read()).statusCode, 200)
      assert.equal((await made.items.create({ id: 'short', pk: 'x' })).statusCode, 201)
    },
  },
  {
    name: 'TTL: 0 is 400',
    run: async ({ container }) => {
      const made = await container({ defaultTtl: -1 })
      assert.equal((await failure(made.items.create({ id: 'a', pk: 'x', ttl: 0 }))).code, 400)
    },
  },
  {
    name: 'item: addressed by rid',
    run: async ({ container, raw }) => {
      const made = await container()
      const { resource } = await made.items.create<Item>({ id: 'a', pk: 'x' })
      const self = String(resource?.['_self']).replace(/\/$/, '')
      const reply = await raw('GET', `/${self}`, { headers: { 'x-ms-documentdb-partitionkey': '["x"]' } })
      assert.equal(reply.json['id'], 'a')
    },
  },
  {
    name: 'read all: every item, in pages',
    run: async ({ container }) => {
      const made = await container({ throughput: 20_000 })
      for (let i = 0; i < 25; i++) await made.items.create({ id: `a${i}`, pk: `k${i}` })
      const iterator = made.items.readAll<Item>({ maxItemCount: 4 })
      const seen = new Set<string>()
      while (iterator.hasMoreResults()) {
        const page = await iterator.fetchNext()
        assert.ok(page.resources.length <= 4)
        for (const one of page.resources) seen.add(one.id)
      }
      assert.equal(seen.size, 25)
    },
  },
  {
    name: 'charge: reads of 1, 2, 4, 8, 16 and 64 KB by the published table',
    run: async ({ container }) => {
      const made = await container()
      const table = [
        [1, 1],
        [2, 1.04],
        [4, 1.14],
        [8, 1.33],
        [16, 1.67],
        [64, 4.76],
      ]
      for (const [kb = 1, ru] of table) {
        const { resource } = await made.items.create<Item>({ id: `a${kb}`, pk: 'x', fill: '' })
        const fill = 'x'.repeat(kb * 1024 - JSON.stringify(resource).length)
        await made.item(`a${kb}`, 'x').replace({ id: `a${kb}`, pk: 'x', fill })
        assert.equal((await made.item(`a${kb}`, 'x').read()).requestCharge, ru, `${kb} KB`)
      }
    },
  },
  {
    name: 'charge: a write of 1 KB is 4.95 RU, less where fewer paths are indexed',
    run: async ({ container }) => {
      const all = await container()
      const none = await container({ indexingPolicy: { indexingMode: 'none', automatic: false } })
      assert.equal((await all.items.create({ id: 'a', pk: 'x' })).requestCharge, 4.95)
      assert.ok((await none.items.create({ id: 'a', pk: 'x' })).requestCharge < 4.95)
    },
  },
]
