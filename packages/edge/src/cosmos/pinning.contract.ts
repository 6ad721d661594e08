import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { event, type Api } from '../testing/api.ts'
import { createWorld, type StartEdge, type World } from '../testing/worlds.ts'

// An account in three regions whose data may be read and written in two of them only.

export function describePinning(start: StartEdge): void {
  let world: World
  let api: Api
  let misspelt: Api

  beforeAll(async () => {
    world = await createWorld(start, {
      cosmos: { regions: [{ name: 'Dublin' }, { name: 'Frankfurt' }, { name: 'Virginia' }] },
      edges: 2,
      configure: (options, edge, cosmos) => ({
        ...options,
        cosmos: {
          ...options.cosmos,
          endpoint: cosmos.regions.slice(0, 2).map((region) => region.endpoint),
          regions: ['Dublin', 'Frankfurt', ...(edge === 1 ? ['Parma'] : [])],
        },
      }),
    })
    ;[api, misspelt] = world.apis as [Api, Api]
  })

  afterAll(async () => {
    await world.close()
  })

  const admin = async (path: string, body: unknown): Promise<unknown> => {
    const response = await fetch(`${world.cosmos.adminEndpoint}/api/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    expect(response.status).toBe(200)
    return response.json()
  }
  const degraded = async (of: Api) => {
    const { status, body } = await of.send<{ degraded: string[] }>('GET', '/readyz')
    return [status, body.degraded]
  }
  const click = () => event({ item: 'item-42' })

  test('while both named regions are lost, nothing is read or written in the third: 503, and lists say fresh: false', async () => {
    const visitor = await api.visitor()
    const { body } = await api.events(visitor, [click()])
    await vi.waitFor(async () => {
      expect((await api.rank({ visitor, session: body.session })).body.fresh).toBe(true)
    })
    // The third region is where the account fails over to.
    await admin('failover', { region: 'Virginia' })
    for (const name of ['Dublin', 'Frankfurt']) await admin(`regions/${name}`, { down: true, paused: false })
    await vi.waitFor(
      async () => {
        const refused = await api.events(visitor, [click()])
        expect([refused.status, refused.body.code]).toEqual([503, 'STORE_UNAVAILABLE'])
      },
      { timeout: 20_000 },
    )
    const list = await api.rank({ visitor, session: body.session })
    expect([list.status, list.body.fresh]).toEqual([200, false])
  })

  test('the regions come back, but the account still writes in the third: reads are fresh, writes are 503', async () => {
    for (const name of ['Dublin', 'Frankfurt']) await admin(`regions/${name}`, { down: false, paused: false })
    const visitor = await api.visitor()
    await vi.waitFor(
      async () => {
        expect((await api.rank({ visitor })).body.fresh).toBe(true)
        const refused = await api.events(visitor, [click()])
        expect([refused.status, refused.body.detail]).toEqual([
          503,
          expect.stringContaining('COSMOS_WRITE_FORBIDDEN') as string,
        ])
        expect(await degraded(api)).toEqual([200, ['COSMOS_WRITE_FORBIDDEN']])
      },
      { timeout: 20_000 },
    )
  })

  test('the account fails back: writes go on', async () => {
    await admin('failover', { region: 'Frankfurt' })
    const visitor = await api.visitor()
    await vi.waitFor(
      async () => {
        expect((await api.events(visitor, [click()])).status).toBe(202)
      },
      { timeout: 20_000 },
    )
    expect(await degraded(api)).toEqual([200, []])
  })

  test('a region that the account does not have is named as what is wrong, and the others serve', async () => {
    await misspelt.rank({})
    await vi.waitFor(
      async () => {
        await misspelt.rank({ visitor: await misspelt.visitor() })
        expect(await degraded(misspelt)).toEqual([200, ['COSMOS_REGION_UNKNOWN']])
      },
      { timeout: 20_000, interval: 200 },
    )
    expect((await misspelt.events(await misspelt.visitor(), [click()])).status).toBe(202)
  })
}
