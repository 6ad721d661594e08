import { uuidv7, type BatchDocument, type TrackedEvent } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import { http, HttpResponse } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Batches, HISTORY_BATCHES } from './batches.ts'
import { Regions } from './regions.ts'
import { createCosmosFetch } from './request.ts'

const WRITE = 'http://west.test'
const READ = 'http://north.test'
const AT = 1_764_000_000_000
const random = seededRandom(1)
const click: TrackedEvent = { id: uuidv7(AT, random), kind: 'click', item: 'sku-1', at: AT }

interface Call {
  readonly region: string
  readonly session: string | null
  readonly body: string
}

type Reply = { status: number; headers?: Record<string, string>; body?: unknown } | Error

const server = setupServer()
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }))
afterEach(() => server.resetHandlers())
afterAll(() => server.close())

/** Answers as Cosmos would: one reply per call, in order; an Error is a connection that breaks. */
function scripted(replies: Reply[], endpoints = [READ, WRITE]) {
  const calls: Call[] = []
  const answer = async ({ request }: { request: Request }): Promise<Response> => {
    calls.push({
      region: new URL(request.url).origin,
      session: request.headers.get('x-ms-session-token'),
      body: await request.text(),
    })
    const reply = replies.shift() ?? new Error('one call too many')
    if (reply instanceof Error) return HttpResponse.error()
    return new HttpResponse(reply.body === undefined ? null : JSON.stringify(reply.body), {
      status: reply.status,
      ...(reply.headers && { headers: reply.headers }),
    })
  }
  server.use(...[READ, WRITE].map((region) => http.all(`${region}/*`, answer)))
  const config = { endpoints, key: 'c2VjcmV0', database: 'attune' }
  const cosmosFetch = createCosmosFetch({ credential: { key: config.key }, fetch, now: () => AT })
  const regions = new Regions(
    config,
    cosmosFetch,
    () => AT,
    () => undefined,
  )
  return { batches: new Batches(config, regions, cosmosFetch), regions, calls }
}

const page = (session: string, events: TrackedEvent[] = [click]): Reply => ({
  status: 200,
  headers: { 'x-ms-session-token': session, 'x-ms-request-charge': '2.9' },
  body: { Documents: [{ events }], _count: 1 },
})
const behind: Reply = {
  status: 404,
  headers: { 'x-ms-substatus': '1002', 'x-ms-request-charge': '1' },
  body: {},
}

test('a fresh read is one call, with the token in front of it', async () => {
  const { batches, calls } = scripted([page('0:-1#12')])
  const history = await batches.history('shop:v', '0:-1#12')
  expect(history).toEqual({
    events: [click],
    fresh: true,
    session: '0:-1#12',
    ru: 2.9,
    calls: 1,
    elsewhere: false,
  })
  expect(calls).toEqual([
    {
      region: READ,
      session: '0:-1#12',
      body: `{"query":"SELECT TOP ${HISTORY_BATCHES} c.events FROM c ORDER BY c.at DESC","parameters":[]}`,
    },
  ])
})

test('a region that answers 404/1002 is passed over for the next one', async () => {
  const { batches, calls } = scripted([behind, page('0:-1#12')])
  expect(await batches.history('shop:v', '0:-1#12')).toMatchObject({
    fresh: true,
    events: [click],
    calls: 2,
    ru: 3.9,
    elsewhere: true,
  })
  expect(calls.map((call) => call.region)).toEqual([READ, WRITE])
})

test('a 200 whose own token is behind the one sent is not believed: this is where the official SDK hands out stale data', async () => {
  const { batches, calls } = scripted([page('0:-1#11', []), page('0:-1#12')])
  expect(await batches.history('shop:v', '0:-1#12')).toMatchObject({ fresh: true, events: [click] })
  expect(calls.map((call) => call.region)).toEqual([READ, WRITE])
})

test('a 200 without a token is not believed either', async () => {
  const { batches } = scripted([{ status: 200, body: { Documents: [] } }, page('0:-1#12')])
  expect(await batches.history('shop:v', '0:-1#12')).toMatchObject({ fresh: true, calls: 2 })
})

test('behind everywhere: what is known, and fresh is false', async () => {
  const { batches, calls } = scripted([behind, behind, page('0:-1#9')])
  expect(await batches.history('shop:v', '0:-1#12')).toMatchObject({
    fresh: false,
    events: [click],
    session: '0:-1#9',
    calls: 3,
  })
  expect(calls.at(-1)).toMatchObject({ region: READ, session: null })
})

test('stale everywhere: the stale events, and fresh is false', async () => {
  const { batches } = scripted([page('0:-1#9'), page('0:-1#10')])
  expect(await batches.history('shop:v', '0:-1#12')).toMatchObject({
    fresh: false,
    events: [click],
    calls: 2,
  })
})

test.each([
  ['down', new TypeError('connection refused')],
  ['503', { status: 503, body: {} }],
  ['busy with a partition move', { status: 410, body: {} }],
])('a region that is %s is passed over', async (_, reply) => {
  const { batches } = scripted([reply, page('0:-1#12')])
  expect(await batches.history('shop:v', '0:-1#12')).toMatchObject({ fresh: true, calls: 2 })
})

test('everything down: no events and not fresh, without an error', async () => {
  const { batches } = scripted([new TypeError('refused'), new TypeError('refused')])
  expect(await batches.history('shop:v', undefined)).toEqual({
    events: [],
    fresh: false,
    session: undefined,
    ru: 0,
    calls: 2,
    elsewhere: false,
  })
})

test('429 is not carried to the next region', async () => {
  const { batches } = scripted([{ status: 429, headers: { 'x-ms-retry-after-ms': '900' }, body: {} }])
  expect(await batches.history('shop:v', '0:-1#12')).toMatchObject({ fresh: false, calls: 1 })
})

const batch: BatchDocument = {
  id: 'b',
  visitor: 'shop:v',
  site: 'shop',
  at: AT,
  received: AT,
  events: [click],
}

test('409 means stored before: no error, the token of the answer', async () => {
  const { batches, calls } = scripted([
    { status: 409, headers: { 'x-ms-session-token': '0:-1#12', 'x-ms-request-charge': '1.2' }, body: {} },
  ])
  expect(await batches.create(batch)).toEqual({ session: '0:-1#12', duplicate: true, isNew: false, ru: 1.2 })
  expect(calls).toHaveLength(1)
})

test('a write whose answer was lost is new when the next try finds it there, and only then', async () => {
  const conflict: Reply = { status: 409, headers: { 'x-ms-session-token': '0:-1#12' }, body: {} }
  const { batches } = scripted([new Error('the store is killed as it answers'), conflict, conflict])
  await expect(batches.create(batch)).rejects.toMatchObject({ code: 'COSMOS_UNAVAILABLE' })
  expect(await batches.create(batch)).toMatchObject({ duplicate: true, isNew: true })
  expect(await batches.create(batch)).toMatchObject({ duplicate: true, isNew: false })
})

test('a write that was refused is counted once, when it succeeds', async () => {
  const { batches } = scripted([
    { status: 429, body: {} },
    { status: 201, headers: { 'x-ms-session-token': '0:-1#12' } },
    { status: 409, headers: { 'x-ms-session-token': '0:-1#12' }, body: {} },
  ])
  await expect(batches.create(batch)).rejects.toMatchObject({ code: 'COSMOS_THROTTLED' })
  expect(await batches.create(batch)).toMatchObject({ duplicate: false, isNew: true })
  expect(await batches.create(batch)).toMatchObject({ duplicate: true, isNew: false })
})

test('409 without a token: one read of the document brings it', async () => {
  const { batches, calls } = scripted([
    { status: 409, body: {} },
    { status: 200, headers: { 'x-ms-session-token': '0:-1#12' }, body: batch },
  ])
  expect(await batches.create(batch)).toMatchObject({ session: '0:-1#12', duplicate: true })
  expect(calls).toHaveLength(2)
})

test('a batch carries its TTL when one is asked for', async () => {
  const { batches, calls } = scripted([{ status: 201, headers: { 'x-ms-session-token': '0:-1#12' } }])
  await batches.create(batch, 86_400)
  expect(JSON.parse(calls[0]?.body ?? '')).toEqual({ ...batch, ttl: 86_400 })
})

test.each([
  [429, undefined, 'COSMOS_THROTTLED'],
  [449, undefined, 'COSMOS_RETRY'],
  [503, undefined, 'COSMOS_UNAVAILABLE'],
  [403, '3', 'COSMOS_WRITE_FORBIDDEN'],
  [403, undefined, 'COSMOS_REFUSED'],
  [401, undefined, 'COSMOS_REFUSED'],
  [404, '1003', 'COSMOS_NOT_FOUND'],
])('a write answered %s/%s is %s', async (status, substatus, code) => {
  const { batches } = scripted([
    {
      status,
      headers: { ...(substatus && { 'x-ms-substatus': substatus }), 'x-ms-retry-after-ms': '900' },
      body: {},
    },
  ])
  await expect(batches.create(batch)).rejects.toMatchObject({ code, retryAfterMs: 900 })
})

test('after 403/3 the account document names the new write region, and the next write goes there', async () => {
  const account = {
    writableLocations: [{ name: 'North', databaseAccountEndpoint: `${READ}:80/` }],
    readableLocations: [
      { name: 'North', databaseAccountEndpoint: `${READ}/` },
      { name: 'West', databaseAccountEndpoint: `${WRITE}/` },
    ],
  }
  const { batches, regions, calls } = scripted(
    [
      { status: 403, headers: { 'x-ms-substatus': '3' }, body: {} },
      { status: 200, body: account },
      { status: 201, headers: { 'x-ms-session-token': '0:2#13' } },
    ],
    [WRITE, READ],
  )
  await expect(batches.create(batch)).rejects.toMatchObject({ code: 'COSMOS_WRITE_FORBIDDEN' })
  await regions.refresh()
  await batches.create(batch)
  expect(calls.map((call) => call.region)).toEqual([WRITE, WRITE, READ])
})
