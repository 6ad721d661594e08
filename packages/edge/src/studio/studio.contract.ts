import type { TrackedEvent } from '@attune/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ADMIN_KEY, PUSH_KEY, SITE, type Api } from '../testing/api.ts'
import { createWorld, type StartEdge, type World } from '../testing/worlds.ts'
import type { ExplainAnswer, LiveAnswer } from './answers.ts'

/** What the live page is told, on any host. */
export function describeStudio(start: StartEdge, scope: LiveAnswer['scope']): void {
  let world: World
  let api: Api

  beforeAll(async () => {
    world = await createWorld(start)
    api = world.apis[0] as Api
    const { signer, artifact } = world
    const gate = { visits: 900, hr20: { serving: 0.51, candidate: 0.53 } }
    const pushed = await api.pushManifest(signer, { ...artifact.manifest, epoch: 2, parent: 1, gate })
    expect(pushed.status).toBe(200)
  })

  afterAll(() => world.close())

  const ask = <T>(path: string, key: string, body?: object) =>
    api.send<T>(body === undefined ? 'GET' : 'POST', `/studio/api/${path}`, {
      headers: key === '' ? {} : { authorization: `Bearer ${key}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  const live = async (): Promise<LiveAnswer> => (await ask<LiveAnswer>('live', ADMIN_KEY)).body
  const event = (change: Partial<TrackedEvent>): TrackedEvent => ({
    id: crypto.randomUUID(),
    kind: 'click',
    item: 'item-3',
    at: Date.now() - 1_000,
    ...change,
  })

  test('page, script and style hold no data and allow nothing from elsewhere', async () => {
    for (const [path, type] of [
      ['/studio', 'text/html'],
      ['/studio/studio.js', 'text/javascript'],
      ['/studio/studio.css', 'text/css'],
    ] as const) {
      const response = await fetch(`${api.url}${path}`)
      expect([path, response.status, response.headers.get('content-type')]).toEqual([
        path,
        200,
        `${type}; charset=utf-8`,
      ])
      const policy = response.headers.get('content-security-policy') ?? ''
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
      expect(policy).not.toContain('unsafe')
      expect(await response.text()).not.toMatch(/https?:\/\/(?!www\.w3\.org)[^"'\s)]+\.(js|css)/)
    }
  })

  test.each([
    ['no key', '', 401, 'KEY_MISSING'],
    ['a stranger’s key', 'admin_key_of_a_stranger', 401, 'KEY_UNKNOWN'],
    ['a site key', SITE.key, 403, 'KEY_FORBIDDEN'],
    ['a push key', PUSH_KEY, 403, 'KEY_FORBIDDEN'],
  ])('with %s nothing is told', async (_, key, status, code) => {
    for (const [path, body] of [
      ['live', undefined],
      ['explain', { visitor: 'x' }],
    ] as const) {
      const answer = await ask(path, key, body)
      expect([answer.status, answer.body.code]).toEqual([status, code])
    }
  })

  test('lists, impressions and clicks are counted by slot; a batch sent twice counts once', async () => {
    const visitor = await api.visitor()
    const list = await api.rank({ visitor, slot: 'top', k: 4 })
    const forAll = await fetch(`${api.url}/v1/rank?key=${SITE.key}&slot=top&strategy=popular`)
    expect(forAll.status).toBe(200)
    const impressions = list.body.items.map(({ id }, position) =>
      event({ kind: 'impression', item: id, slot: 'top', position }),
    )
    const events = [...impressions, event({ slot: 'top' }), event({ kind: 'view' })]
    const batch = crypto.randomUUID()
    for (let time = 0; time < 2; time++)
      expect((await api.events(visitor, events, { batch })).status).toBe(202)
    await expect
      .poll(
        async () => {
          const { buckets } = await live()
          const slots = buckets.flatMap((bucket) => bucket.slots.filter(({ slot }) => slot === 'top'))
          return {
            events: buckets.reduce((sum, bucket) => sum + bucket.events, 0),
            lists: slots.reduce((sum, slot) => sum + slot.lists, 0),
            impressions: slots.reduce((sum, slot) => sum + slot.impressions, 0),
            clicks: slots.reduce((sum, slot) => sum + slot.clicks, 0),
          }
        },
        { timeout: 20_000 },
      )
      .toEqual({ events: 6, lists: 2, impressions: 4, clicks: 1 })
    expect(await live()).toMatchObject({ scope, decisions: 0, bucketMs: 5_000 })
  })

  test('epochs come newest first with what their gate measured; one of them serves', async () => {
    const { epochs, serving } = await live()
    expect(serving).toMatchObject({ epoch: 2, items: 300 })
    expect(epochs.map(({ epoch, serving, gate }) => [epoch, serving, gate])).toEqual([
      [2, true, { visits: 900, hr20: { serving: 0.51, candidate: 0.53 } }],
      [1, false, null],
    ])
  })

  test("a visitor's list is the one it would be shown, with parts that add up to each score", async () => {
    const visitor = await api.visitor()
    const mine = [event({ item: 'item-42', at: Date.now() - 3_000 }), event({ item: 'item-7' })]
    const { session } = (await api.events(visitor, mine)).body
    const shown = await api.rank({ visitor, session })
    const { status, body } = await ask<ExplainAnswer>('explain', ADMIN_KEY, { visitor })
    expect([status, body.site, body.epoch, body.fresh]).toEqual([200, 'shop', 2, true])
    expect(body.events).toEqual(mine.toReversed())
    expect(body.items.map(({ id }) => id)).toEqual(shown.body.items.map(({ id }) => id))
    expect(body.names.slice(0, 3)).toEqual(['cosine', 'cosine_to_best', 'sr_last'])
    for (const { parts = [], rest = NaN, score } of body.items) {
      expect(parts).toHaveLength(body.names.length)
      expect(parts.reduce((sum, part) => sum + part, rest)).toBeCloseTo(score ?? NaN, 2)
    }
    const before = (await live()).buckets.reduce((sum, bucket) => sum + bucket.lists, 0)
    await ask('explain', ADMIN_KEY, { visitor })
    expect((await live()).buckets.reduce((sum, bucket) => sum + bucket.lists, 0)).toBe(before)
  })

  test('with a slot the list is the one its rules make, boosts and pins told apart', async () => {
    const visitor = await api.visitor()
    const { session } = (await api.events(visitor, [event({ item: 'item-42' })])).body
    const best = (await api.rank({ visitor, session, k: 20 })).body.items.map(({ id }) => id)
    const [first = '', second = '', third = '', last = ''] = [...best.slice(0, 3), best.at(-1) ?? '']
    const rules = { exclude: [second], pins: [{ item: last, position: 1 }] }
    expect((await api.admin('PUT', '/v1/slots/ruled', rules)).status).toBe(200)
    const shown = (await api.rank({ visitor, session, slot: 'ruled', k: 20 })).body.items.map(({ id }) => id)
    expect(shown.slice(0, 3)).toEqual([first, last, third])
    const { body } = await ask<ExplainAnswer>('explain', ADMIN_KEY, { visitor, slot: 'ruled' })
    expect([body.slot, body.strategy, body.rules]).toEqual(['ruled', 'for-you', rules])
    expect(body.items.map(({ id }) => id)).toEqual(shown)
    expect(body.items.flatMap(({ id, pinned }) => (pinned ? [id] : []))).toEqual([last])

    const boosts = [{ when: { not: { attr: 'absent', eq: 1 } }, add: 2.5 }]
    await api.admin('PUT', '/v1/slots/ruled', { boosts })
    const boosted = (await ask<ExplainAnswer>('explain', ADMIN_KEY, { visitor, slot: 'ruled' })).body
    for (const { parts = [], rest = NaN, boost, score } of boosted.items) {
      expect(boost).toBe(2.5)
      expect(parts.reduce((sum, part) => sum + part, rest + 2.5)).toBeCloseTo(score ?? NaN, 2)
    }
    await api.admin('PUT', '/v1/slots/ruled', { strategy: 'popular' })
    const popular = (await ask<ExplainAnswer>('explain', ADMIN_KEY, { visitor, slot: 'ruled' })).body
    expect([popular.strategy, popular.items[0]?.parts]).toEqual(['popular', undefined])
    await api.admin('DELETE', '/v1/slots/ruled')
  })

  test('a visitor without a history is explained without parts; a forged handle is refused', async () => {
    const visitor = await api.visitor()
    const { body } = await ask<ExplainAnswer>('explain', ADMIN_KEY, { visitor })
    expect([body.events, body.items.length, body.items[0]?.parts]).toEqual([[], 20, undefined])
    const forged = await ask('explain', ADMIN_KEY, { visitor: `${visitor.slice(0, 23)}${'A'.repeat(22)}` })
    expect([forged.status, forged.body.code]).toEqual([403, 'VISITOR_FORGED'])
    const missing = await ask('explain', ADMIN_KEY, {})
    expect([missing.status, missing.body.code]).toEqual([400, 'VISITORS_MALFORMED'])
  })
}
