import { CosmosClient } from '@azure/cosmos'
import {
  DATABASE,
  EVENTS_CONTAINER,
  parseSessionToken,
  type BatchDocument,
  type TrackedEvent,
} from '@attune/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { event, PUSH_KEY, sampleOf, SITE, type Api } from './testing/api.ts'
import { createWorld, type StartEdge, type World } from './testing/worlds.ts'

/** The loop of clicks and lists over real HTTP, on any host, with two edges on one Cosmos. */
export function describeEdge(start: StartEdge): void {
  let world: World
  let api: Api
  let other: Api

  beforeAll(async () => {
    world = await createWorld(start, { edges: 2 })
    ;[api, other] = world.apis as [Api, Api]
  })

  afterAll(async () => {
    await world.close()
  })

  /** What is really in Cosmos, by the official client. */
  const stored = async (handle: string): Promise<BatchDocument[]> => {
    const client = new CosmosClient({ endpoint: world.cosmos.endpoint, key: world.cosmos.key })
    const container = client.database(DATABASE).container(EVENTS_CONTAINER.id)
    const partitionKey = `${SITE.id}:${handle.slice(0, 22)}`
    const { resources } = await container.items
      .query<BatchDocument>('SELECT * FROM c', { partitionKey })
      .fetchAll()
    return resources
  }

  test('a batch is 202 with the session token of its write, and is one document', async () => {
    const visitor = await api.visitor()
    const batch = crypto.randomUUID()
    const events = [event({ slot: 'for-you', position: 2 }), event({ kind: 'impression', item: 'item-9' })]
    const answer = await api.events(visitor, events, { batch })
    expect(answer.status).toBe(202)
    expect(answer.body).toMatchObject({ batch, accepted: 2, rejected: [], duplicate: false })
    expect(parseSessionToken(answer.body.session).size).toBe(1)
    expect(answer.body.diagnostics?.ru).toBeGreaterThan(1)
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    const documents = await stored(visitor)
    expect(documents).toHaveLength(1)
    expect(documents[0]).toMatchObject({
      id: batch,
      site: 'shop',
      events,
      at: events[0]?.at,
    })
  })

  test('the same batch again, on either edge, is stored once and says so', async () => {
    const visitor = await api.visitor()
    const batch = crypto.randomUUID()
    const events = [event()]
    const answers = [
      await api.events(visitor, events, { batch }),
      await api.events(visitor, events, { batch }),
      await other.events(visitor, events, { batch: batch.toUpperCase() }),
    ]
    expect(answers.map((answer) => [answer.status, answer.body.duplicate])).toEqual([
      [202, false],
      [202, true],
      [202, true],
    ])
    expect(await stored(visitor)).toHaveLength(1)
    expect(answers[1]?.body.session).toBeTruthy()
  })

  /** Missing and late, of both edges together. */
  const lost = async (): Promise<number[]> => {
    const counted = await Promise.all(
      [api, other].map(async (edge) => {
        const answer = await fetch(`${edge.url}/metrics`, {
          headers: { authorization: `Bearer ${PUSH_KEY}` },
        })
        const text = await answer.text()
        const value = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
        return [value('attune_events_missing_total'), value('attune_events_late_total')] as const
      }),
    )
    return [0, 1].map((at) => counted.reduce((sum, each) => sum + (each[at] ?? 0), 0))
  }
  const numbered = (tab: string, ...numbers: number[]) => numbers.map((seq) => event({ tab, seq }))

  test('events that never came are counted once, by whichever edge; a batch sent again counts nothing again', async () => {
    const visitor = await api.visitor()
    const before = await lost()
    const batch = crypto.randomUUID()
    // 3 and 4 of tab a, 1 of tab b.
    const first = [...numbered('a', 1, 2, 5), ...numbered('b', 2)]
    for (const edge of [api, api, other])
      expect((await edge.events(visitor, first, { batch, after: { a: 0, b: 0 } })).status).toBe(202)
    // 7 of tab a; 4 of it comes after all.
    await other.events(visitor, numbered('a', 6, 8), { after: { a: 5 } })
    await api.events(visitor, numbered('a', 4), { after: { a: 8 } })
    // Refused, not lost: 9 and 10.
    await api.events(
      visitor,
      [...numbered('a', 11), ...numbered('a', 9, 10).map((one) => ({ ...one, kind: 'no' }))] as never,
      {
        after: { a: 8 },
      },
    )
    const after = await lost()
    expect(after.map((count, at) => count - (before[at] ?? 0))).toEqual([4, 1])
    expect((await stored(visitor))[0]?.events[0]).toMatchObject({ tab: 'a', seq: 1 })
  })

  test('what a tab lost at its end is told by a batch without events, and counted once, by whichever edge; its later events go on from there', async () => {
    const visitor = await api.visitor()
    const before = await lost()
    await api.events(visitor, numbered('a', 1, 2), { after: { a: 0 } })
    const batch = crypto.randomUUID()
    // 3 and 4 of tab a, 1 of tab b.
    const last = [
      { tab: 'a', seq: 4 },
      { tab: 'b', seq: 1 },
    ]
    const answers = []
    for (const edge of [api, other, api])
      answers.push((await edge.events(visitor, [], { batch, last, after: { a: 2, b: 0 } })).body)
    expect(answers.map(({ accepted, duplicate }) => [accepted, duplicate])).toEqual([
      [0, false],
      [0, true],
      [0, true],
    ])
    // 3 comes after all; 6 is missing.
    await other.events(visitor, numbered('a', 3), { after: { a: 4 } })
    await api.events(visitor, numbered('a', 5, 7), { after: { a: 4 } })
    const after = await lost()
    expect(after.map((count, at) => count - (before[at] ?? 0))).toEqual([4, 1])
    expect((await stored(visitor)).find(({ id }) => id === batch)).toMatchObject({ at: 0, events: [] })
    // Such a batch changes no list.
    const list = await other.rank({ visitor, session: answers[2]?.session ?? '' })
    expect(list.body.diagnostics?.events).toBe(5)
  })

  test('made-up last numbers are worth 10,000 a batch at most, and without a good one a batch has to have events', async () => {
    const visitor = await api.visitor()
    const before = await lost()
    const far = Array.from({ length: 100 }, (_, tab) => ({ tab: `${tab}`, seq: 1_000_000_000 }))
    const after = Object.fromEntries(far.map(({ tab }) => [tab, 0]))
    expect((await api.events(visitor, [], { last: far, after })).status).toBe(202)
    for (const last of [[], [{ tab: 'a', seq: 0 }], [{ tab: 'a', seq: 1e9 + 1 }], 'a', { a: 1 }]) {
      const answer = await api.events(visitor, [], { last: last as never, after: { a: 0 } })
      expect([answer.status, answer.body.code]).toEqual([422, 'EVENTS_REJECTED'])
    }
    // Bad ones beside good ones and beside events are not counted.
    const mixed = [{ tab: 'a', seq: 2 }, { tab: 'b', seq: -5 }, { tab: 'c', seq: 0.5 }, null]
    expect(
      (await api.events(visitor, [event()], { last: mixed as never, after: { a: 0, b: 0, c: 0 } })).status,
    ).toBe(202)
    expect((await api.events(visitor, [event({ kind: 'no' as never })], { last: far })).status).toBe(422)
    expect((await lost())[0]).toBe((before[0] ?? 0) + 10_002)
  })

  test("a visitor's click counts in the very next list, of another edge process", async () => {
    const visitor = await api.visitor()
    const before = await other.rank({ visitor })
    expect(before.body.diagnostics?.engine).toBe('none')
    const click = await api.events(visitor, [event({ item: 'item-42' })])
    const after = await other.rank({ visitor, session: click.body.session })
    expect(after.body).toMatchObject({
      fresh: true,
      epoch: 1,
      delta: 0,
      slot: 'for-you',
      strategy: 'for-you',
    })
    expect(after.body.diagnostics).toMatchObject({ events: 1, engine: 'ort' })
    expect(after.body.items.map((item) => item.id)).not.toEqual(before.body.items.map((item) => item.id))
    expect(after.body.items).toHaveLength(20)
    expect(after.body.session).toBeTruthy()
    const reasons = (await other.rank({ visitor, session: click.body.session, k: 200 })).body.items.flatMap(
      (item) => item.because ?? [],
    )
    expect(reasons[0]).toEqual({ item: 'item-42', kind: 'click' })
    const stranger = await other.rank({ visitor: await other.visitor() })
    expect(stranger.body.items.map((item) => item.id)).toEqual(before.body.items.map((item) => item.id))
  })

  test('50 clicks in a row: each is in the next answer of the other edge', async () => {
    const visitor = await api.visitor()
    let session: string | undefined
    for (let click = 0; click < 50; click++) {
      const [write, read] = click % 2 === 0 ? [api, other] : [other, api]
      const answer = await write.events(
        visitor,
        [event({ item: `item-${click}`, at: Date.now() - 100_000 + click * 1_000 })],
        {
          ...(session !== undefined && { session }),
        },
      )
      session = answer.body.session
      const list = await read.rank({ visitor, session, k: 5 })
      expect(list.body.fresh).toBe(true)
      expect(list.body.diagnostics?.events).toBe(Math.min(16, click + 1))
    }
  })

  test('recent events are merged with the stored ones by id, and count without a visitor', async () => {
    const visitor = await api.visitor()
    const click = event({ item: 'item-5' })
    const { body } = await api.events(visitor, [click])
    const once = await api.rank({ visitor, session: body.session })
    const told = await api.rank({ visitor, session: body.session, recent: [click] })
    const only = await api.rank({ recent: [click] })
    expect(told.body.items).toEqual(once.body.items)
    expect(only.body.items).toEqual(once.body.items)
    expect(only.body.diagnostics?.ru).toBe(0)
    expect(only.body.session).toBeUndefined()
  })

  test('twenty batches of impressions after a click do not push it out of the history', async () => {
    const visitor = await api.visitor()
    const at = Date.now() - 60_000
    await api.events(visitor, [event({ item: 'item-42', at })])
    let session = ''
    for (let batch = 1; batch <= 20; batch++) {
      const seen = event({ kind: 'impression', item: `item-${batch}`, at: at + batch * 1_000 })
      session = (await api.events(visitor, [seen])).body.session
    }
    const list = await api.rank({ visitor, session })
    const only = await api.rank({ recent: [event({ item: 'item-42', at })] })
    expect(list.body.items).toEqual(only.body.items)
    expect(list.body.diagnostics?.engine).toBe('ort')
  })

  test("history 'recent' reads nothing", async () => {
    const visitor = await api.visitor()
    const { body } = await api.events(visitor, [event()])
    const answer = await api.rank({ visitor, session: body.session, history: 'recent' })
    expect(answer.body).toMatchObject({
      fresh: true,
      session: body.session,
      diagnostics: { ru: 0, events: 0 },
    })
  })

  test('good events of a mixed batch are stored, the others named with their paths', async () => {
    const visitor = await api.visitor()
    const good = event()
    const bad = [
      { ...event(), kind: 'glance' },
      { ...event(), at: 1 },
      { id: 'x', kind: 'click' },
      null,
      { ...event(), item: 'x'.repeat(257) },
    ]
    const answer = await api.events(visitor, [bad[0], good, ...bad.slice(1)] as TrackedEvent[])
    expect(answer.status).toBe(202)
    expect(answer.body.accepted).toBe(1)
    expect(answer.body.rejected.map(({ path, code }) => `${path} ${code}`)).toEqual([
      'events[0].kind EVENT_KIND_UNKNOWN',
      'events[2].at EVENT_TOO_OLD',
      'events[3].id EVENT_ID_INVALID',
      'events[3].at EVENT_TIME_INVALID',
      'events[4] EVENT_NOT_OBJECT',
      'events[5].item EVENT_ITEM_INVALID',
    ])
    expect((await stored(visitor))[0]?.events).toEqual([good])
  })

  test('a batch without a good event is 422 EVENTS_REJECTED and not stored', async () => {
    const visitor = await api.visitor()
    const answer = await api.events(visitor, [{ ...event(), kind: 'glance' as 'click' }])
    expect([answer.status, answer.body.code]).toEqual([422, 'EVENTS_REJECTED'])
    expect(answer.body.issues?.map((issue) => issue.path)).toEqual(['events[0].kind'])
    expect(await stored(visitor)).toEqual([])
  })

  test("a visitor's 230 events are exported, then deleted; a second delete finds nothing; others keep theirs", async () => {
    interface Exported {
      events: number
      batches: { batch: string; events: TrackedEvent[] }[]
    }
    const [visitor, neighbour] = [await api.visitor(), await api.visitor()]
    const mine = Array.from({ length: 230 }, (_, index) =>
      event({ item: `item-${index}`, at: Date.now() - 300_000 + index }),
    )
    for (let first = 0; first < 230; first += 2) await api.events(visitor, mine.slice(first, first + 2))
    const { session } = (await api.events(neighbour, [event()])).body
    const exported = await other.page<Exported>('/v1/visitors/export', { visitor })
    expect([exported.status, exported.body.events, exported.body.batches.length]).toEqual([200, 230, 115])
    expect(exported.body.batches.flatMap((batch) => batch.events)).toEqual(mine)
    const erased = await other.page<object>('/v1/visitors/delete', { visitor })
    expect(erased.body).toMatchObject({ visitor, deleted: 115, remaining: 0 })
    expect(await stored(visitor)).toEqual([])
    expect((await api.page<object>('/v1/visitors/delete', { visitor })).body).toMatchObject({
      deleted: 0,
      remaining: 0,
    })
    expect((await api.page<Exported>('/v1/visitors/export', { visitor })).body.batches).toEqual([])
    expect((await api.rank({ visitor: neighbour, session })).body.diagnostics?.events).toBe(1)
  })

  test.each(['export', 'delete'])('%s needs the handle itself', async (action) => {
    const visitor = await api.visitor()
    const forged = await api.page<object>(`/v1/visitors/${action}`, {
      visitor: `${visitor.slice(0, 23)}${'A'.repeat(22)}`,
    })
    expect([forged.status, forged.body.code]).toEqual([403, 'VISITOR_FORGED'])
    const missing = await api.page<object>(`/v1/visitors/${action}`, {})
    expect([missing.status, missing.body.code]).toEqual([400, 'VISITORS_MALFORMED'])
  })

  test.each<[string, unknown, number, string]>([
    ['text that is no JSON', '{"batch":', 400, 'EVENTS_MALFORMED'],
    ['nothing', '', 400, 'EVENTS_MALFORMED'],
    ['an array', [], 400, 'EVENTS_MALFORMED'],
    ['bytes that are not UTF-8', '"\u0000', 400, 'EVENTS_MALFORMED'],
    ['no batch id', { visitor: 'v', events: [] }, 400, 'EVENTS_MALFORMED'],
    [
      'events that are no array',
      { batch: crypto.randomUUID(), visitor: 'v', events: {} },
      400,
      'EVENTS_MALFORMED',
    ],
    [
      'a session that is no token',
      { batch: crypto.randomUUID(), visitor: 'v', session: 'x', events: [] },
      400,
      'EVENTS_MALFORMED',
    ],
    [
      'a forged visitor',
      { batch: crypto.randomUUID(), visitor: `${'A'.repeat(22)}.${'A'.repeat(22)}`, events: [event()] },
      403,
      'VISITOR_FORGED',
    ],
    [
      '__proto__ as a field',
      '{"__proto__":{"batch":"b","visitor":"v","events":[]}}',
      400,
      'EVENTS_MALFORMED',
    ],
    [
      '101 events',
      { batch: crypto.randomUUID(), visitor: 'v', events: Array.from({ length: 101 }, () => 1) },
      413,
      'BATCH_TOO_LARGE',
    ],
    ['60,001 bytes', ' '.repeat(60_001), 413, 'BODY_TOO_LARGE'],
  ])('events with %s: %i %s', async (_, body, status, code) => {
    const answer = await api.page('/v1/events', body)
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.body.requestId).toBe(answer.headers.get('x-request-id'))
  })

  test('10 MB without a content-length are 413 BODY_TOO_LARGE, which the caller can read', async () => {
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 100_000
        if (sent > 10_000_000) controller.close()
        else controller.enqueue(new Uint8Array(100_000).fill(32))
      },
    })
    const response = await fetch(`${api.url}/v1/events?key=${SITE.key}`, {
      method: 'POST',
      body,
      duplex: 'half',
    } as RequestInit)
    expect(response.status).toBe(413)
    expect(((await response.json()) as { code: string }).code).toBe('BODY_TOO_LARGE')
  })

  test('readiness and metrics: ready with a model; counters by route, for the push key only', async () => {
    expect((await api.send('GET', '/readyz')).body).toEqual({ ready: true, missing: [], degraded: [] })
    expect((await api.send('GET', '/metrics')).body.code).toBe('KEY_MISSING')
    const response = await fetch(`${api.url}/metrics`, { headers: { authorization: `Bearer ${PUSH_KEY}` } })
    const text = await response.text()
    expect(response.headers.get('content-type')).toContain('version=0.0.4')
    expect(text).toContain('attune_epoch 1\n')
    expect(text).toMatch(/attune_requests_total\{route="\/v1\/events",status="202"\} [1-9]/)
    expect(text).toMatch(/attune_requests_total\{route="\/v1\/events",status="413"\} [1-9]/)
    expect(text).toMatch(/attune_rank_engine_total\{engine="ort"\} [1-9]/)
    expect(text).toMatch(/attune_cosmos_request_units_total\{operation="create"\} [1-9]/)
    expect(text).toMatch(/attune_events_total\{outcome="duplicate"\} [1-9]/)
    expect(text).toMatch(/attune_request_seconds_bucket\{route="\/v1\/rank",le="\+Inf"\} [1-9]/)
  })

  test('Cosmos down: events are 503 STORE_UNAVAILABLE with Retry-After; ranks go on from recent and say fresh: false', async () => {
    const visitor = await api.visitor()
    const click = event({ item: 'item-11' })
    const { body } = await api.events(visitor, [click])
    const expected = (await api.rank({ recent: [click] })).body.items
    await world.cosmos.close()
    const refused = await api.events(visitor, [event()])
    expect([refused.status, refused.body.code]).toEqual([503, 'STORE_UNAVAILABLE'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    const list = await api.rank({ visitor, session: body.session, recent: [click] })
    expect([list.status, list.body.fresh]).toEqual([200, false])
    expect(list.body.items).toEqual(expected)
    expect(await sampleOf(api, 'attune_fallbacks_total{to="stale-history"}')).toBeGreaterThan(0)
    expect(await sampleOf(api, 'attune_rank_stale_total')).toBeGreaterThan(0)
    expect(await sampleOf(api, 'attune_cosmos_errors_total{code="COSMOS_UNAVAILABLE"}')).toBeGreaterThan(0)
    expect(await sampleOf(api, 'attune_epoch_age_seconds')).toBeGreaterThan(0)
    expect((await api.send('GET', '/healthz')).status).toBe(200)
    // Still ready: another process has the same Cosmos, and lists go on.
    expect(await api.send('GET', '/readyz')).toMatchObject({
      status: 200,
      body: { ready: true, missing: [], degraded: ['COSMOS_UNAVAILABLE'] },
    })
  })
}
