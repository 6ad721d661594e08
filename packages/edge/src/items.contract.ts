import { CosmosClient } from '@azure/cosmos'
import { DATABASE, ITEMS_CONTAINER, type ItemDocument } from '@attune/core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ADMIN_KEY, PUSH_KEY, SITE, type Api } from './testing/api.ts'
import { createWorld, type StartEdge, type World } from './testing/worlds.ts'

interface Outcome {
  readonly stored: number
  readonly deleted: number
  readonly rejected: readonly { readonly path: string; readonly code: string }[]
  readonly left?: readonly string[]
}

/** The catalogue over real HTTP, on any host; the official SDK looks at what is really stored. */
export function describeItems(start: StartEdge): void {
  let world: World
  let api: Api

  beforeAll(async () => {
    world = await createWorld(start)
    ;[api] = world.apis as [Api]
  })

  afterEach(async () => {
    await fetch(`${world.cosmos.adminEndpoint}/api/faults`, { method: 'DELETE' })
  })

  afterAll(async () => {
    await world.close()
  })

  const put = (items: readonly unknown[], key?: string) =>
    api.admin<Outcome>('PUT', '/v1/items', { items }, key)
  const container = () =>
    new CosmosClient({ endpoint: world.cosmos.endpoint, key: world.cosmos.key })
      .database(DATABASE)
      .container(ITEMS_CONTAINER.id)
  /** An item as the official client reads it, without Cosmos's own properties. */
  const stored = async (item: string) => {
    const { resource } = await container()
      .item(Buffer.from(item).toString('base64url'), item)
      .read<ItemDocument & Record<string, unknown>>()
    return resource && Object.fromEntries(Object.entries(resource).filter(([name]) => !name.startsWith('_')))
  }

  test('an item is one document, whatever its id; sent again it is still one, and the newest attributes count', async () => {
    const ids = ['sku-1', 'a/b\\c?d#e', '../..', 'ключ 鍵', '__proto__', ' ']
    const before = Date.now()
    for (const color of ['red', 'blue']) {
      const answer = await put(
        ids.map((id) => ({ id, attributes: { color, stock: 3, tags: ['new', 'sale'] } })),
      )
      expect([answer.status, answer.body]).toMatchObject([200, { stored: 6, deleted: 0, rejected: [] }])
    }
    for (const id of ids) {
      const document = await stored(id)
      expect(document).toEqual({
        id: Buffer.from(id).toString('base64url'),
        item: id,
        attributes: { color: 'blue', stock: 3, tags: ['new', 'sale'] },
        updated: expect.any(Number) as number,
      })
      expect(document?.['updated']).toBeGreaterThanOrEqual(before)
      const read = await api.admin<ItemDocument>('GET', `/v1/items/${encodeURIComponent(id)}`)
      expect([read.status, read.body.attributes]).toEqual([200, document?.['attributes']])
      expect(read.headers.get('etag')).toBeTruthy()
    }
    const { resources } = await container().items.query('SELECT * FROM c').fetchAll()
    expect(resources).toHaveLength(ids.length)
  })

  test('a deleted item is a tombstone for 30 days, gone for readers, and comes back when it is sent again', async () => {
    await put([{ id: 'gone', attributes: { stock: 1 } }])
    expect((await put([{ id: 'gone', deleted: true }])).body).toMatchObject({ stored: 0, deleted: 1 })
    expect(await stored('gone')).toMatchObject({ attributes: {}, deleted: true, ttl: 30 * 86_400 })
    const read = await api.admin('GET', '/v1/items/gone')
    expect([read.status, read.body.code]).toEqual([404, 'ITEM_UNKNOWN'])
    await put([{ id: 'gone', attributes: { stock: 2 } }])
    const back = await stored('gone')
    expect([back?.['deleted'], back?.['ttl'], back?.['attributes']]).toEqual([
      undefined,
      undefined,
      { stock: 2 },
    ])
  })

  test('1,000 items in one request are 1,000 documents', async () => {
    const items = Array.from({ length: 1_000 }, (_, n) => ({ id: `bulk-${n}`, attributes: { n } }))
    expect((await put(items)).body).toMatchObject({ stored: 1_000, rejected: [] })
    const { resources } = await container()
      .items.query("SELECT VALUE c.attributes.n FROM c WHERE STARTSWITH(c.item, 'bulk-')")
      .fetchAll()
    expect(new Set(resources).size).toBe(1_000)
  })

  test('good items of a mixed request are stored, the others named with path, expected and received', async () => {
    const { status, body } = await put([
      { id: 'good', attributes: { category: 'shoes' } },
      { id: '', attributes: {} },
      { id: 'x', attributes: { stock: 'many' } },
      { id: 'y', attributes: { deep: { er: 1 } } },
      { id: 'good', attributes: { category: 'hats' } },
      { id: 'z' },
    ])
    expect([status, body.stored]).toEqual([200, 1])
    expect(body.rejected.map(({ path, code }) => `${path} ${code}`)).toEqual([
      'items[1].id FIELD_INVALID',
      'items[2].attributes.stock FIELD_INVALID',
      'items[3].attributes.deep FIELD_INVALID',
      'items[4].id ITEM_REPEATED',
      'items[5].attributes FIELD_INVALID',
    ])
    expect(body.rejected[1]).toMatchObject({ expected: 'a finite number', received: '"many"' })
    expect(await stored('good')).toMatchObject({ attributes: { category: 'shoes' } })
  })

  test('what is not such a request is refused with its code', async () => {
    const status = async (items: unknown) => {
      const answer = await api.admin('PUT', '/v1/items', items)
      return [answer.status, answer.body.code]
    }
    expect(await status({})).toEqual([400, 'ITEMS_MALFORMED'])
    expect(await status({ items: [] })).toEqual([400, 'ITEMS_MALFORMED'])
    expect(await status({ items: Array.from({ length: 1_001 }, () => ({})) })).toEqual([
      400,
      'ITEMS_MALFORMED',
    ])
    expect(await status({ items: [{ id: 1 }] })).toEqual([422, 'ITEMS_REJECTED'])
    const large = await api.push('PUT', '/v1/items', ' '.repeat(5_000_001), ADMIN_KEY)
    expect([large.status, large.body.code]).toEqual([413, 'BODY_TOO_LARGE'])
  })

  test('keys of pages and trainers change no catalogue', async () => {
    for (const key of [SITE.key, PUSH_KEY]) {
      const answer = await put([{ id: 'a', attributes: {} }], key)
      expect([answer.status, answer.body.code]).toEqual([403, 'KEY_FORBIDDEN'])
    }
    expect((await put([{ id: 'a', attributes: {} }], 'a stranger')).status).toBe(401)
  })

  test('Cosmos throttles in the middle: 503 with Retry-After names what is left, and sending it again finishes', async () => {
    const items = Array.from({ length: 40 }, (_, n) => ({ id: `flood-${n}`, attributes: { n } }))
    await fetch(`${world.cosmos.adminEndpoint}/api/faults`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        operations: ['upsert'],
        probability: 0.2,
        fault: { kind: 'status', status: 429, substatus: 3200, retryAfterMs: 1_200 },
      }),
    })
    const { status, headers, body } = await put(items)
    expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'STORE_UNAVAILABLE', '2'])
    expect(body.stored + (body.left?.length ?? 0)).toBe(40)
    expect(body.left?.length).toBeGreaterThan(0)
    await fetch(`${world.cosmos.adminEndpoint}/api/faults`, { method: 'DELETE' })
    const again = await put(items.filter(({ id }) => body.left?.includes(id)))
    expect([again.status, again.body.stored]).toEqual([200, body.left?.length])
    for (const { id, attributes } of items) expect(await stored(id)).toMatchObject({ attributes })
  })
}
