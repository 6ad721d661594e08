import assert from 'node:assert/strict'
import type { Check } from './world.ts'
import { failure } from './world.ts'

/** Account, databases, containers, offers, physical ranges. */
export const resources: readonly Check[] = [
  {
    name: 'account: regions and consistency level',
    run: async ({ client }) => {
      const { resource } = await client.getDatabaseAccount()
      assert.equal(resource?.consistencyPolicy, 'Session')
      assert.equal(resource?.writableLocations.length, 1)
    },
  },
  {
    name: 'account: a wrong key is 401',
    run: async ({ raw }) => assert.equal((await raw('GET', '/dbs', { key: 'd3Jvbmc=' })).status, 401),
  },
  {
    name: 'account: no authorization is 401',
    run: async ({ cosmos }) => assert.equal((await fetch(`${cosmos.endpoint}/dbs`)).status, 401),
  },
  {
    name: 'account: a signature of an hour ago is 403',
    run: async ({ cosmos }) => {
      const { sign } = await import('../../src/protocol/auth.ts')
      const date = new Date(Date.now() - 3_600_000).toUTCString()
      const headers = { authorization: sign(cosmos.key, 'GET', 'dbs', '', date), 'x-ms-date': date }
      assert.equal((await fetch(`${cosmos.endpoint}/dbs`, { headers })).status, 403)
    },
  },
  {
    name: 'database: create, read, list, delete',
    run: async ({ client }) => {
      const created = await client.databases.create({ id: 'made' })
      assert.equal(created.statusCode, 201)
      assert.equal((await client.database('made').read()).resource?.id, 'made')
      const { resources: all } = await client.databases.readAll().fetchAll()
      assert.ok(all.some((one) => one.id === 'made'))
      assert.equal((await client.database('made').delete()).statusCode, 204)
      assert.equal((await failure(client.database('made').read())).code, 404)
    },
  },
  {
    name: 'database: the same id twice is 409',
    run: async ({ client }) => {
      await client.databases.create({ id: 'twice' })
      assert.equal((await failure(client.databases.create({ id: 'twice' }))).code, 409)
    },
  },
  {
    name: 'database: createIfNotExists answers 200 the second time',
    run: async ({ client }) => {
      assert.equal((await client.databases.createIfNotExists({ id: 'ifnot' })).statusCode, 201)
      assert.equal((await client.databases.createIfNotExists({ id: 'ifnot' })).statusCode, 200)
    },
  },
  {
    name: 'database: query by id',
    run: async ({ client }) => {
      const { resources: found } = await client.databases
        .query({
          query: 'SELECT * FROM root r WHERE r.id = @id',
          parameters: [{ name: '@id', value: 'conformance' }],
        })
        .fetchAll()
      assert.deepEqual(
        found.map((one) => one.id),
        ['conformance'],
      )
    },
  },
  {
    name: 'database: its rid is 4 bytes',
    run: async ({ database }) => {
      const { resource } = await database.read()
      assert.equal(Buffer.from(String(resource?._rid).replaceAll('-', '/'), 'base64').length, 4)
    },
  },
  {
    name: 'container: create with defaults; its rid is 8 bytes',
    run: async ({ container }) => {
      const { resource } = await (await container()).read()
      assert.equal(resource?.indexingPolicy?.indexingMode, 'consistent')
      assert.equal(resource?.partitionKey?.paths[0], '/pk')
      assert.equal(
        Buffer.from(String((resource as { _rid?: string })._rid).replaceAll('-', '/'), 'base64').length,
        8,
      )
    },
  },
  {
    name: 'container: the same id twice is 409',
    run: async ({ container, database }) => {
      const { id } = await container()
      assert.equal((await failure(database.containers.create({ id, partitionKey: '/pk' }))).code, 409)
    },
  },
  {
    name: 'container: list and query',
    run: async ({ container, database }) => {
      const { id } = await container()
      const all = await database.containers.readAll().fetchAll()
      assert.ok(all.resources.some((one) => one.id === id))
      const found = await database.containers
        .query({ query: `SELECT * FROM c WHERE c.id = '${id}'` })
        .fetchAll()
      assert.equal(found.resources.length, 1)
    },
  },
  {
    name: 'container: replace changes its TTL and indexing, never its partition key',
    run: async ({ container }) => {
      const made = await container()
      const { resource } = await made.read()
      assert.ok(resource)
      const replaced = await made.replace({ ...resource, defaultTtl: 60 } as never)
      assert.equal(replaced.resource?.defaultTtl, 60)
      const other = { ...resource, partitionKey: { paths: ['/other'] } } as never
      assert.equal((await failure(made.replace(other))).code, 400)
    },
  },
  {
    name: 'container: delete, then 404',
    run: async ({ container }) => {
      const made = await container()
      assert.equal((await made.delete()).statusCode, 204)
      assert.equal((await failure(made.read())).code, 404)
      assert.equal((await failure(made.items.create({ id: 'a', pk: 'x' }))).code, 404)
    },
  },
  {
    name: 'container: a partition key of three levels; of four is 400',
    run: async ({ container }) => {
      const kind = 'MultiHash' as never
      const made = await container({ partitionKey: { paths: ['/a', '/b', '/c'], kind, version: 2 } })
      assert.equal((await made.read()).resource?.partitionKey?.paths.length, 3)
      const four = { partitionKey: { paths: ['/a', '/b', '/c', '/d'], kind, version: 2 } }
      assert.equal((await failure(container(four))).code, 400)
    },
  },
  {
    name: 'container: without a partition key is 400',
    run: async ({ raw }) => {
      const body = JSON.stringify({ id: 'nokey' })
      assert.equal((await raw('POST', '/dbs/conformance/colls', { body })).status, 400)
    },
  },
  {
    name: 'container: addressed by rid',
    run: async ({ container, cosmos }) => {
      const made = await container()
      await made.items.create({ id: 'a', pk: 'x' })
      const { resource } = await made.read()
      const path = (resource as unknown as { _self: string })._self.replace(/\/$/, '')
      const { sign } = await import('../../src/protocol/auth.ts')
      const date = new Date().toUTCString()
      const rid = path.split('/').at(-1) ?? ''
      const headers = {
        authorization: sign(cosmos.key, 'GET', 'colls', rid.toLowerCase(), date),
        'x-ms-date': date,
      }
      const response = await fetch(`${cosmos.endpoint}/${path}`, { headers })
      assert.equal(((await response.json()) as { id: string }).id, made.id)
    },
  },
  {
    name: 'container: a trailing slash in the address is the same',
    run: async ({ container, raw }) => {
      const { id } = await container()
      assert.equal((await raw('GET', `/dbs/conformance/colls/${id}/`)).status, 200)
    },
  },
  {
    name: 'container: quota and usage when asked for',
    run: async ({ container }) => {
      const made = await container()
      await made.items.create({ id: 'a', pk: 'x' })
      const { headers } = await made.read({ populateQuotaInfo: true })
      assert.match(String(headers['x-ms-resource-usage']), /documentsCount=1;/)
    },
  },
  {
    name: 'offer: manual throughput is read and replaced',
    run: async ({ container }) => {
      const made = await container({ throughput: 1000 })
      const { resource, offer } = await made.readOffer()
      assert.equal(resource?.content?.offerThroughput, 1000)
      assert.ok(resource?.content)
      resource.content.offerThroughput = 2000
      await offer?.replace(resource)
      assert.equal((await made.readOffer()).resource?.content?.offerThroughput, 2000)
    },
  },
  {
    name: 'offer: autoscale runs from a tenth of its maximum',
    run: async ({ container }) => {
      const made = await container({ maxThroughput: 4000 })
      const { resource } = await made.readOffer()
      assert.equal(resource?.content?.offerAutopilotSettings?.maxThroughput, 4000)
      assert.equal(resource?.content?.offerThroughput, 400)
    },
  },
  {
    name: 'offer: 350 RU is 400, and no container is made',
    run: async ({ container, database }) => {
      assert.equal((await failure(container({ id: 'cheap', throughput: 350 }))).code, 400)
      assert.equal((await failure(database.container('cheap').read())).code, 404)
    },
  },
  {
    name: 'offer: listed and queried',
    run: async ({ client, container }) => {
      const made = await container({ throughput: 500 })
      const { resources: all } = await client.offers.readAll().fetchAll()
      const { resource } = await made.read()
      const rid = (resource as unknown as { _rid: string })._rid
      assert.ok(all.some((one) => one.offerResourceId === rid))
      const found = await client.offers
        .query({ query: `SELECT * FROM o WHERE o.offerResourceId = '${rid}'` })
        .fetchAll()
      assert.equal(found.resources.length, 1)
    },
  },
  {
    name: 'ranges: 1 for 400 RU, 3 for 30,000 RU, from "" to "FF" without a gap',
    run: async ({ container }) => {
      assert.equal((await (await container()).readPartitionKeyRanges().fetchAll()).resources.length, 1)
      const { resources: three } = await (
        await container({ throughput: 30_000 })
      )
        .readPartitionKeyRanges()
        .fetchAll()
      assert.deepEqual([three[0]?.minInclusive, three.at(-1)?.maxExclusive, three.length], ['', 'FF', 3])
      assert.equal(three[0]?.maxExclusive, three[1]?.minInclusive)
    },
  },
  {
    name: 'ranges: polled as a feed they are 304 until they change',
    run: async ({ container, raw, admin }) => {
      const { id } = await container()
      const path = `/dbs/conformance/colls/${id}/pkranges`
      const first = await raw('GET', path, { headers: { 'a-im': 'Incremental Feed' } })
      const headers = { 'a-im': 'Incremental Feed', 'if-none-match': first.headers.get('etag') ?? '' }
      assert.equal((await raw('GET', path, { headers })).status, 304)
      await admin('POST', `containers/conformance/${id}/split`, {})
      const after = await raw('GET', path, { headers })
      assert.deepEqual((after.json['PartitionKeyRanges'] as { parents: string[] }[])[0]?.parents, ['0'])
    },
  },
]
