import { SETTINGS_CONTAINER } from '@attune/core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { RankResponse } from '@attune/core'
import { buildDelta } from '../testing/artifact.ts'
import { PUSH_KEY, SITE, type Answer, type Api, type OrProblem } from '../testing/api.ts'
import { createWorld, type StartEdge, type World } from '../testing/worlds.ts'

/** Rules that an edge is started with, and those that are stored, in lists that caches may keep. */
export function describeConfiguredSlots(start: StartEdge): void {
  let world: World
  /** Has `ATTUNE_SLOTS` and no operators. */
  let alone: Api
  /** Has both. */
  let operated: Api

  beforeAll(async () => {
    const configured = JSON.stringify({
      cheap: { strategy: 'popular', filter: { attr: 'price', lt: 10 } },
      front: { strategy: 'new', pins: [{ item: 'item-200', position: 0 }] },
    })
    world = await createWorld(start, {
      edges: 2,
      configure: ({ adminKey, ...options }, edge) => ({
        ...options,
        ...(edge === 1 && adminKey !== undefined && { adminKey }),
        settings: { ATTUNE_SLOTS: configured },
      }),
    })
    ;[alone, operated] = world.apis as [Api, Api]
    const attributes = Object.fromEntries(
      world.artifact.data.ids.map((id, row) => [id, { price: row, added: 1_790_000_000_000 + row }]),
    )
    const body = await buildDelta(world.signer, world.artifact.manifest, 1, {}, { attributes })
    for (const api of world.apis)
      expect((await api.push('PUT', '/v1/models/1/deltas/1', body)).status).toBe(200)
  })

  afterAll(async () => {
    await world.close()
  })

  const get = (api: Api, query: string): Promise<Answer<OrProblem<RankResponse>>> =>
    api.send('GET', `/v1/rank?key=${SITE.key}&${query}`)
  const ids = (answer: Answer<OrProblem<RankResponse>>) => answer.body.items.map(({ id }) => id)
  const cheapest = Array.from({ length: 10 }, (_, row) => `item-${row}`)
  const settingsRequests = async (): Promise<number> => {
    const meter = (await (await fetch(`${world.cosmos.adminEndpoint}/api/meter`)).json()) as {
      container: string
      operations: Record<string, { requests: number }>
    }[]
    const { operations = {} } = meter.find(({ container }) => container === SETTINGS_CONTAINER.id) ?? {}
    return Object.values(operations).reduce((sum, { requests }) => sum + requests, 0)
  }
  const metric = async (api: Api, series: string): Promise<number> => {
    const answer = await fetch(`${api.url}/metrics`, { headers: { authorization: `Bearer ${PUSH_KEY}` } })
    const line = (await answer.text()).split('\n').find((one) => one.startsWith(`${series} `))
    return Number(line?.split(' ')[1] ?? 0)
  }

  test('ATTUNE_SLOTS alone: its rules hold for POST and GET lists, and nothing is read for them', async () => {
    const before = await settingsRequests()
    for (const list of [await alone.rank({ slot: 'cheap' }), await get(alone, 'slot=cheap')]) {
      expect(list.body.strategy).toBe('popular')
      expect(ids(list).toSorted()).toEqual(cheapest.toSorted())
    }
    expect(ids(await get(alone, 'slot=front&k=3'))).toEqual(['item-200', 'item-299', 'item-298'])
    // What the request says goes before the slot's strategy; its filter stays.
    const newest = await get(alone, 'slot=cheap&strategy=new')
    expect([newest.body.strategy, ids(newest)]).toEqual(['new', cheapest.toReversed()])
    expect(ids(await get(alone, 'slot=other&strategy=new&k=1'))).toEqual(['item-299'])
    expect((await alone.admin('PUT', '/v1/slots/cheap', {})).status).toBe(401)
    expect(await settingsRequests()).toBe(before)
  })

  test('stored rules go before configured ones in GET lists too; once they are deleted those count again', async () => {
    expect((await operated.admin<{ rules: object }>('GET', '/v1/slots/cheap')).body.rules).toMatchObject({
      strategy: 'popular',
    })
    const dear = { strategy: 'new', filter: { attr: 'price', gte: 295 }, exclude: ['item-297'] }
    expect((await operated.admin('PUT', '/v1/slots/cheap', dear)).status).toBe(200)
    expect(ids(await get(operated, 'slot=cheap'))).toEqual(['item-299', 'item-298', 'item-296', 'item-295'])
    expect(ids(await operated.rank({ slot: 'cheap' }))).toEqual([
      'item-299',
      'item-298',
      'item-296',
      'item-295',
    ])
    expect((await operated.admin('DELETE', '/v1/slots/cheap')).status).toBe(200)
    expect(ids(await get(operated, 'slot=cheap')).toSorted()).toEqual(cheapest.toSorted())
  })

  test('what looking at stored rules costs is in the metrics: one RU a look, as the server charged it', async () => {
    const name = '{operation="settings"}'
    const calls = () => metric(operated, `attune_cosmos_calls_total${name}`)
    const before = await calls()
    // Looked at once in three seconds, behind an answer.
    await vi.waitFor(
      async () => {
        await operated.rank({ slot: 'cheap' })
        expect(await calls()).toBeGreaterThan(before)
      },
      { timeout: 20_000, interval: 200 },
    )
    const units = await metric(operated, `attune_cosmos_request_units_total${name}`)
    const meter = (await (await fetch(`${world.cosmos.adminEndpoint}/api/meter`)).json()) as {
      container: string
      ru: number
    }[]
    const charged = meter.find(({ container }) => container === SETTINGS_CONTAINER.id)?.ru ?? 0
    expect(charged).toBeGreaterThan(0)
    expect(units).toBeCloseTo(charged, 2)
    expect(await metric(alone, `attune_cosmos_calls_total${name}`)).toBe(0)
  })
}
