import type { RankResponse } from '@attune/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ADMIN_KEY, event, type Api } from './testing/api.ts'
import { createWorld, type StartEdge, type World } from './testing/worlds.ts'

const SITES = [
  { id: 'shop', keys: ['pk_test_site_key'], origins: ['https://shop.example'] },
  { id: 'hats', keys: ['pk_of_the_hat_shop'], origins: ['https://hats.example'] },
] as const
type SiteId = (typeof SITES)[number]['id']

/** Two sites behind one edge, which know nothing of one another, over real HTTP, on any host. */
export function describeSites(start: StartEdge): void {
  let world: World
  let api: Api

  beforeAll(async () => {
    world = await createWorld(start, {
      configure: (options) => ({
        ...options,
        settings: {
          ATTUNE_SITES: JSON.stringify(SITES),
          ATTUNE_QUOTAS: JSON.stringify({ hats: { perDay: 40 } }),
          ATTUNE_IDENTITY_SECRETS: '{}',
        },
      }),
    })
    api = world.apis[0] as Api
  })

  afterAll(() => world.close())

  const keyOf = (site: SiteId) => SITES.find(({ id }) => id === site)?.keys[0] ?? ''
  const ask = <T>(site: SiteId, path: string, body: object, origin?: string) =>
    api.send<T>('POST', `/v1/${path}?key=${keyOf(site)}`, {
      body: JSON.stringify(body),
      headers: origin === undefined ? {} : { origin },
    })
  const newVisitor = async (site: SiteId) =>
    (await ask<{ visitor: string }>(site, 'visitors', {})).body.visitor
  const click = () => event({ item: 'item-42' })

  test('a key goes with the origins of its own site; those of the other may read why they were refused', async () => {
    for (const [site, own, other] of [
      ['shop', 'https://shop.example', 'https://hats.example'],
      ['hats', 'https://hats.example', 'https://shop.example'],
    ] as const) {
      expect((await ask(site, 'visitors', {}, own)).status).toBe(201)
      const refused = await ask(site, 'visitors', {}, other)
      expect([refused.status, refused.body.code]).toEqual([403, 'ORIGIN_FORBIDDEN'])
      expect(refused.headers.get('access-control-allow-origin')).toBe(other)
      expect((await ask(site, 'visitors', {}, 'https://evil.example')).body.code).toBe('ORIGIN_FORBIDDEN')
    }
  })

  test('a handle is nobody on the other site: not to store, rank, export or delete', async () => {
    const visitor = await newVisitor('shop')
    const batch = { batch: crypto.randomUUID(), events: [click()] }
    for (const [path, body] of [
      ['events', batch],
      ['rank', { slot: 'home' }],
      ['visitors/export', {}],
      ['visitors/delete', {}],
    ] as const) {
      const answer = await ask('hats', path, { visitor, ...body })
      expect([path, answer.status, answer.body.code]).toEqual([path, 403, 'VISITOR_FORGED'])
    }
    expect((await ask('shop', 'events', { visitor, ...batch })).status).toBe(202)
    const list = await ask<RankResponse>('shop', 'rank', { visitor, slot: 'home' })
    expect(list.body.diagnostics?.events).toBe(1)
  })

  test('rules of a slot are of one site, which an operator has to name', async () => {
    const rules = { exclude: ['item-1'] }
    const unnamed = await api.admin('PUT', '/v1/slots/home', rules)
    expect([unnamed.status, unnamed.body.code]).toEqual([404, 'SITE_UNKNOWN'])
    const list = async (site: SiteId) => {
      const answer = await api.send<RankResponse>(
        'GET',
        `/v1/rank?key=${keyOf(site)}&slot=home&strategy=popular&k=100`,
      )
      return { tag: answer.headers.get('etag'), ids: answer.body.items.map(({ id }) => id) }
    }
    const [first = ''] = (await list('shop')).ids
    const excluding = { exclude: [first] }
    expect((await api.admin('PUT', '/v1/slots/home?site=shop', excluding, ADMIN_KEY)).status).toBe(200)
    const [shop, hats] = [await list('shop'), await list('hats')]
    expect([shop.ids.includes(first), hats.ids[0]]).toEqual([false, first])
    expect(shop.tag).not.toBe(hats.tag)
    expect((await api.admin('GET', '/v1/slots/home?site=hats')).body.code).toBe('SLOT_UNKNOWN')
    expect((await api.admin('DELETE', '/v1/slots/home?site=shop')).status).toBe(200)
  })

  test('what one site has used up of its day the other still has', async () => {
    const asked = async (site: SiteId) => (await ask(site, 'visitors', {})).status
    const statuses: number[] = []
    for (let request = 0; request < 60; request++) statuses.push(await asked('hats'))
    expect(statuses.at(-1)).toBe(429)
    expect(await asked('shop')).toBe(201)
  })
}
