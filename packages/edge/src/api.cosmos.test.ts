import { createHmac } from 'node:crypto'
import { is } from 'valibot'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEdgeApi, type EdgeApi } from './api.ts'
import { startNodeEdge } from './node.ts'
import { OPERATIONS } from './openapi/operations.ts'
import { eventsResponse } from './schema/events.ts'
import { itemResponse, itemsResponse } from './schema/items.ts'
import { acknowledged, healthResponse, modelsResponse, readyResponse } from './schema/models.ts'
import { problem } from './schema/problem.ts'
import { rankResponse, weightsResponse } from './schema/rank.ts'
import { deletedSlotResponse, slotResponse } from './schema/slots.ts'
import { deleteResponse, exportResponse, visitorResponse } from './schema/visitors.ts'
import { ADMIN_KEY, IDENTITY_SECRET, SITE, type Api } from './testing/api.ts'
import { createWorld, type World } from './testing/worlds.ts'

/** What answers with other than JSON, or takes it. */
const FOR_FETCH = [
  'GET /docs',
  'GET /metrics',
  'GET /openapi.json',
  'PUT /v1/models/:epoch',
  'PUT /v1/models/:epoch/deltas/:delta',
  'PUT /v1/models/files/:sha256',
]

let world: World
let page: EdgeApi
let operator: EdgeApi
/** Method and path of every call. */
const called: string[] = []

beforeAll(async () => {
  world = await createWorld(startNodeEdge)
  const [api] = world.apis as [Api]
  const second = await api.pushManifest(world.signer, { ...world.artifact.manifest, epoch: 2, parent: 1 })
  expect(second.status).toBe(200)
  const recorded: typeof fetch = (input, init) => {
    const { pathname } = new URL(input instanceof Request ? input.url : input)
    called.push(`${init?.method ?? 'GET'} ${pathname}`)
    return fetch(input, init)
  }
  page = createEdgeApi(api.url, { siteKey: SITE.key, fetch: recorded })
  operator = createEdgeApi(api.url, { bearer: ADMIN_KEY, fetch: recorded })
})

afterAll(() => world.close())

test('the typed client calls every route, and the answers are what the schemas say', async () => {
  const created = await page.v1.visitors.$post({ json: {} })
  expect(created.status).toBe(201)
  const { visitor } = (await created.json()) as { visitor: string }
  expect(is(visitorResponse, { visitor })).toBe(true)

  const events = [{ id: crypto.randomUUID(), kind: 'click' as const, item: 'item-1', at: Date.now() }]
  const stored = await page.v1.events.$post({ json: { batch: crypto.randomUUID(), visitor, events } })
  expect([stored.status, is(eventsResponse, await stored.json())]).toEqual([202, true])

  for (const device of [false, true]) {
    const list = await page.v1.rank.$post({ json: { slot: 'home', visitor, recent: events, device } })
    const body = await list.json()
    expect([list.status, is(rankResponse, body)]).toEqual([200, true])
    expect('items' in body && body.items.length).toBe(20)
  }

  const exported = await page.v1.visitors.export.$post({ json: { visitor } })
  expect([exported.status, is(exportResponse, await exported.json())]).toEqual([200, true])
  const deleted = await page.v1.visitors.delete.$post({ json: { visitor } })
  expect([deleted.status, is(deleteResponse, await deleted.json())]).toEqual([200, true])

  const user = { user: 'ada', expires: Math.floor(Date.now() / 1_000) + 600 }
  const text = `${SITE.id}\n${user.user}\n${user.expires}`
  const proof = createHmac('sha256', IDENTITY_SECRET).update(text).digest('hex')
  const identified = await page.v1.visitors.identify.$post({ json: { ...user, proof, visitor } })
  expect([identified.status, is(visitorResponse, await identified.json())]).toEqual([200, true])

  const list = await page.v1.rank.$get({ query: { slot: 'home', strategy: 'popular', k: '5' } })
  const listed = await list.json()
  expect([list.status, is(rankResponse, listed), 'items' in listed && listed.items.length]).toEqual([
    200,
    true,
    5,
  ])

  const sha256 = world.artifact.manifest.files.weights?.sha256 ?? ''
  const weights = await page.v1.weights[':sha256'].$get({ param: { sha256 } })
  expect([weights.status, is(weightsResponse, await weights.json())]).toEqual([200, true])

  const items = await operator.v1.items.$put({ json: { items: [{ id: 'a', attributes: { stock: 1 } }] } })
  expect([items.status, is(itemsResponse, await items.json())]).toEqual([200, true])
  const item = await operator.v1.items[':id'].$get({ param: { id: 'a' } })
  expect([item.status, is(itemResponse, await item.json())]).toEqual([200, true])
  const slot = operator.v1.slots[':slot']
  const param = { slot: 'home' }
  const put = await slot.$put({ param, json: { minStock: 1 } })
  expect([put.status, is(slotResponse, await put.json())]).toEqual([200, true])
  const got = await slot.$get({ param, query: { site: SITE.id } })
  expect([got.status, is(slotResponse, await got.json())]).toEqual([200, true])
  const gone = await slot.$delete({ param })
  expect([gone.status, is(deletedSlotResponse, await gone.json())]).toEqual([200, true])

  const models = await operator.v1.models.$get()
  expect([models.status, is(modelsResponse, await models.json())]).toEqual([200, true])
  const active = await operator.v1.models[':epoch'].activate.$post({ param: { epoch: '2' } })
  expect([active.status, is(acknowledged, await active.json())]).toEqual([200, true])
  const back = await operator.v1.models.rollback.$post()
  expect([back.status, is(acknowledged, await back.json())]).toEqual([200, true])
  const health = await page.healthz.$get()
  expect([health.status, is(healthResponse, await health.json())]).toEqual([200, true])
  const ready = await page.readyz.$get()
  expect([ready.status, is(readyResponse, await ready.json())]).toEqual([200, true])

  const pattern = (route: string) => new RegExp(`^${route.replace(/:[a-z0-9]+/g, '[^/]+')}$`)
  const never = Object.keys(OPERATIONS).filter((route) => !called.some((call) => pattern(route).test(call)))
  expect(never.toSorted()).toEqual(FOR_FETCH)
})

test('a refused call is a problem with its code', async () => {
  const answer = await page.v1.rank.$post({ json: { slot: '' } })
  const body = await answer.json()
  expect([answer.status, is(problem, body), 'code' in body && body.code]).toEqual([
    400,
    true,
    'RANK_MALFORMED',
  ])
  const refused = await page.v1.items.$put({ json: { items: [] } })
  expect(refused.status).toBe(403)
})
