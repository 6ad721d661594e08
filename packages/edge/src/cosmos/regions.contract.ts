import { DATABASE, EVENTS_CONTAINER, type TrackedEvent } from '@attune/core'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { PUSH_KEY, type Api } from '../testing/api.ts'
import { OfficialSdk } from '../testing/official-sdk.ts'
import { askAdmin, heal, inRegions } from '../testing/regions.ts'
import { createWorld, type StartEdge, type World } from '../testing/worlds.ts'

// Edges in two regions of one account that go wrong in the ways regions do. West takes the writes.

export function describeRegions(start: StartEdge): void {
  let world: World
  /** Reads and writes West. */
  let west: Api
  /** Reads North first. */
  let north: Api

  beforeAll(async () => {
    world = await createWorld(start, inRegions(['West', 'North']))
    ;[west, north] = world.apis as [Api, Api]
    // The first answers teach each edge which regions there are.
    const visitor = await west.visitor()
    for (const api of [west, north]) {
      await api.rank({ visitor })
      await vi.waitFor(async () => {
        expect((await api.rank({ visitor })).body.fresh).toBe(true)
      })
    }
  })

  afterEach(() => heal(world))

  afterAll(async () => {
    await world.close()
  })

  const admin = (path: string, body: unknown): Promise<void> => askAdmin(world, path, body)
  const click = (item = 'item-42'): TrackedEvent => ({
    id: crypto.randomUUID(),
    kind: 'click',
    item,
    at: Date.now(),
  })

  /** Reads of the container by region and status, as the server counted them. */
  const readsDuring = async (action: () => Promise<unknown>): Promise<number> => {
    await fetch(`${world.cosmos.adminEndpoint}/api/meter`, { method: 'DELETE' })
    await action()
    const meter = (await (await fetch(`${world.cosmos.adminEndpoint}/api/meter`)).json()) as {
      operations: Record<string, { requests: number }> | { operation: string; requests: number }[]
    }[]
    const operations = meter.flatMap((one) => Object.values(one.operations))
    return operations.reduce((sum, one) => sum + one.requests, 0)
  }

  test('healthy: one Cosmos request a batch and one a rank, warm', async () => {
    const visitor = await west.visitor()
    let session = ''
    expect(
      await readsDuring(async () => (session = (await west.events(visitor, [click()])).body.session)),
    ).toBe(1)
    expect(await readsDuring(() => north.rank({ visitor, session }))).toBe(1)
    expect(await readsDuring(() => north.rank({ visitor, session, history: 'recent' }))).toBe(0)
    expect(await readsDuring(() => north.rank({ strategy: 'trending' }))).toBe(0)
  })

  test('replication paused: the click counts at once on the edge that reads the stale region, where the official SDK sees nothing', async () => {
    await admin('regions/North', { paused: true })
    const visitor = await north.visitor()
    const { session } = (await west.events(visitor, [click()])).body
    const list = await north.rank({ visitor, session })
    expect(list.body).toMatchObject({ fresh: true, diagnostics: { events: 1 } })

    // 404/1002 made the SDK ask North again without the token; it answers 200 as if that were the visitor's history.
    const sdk = new OfficialSdk(world.cosmos, ['North', 'West'])
    expect(await sdk.events(visitor, session)).toBe(0)
    sdk.close()
  })

  test('replication paused and the write region down: what North knows, and fresh is false', async () => {
    const visitor = await north.visitor()
    const first = (await west.events(visitor, [click('item-1')])).body
    await expect
      .poll(async () => (await north.rank({ visitor, session: first.session })).body.fresh)
      .toBe(true)
    await admin('regions/North', { paused: true })
    const second = (await west.events(visitor, [click('item-2')], { session: first.session })).body
    await admin('regions/West', { down: true })
    const list = await north.rank({ visitor, session: second.session })
    expect(list.body).toMatchObject({ fresh: false, diagnostics: { events: 1 } })
    expect((await west.events(visitor, [click()])).body.code).toBe('STORE_UNAVAILABLE')
  })

  test('the near region down: the write region answers, fresh', async () => {
    const visitor = await north.visitor()
    const { session } = (await west.events(visitor, [click()])).body
    await admin('regions/North', { down: true })
    const elsewhere = async (): Promise<number> => {
      const answer = await fetch(`${north.url}/metrics`, { headers: { authorization: `Bearer ${PUSH_KEY}` } })
      return Number(
        /^attune_fallbacks_total\{to="other-region"\} (\d+)$/m.exec(await answer.text())?.[1] ?? 0,
      )
    }
    const before = await elsewhere()
    expect((await north.rank({ visitor, session })).body).toMatchObject({
      fresh: true,
      diagnostics: { events: 1 },
    })
    expect(await elsewhere()).toBe(before + 1)
  })

  test('after a partition split tokens from before it are still honoured', async () => {
    const visitor = await west.visitor()
    const { session } = (await west.events(visitor, [click('item-1')])).body
    await admin(`containers/${DATABASE}/${EVENTS_CONTAINER.id}/split`, {})
    expect((await north.rank({ visitor, session })).body).toMatchObject({
      fresh: true,
      diagnostics: { events: 1 },
    })
    const next = (await west.events(visitor, [click('item-2')], { session })).body
    expect((await north.rank({ visitor, session: next.session })).body).toMatchObject({
      fresh: true,
      diagnostics: { events: 2 },
    })
  })

  test('429: events are 503 with the Retry-After of Cosmos, ranks are not fresh and do not ask twice', async () => {
    const visitor = await west.visitor()
    const { session } = (await west.events(visitor, [click()])).body
    await admin('faults', { fault: { kind: 'status', status: 429, retryAfterMs: 2_500 }, count: 2 })
    const refused = await west.events(visitor, [click()])
    expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([
      503,
      'STORE_UNAVAILABLE',
      '3',
    ])
    expect((await west.rank({ visitor, session })).body).toMatchObject({
      fresh: false,
      diagnostics: { events: 0 },
    })
    expect((await west.rank({ visitor, session })).body).toMatchObject({
      fresh: true,
      diagnostics: { events: 1 },
    })
  })

  test.each([449, 503, 410, 408])(
    'a write answered %i is 503 STORE_UNAVAILABLE, and its retry is stored once',
    async (status) => {
      const visitor = await west.visitor()
      const batch = crypto.randomUUID()
      await admin('faults', { fault: { kind: 'status', status }, count: 1 })
      const events = [click()]
      expect((await west.events(visitor, events, { batch })).body.code).toBe('STORE_UNAVAILABLE')
      await expect.poll(async () => (await west.events(visitor, events, { batch })).status).toBe(202)
      expect((await west.events(visitor, events, { batch })).body.duplicate).toBe(true)
    },
  )

  test('an answer that is lost after the write: the retry finds the batch stored, once', async () => {
    const visitor = await west.visitor()
    const batch = crypto.randomUUID()
    const events = [click()]
    await admin('faults', { operations: ['create'], fault: { kind: 'drop', after: true }, count: 1 })
    expect((await west.events(visitor, events, { batch })).body.code).toBe('STORE_UNAVAILABLE')
    const retried = await west.events(visitor, events, { batch })
    expect([retried.status, retried.body.duplicate]).toEqual([202, true])
    expect((await west.rank({ visitor, session: retried.body.session })).body).toMatchObject({
      fresh: true,
      diagnostics: { events: 1 },
    })
  })

  // Last: the account stays failed over.
  test('after a failover writes follow the new write region, and no acknowledged click is missing', async () => {
    const visitor = await west.visitor()
    const before = (await west.events(visitor, [click('item-1')])).body
    await expect
      .poll(async () => (await north.rank({ visitor, session: before.session })).body.fresh)
      .toBe(true)
    await admin('failover', { region: 'North' })
    const batch = crypto.randomUUID()
    const again = click('item-2')
    let session = ''
    // The first try meets the region that no longer writes; the client's retry of the same batch gets through.
    await expect
      .poll(
        async () => {
          const answer = await west.events(visitor, [again], { batch, session: before.session })
          session = answer.body.session
          return answer.status
        },
        { interval: 300, timeout: 15_000 },
      )
      .toBe(202)
    for (const api of [west, north]) {
      const list = await api.rank({ visitor, session })
      expect(list.body).toMatchObject({ fresh: true, diagnostics: { events: 2 } })
    }
  })
}
