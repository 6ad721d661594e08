import type { RankResponse } from '@attune/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sampleOf, SITE, type Answer, type Api, type OrProblem } from './testing/api.ts'
import { createWorld, type StartEdge, type World } from './testing/worlds.ts'

/** Who may call, from where and how often, over real HTTP, on any host: one edge without limits, one with. */
export function describeCallers(start: StartEdge): void {
  let world: World
  let api: Api
  let other: Api

  beforeAll(async () => {
    world = await createWorld(start, {
      edges: 2,
      configure: (options, edge) =>
        edge === 1
          ? {
              ...options,
              origins: ['https://shop.example'],
              limits: { visitor: { perSecond: 1, burst: 60 } },
            }
          : options,
    })
    ;[api, other] = world.apis as [Api, Api]
  })

  afterAll(() => world.close())

  test.each([
    ['no key', '/v1/events', 401, 'KEY_MISSING'],
    ['an empty key', '/v1/rank?key=', 401, 'KEY_MISSING'],
    ['an unknown key', '/v1/visitors?key=pk_of_somebody_else', 401, 'KEY_UNKNOWN'],
    ['the push key', '/v1/events?key=push_test_key_of_32_characters__', 401, 'KEY_UNKNOWN'],
  ])('a page with %s is refused', async (_, path, status, code) => {
    const answer = await api.send('POST', path, { body: '{}' })
    expect([answer.status, answer.body.code]).toEqual([status, code])
  })

  test('the key may come in a header; an unknown path is 404 ROUTE_UNKNOWN', async () => {
    const answer = await api.send('POST', '/v1/visitors', {
      body: '{}',
      headers: { 'x-attune-key': SITE.key },
    })
    expect(answer.status).toBe(201)
    const lost = await api.send('POST', '/v1/nothing?key=pk_test_site_key', { body: '{}' })
    expect([lost.status, lost.body.code]).toEqual([404, 'ROUTE_UNKNOWN'])
  })

  test('the 61st request of a visitor is 429 with Retry-After and RateLimit headers; others are served', async () => {
    const visitor = await api.visitor()
    const answers: Answer<OrProblem<RankResponse>>[] = []
    for (let first = 0; first < 70; first += 10) {
      answers.push(
        ...(await Promise.all(
          Array.from({ length: 10 }, () => other.rank({ visitor, strategy: 'trending' })),
        )),
      )
    }
    const standing = (answer: (typeof answers)[number] | undefined): (number | undefined)[] =>
      ['limit', 'remaining', 'reset'].map((name) => Number(answer?.headers.get(`ratelimit-${name}`)))
    const [limit, remaining = NaN, reset] = standing(answers[0])
    expect([limit, reset]).toEqual([60, 60 - remaining])
    expect(remaining).toBeGreaterThanOrEqual(50)
    expect(remaining).toBeLessThanOrEqual(59)
    const refused = answers.filter((answer) => answer.status === 429)
    // One more a second fills in while they run.
    expect(refused.length).toBeGreaterThan(3)
    expect(refused.length).toBeLessThanOrEqual(10)
    expect(refused[0]?.body.code).toBe('RATE_LIMITED')
    expect(Number(refused[0]?.headers.get('retry-after'))).toBe(1)
    expect(standing(refused[0])).toEqual([60, 0, 1])
    expect(await sampleOf(other, 'attune_rate_limited_total{by="visitor"}')).toBe(refused.length)
    expect((await other.rank({ visitor: await api.visitor(), strategy: 'trending' })).status).toBe(200)
  })

  test('CORS: any origin where none is configured, else the configured ones', async () => {
    const call = (edge: Api, origin: string) =>
      edge.send('POST', `/v1/visitors?key=${SITE.key}`, { body: '{}', headers: { origin } })
    const open = await call(api, 'https://anywhere.example')
    expect([open.status, open.headers.get('access-control-allow-origin')]).toEqual([
      201,
      'https://anywhere.example',
    ])
    const own = await call(other, 'https://shop.example')
    expect([own.status, own.headers.get('access-control-allow-origin')]).toEqual([
      201,
      'https://shop.example',
    ])
    expect(own.headers.get('vary')).toContain('origin')
    const foreign = await call(other, 'https://evil.example')
    expect([foreign.status, foreign.body.code]).toEqual([403, 'ORIGIN_FORBIDDEN'])
    expect(foreign.headers.get('access-control-allow-origin')).toBeNull()
    const preflight = await other.send('OPTIONS', '/v1/rank', {
      headers: { origin: 'https://shop.example', 'access-control-request-method': 'POST' },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([
      204,
      'GET, POST, PUT, DELETE, OPTIONS',
    ])
  })
}
