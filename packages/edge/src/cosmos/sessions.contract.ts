import { DATABASE, EVENTS_CONTAINER, SETTINGS_CONTAINER, type TrackedEvent } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { Api } from '../testing/api.ts'
import { OfficialSdk } from '../testing/official-sdk.ts'
import { askAdmin, heal, inRegions } from '../testing/regions.ts'
import { createWorld, type StartEdge, type World } from '../testing/worlds.ts'

// The promise itself: a list that says `fresh: true` knows every click that was acknowledged to its visitor, whatever
// regions do, and one that may not know says `fresh: false`. Three regions, edges in two; the official SDK beside them.

const REGIONS = ['West', 'North', 'South'] as const
type RegionName = (typeof REGIONS)[number]

export function describeSessions(start: StartEdge): void {
  let world: World
  /** In West, which takes the writes. */
  let west: Api
  /** Reads North first. */
  let north: Api
  /** Prefers North, as the edge there does. */
  let sdk: OfficialSdk

  beforeAll(async () => {
    world = await createWorld(start, inRegions(REGIONS))
    ;[west, north] = world.apis as [Api, Api]
    sdk = new OfficialSdk(world.cosmos, ['North', 'West', 'South'])
    await knowTheAccount()
  })

  afterEach(async () => {
    await heal(world)
  })

  afterAll(async () => {
    sdk.close()
    await world.close()
  })

  const admin = (path: string, body: unknown): Promise<void> => askAdmin(world, path, body)
  const region = (name: RegionName, state: { paused?: boolean; down?: boolean }): Promise<void> =>
    admin(`regions/${name}`, state)
  /** Edges learn the account's regions behind answers. */
  const knowTheAccount = async (): Promise<void> => {
    const visitor = await west.visitor()
    for (const api of [west, north]) {
      await vi.waitFor(async () => {
        const list = await api.rank({ visitor })
        expect(list.body.fresh).toBe(true)
      })
    }
  }
  const click = (): TrackedEvent => ({
    id: crypto.randomUUID(),
    kind: 'click',
    item: 'item-42',
    at: Date.now(),
  })
  /** Requests by container, as the server counted them meanwhile. */
  const requestsDuring = async (action: () => Promise<unknown>): Promise<Record<string, number>> => {
    await fetch(`${world.cosmos.adminEndpoint}/api/meter`, { method: 'DELETE' })
    await action()
    const meter = (await (await fetch(`${world.cosmos.adminEndpoint}/api/meter`)).json()) as {
      container: string
      operations: Record<string, { requests: number }>
    }[]
    return Object.fromEntries(
      meter.map(({ container, operations }) => [
        container,
        Object.values(operations).reduce((sum, { requests }) => sum + requests, 0),
      ]),
    )
  }

  test('near region behind and the write region down: another region has the click, and the list is fresh', async () => {
    const visitor = await north.visitor()
    await region('North', { paused: true })
    const { session } = (await west.events(visitor, [click()])).body
    await region('West', { down: true })
    expect((await north.rank({ visitor, session })).body).toMatchObject({
      fresh: true,
      diagnostics: { events: 1 },
    })
  })

  test('every other region behind and the write region down: what is known with fresh: false, where the SDK says nothing', async () => {
    const visitor = await north.visitor()
    const first = (await west.events(visitor, [click()])).body
    expect(await sdk.events(visitor, first.session)).toBe(1)
    await region('North', { paused: true })
    await region('South', { paused: true })
    const second = (await west.events(visitor, [click()], { session: first.session })).body
    // One of two acknowledged clicks, as an answer like any other.
    expect(await sdk.events(visitor, second.session)).toBe(1)
    await region('West', { down: true })
    const list = await north.rank({ visitor, session: second.session })
    expect(list.body).toMatchObject({ fresh: false, diagnostics: { events: 1 } })
    // The token that goes back still asks for both, so that the next list is not content with one.
    await heal(world)
    await vi.waitFor(async () => {
      const next = await north.rank({
        visitor,
        ...(list.body.session && { session: list.body.session }),
      })
      expect(next.body).toMatchObject({ fresh: true, diagnostics: { events: 2 } })
    })
  })

  test('a split while the near region is behind: tokens of the parent are still held against the child', async () => {
    const visitor = await north.visitor()
    await region('North', { paused: true })
    const { session } = (await west.events(visitor, [click()])).body
    await admin(`containers/${DATABASE}/${EVENTS_CONTAINER.id}/split`, {})
    expect((await north.rank({ visitor, session })).body).toMatchObject({
      fresh: true,
      diagnostics: { events: 1 },
    })
    await region('West', { down: true })
    await region('South', { down: true })
    expect((await north.rank({ visitor, session })).body).toMatchObject({
      fresh: false,
      diagnostics: { events: 0 },
    })
  })

  test('cold: the first request of an edge process makes one Cosmos call, a batch as a rank', async () => {
    const visitor = await west.visitor()
    const { session } = (await west.events(visitor, [click()])).body
    // Rules of slots are looked at behind the answer: it does not wait the 3 seconds they take to fail here.
    const container = `${DATABASE}/${SETTINGS_CONTAINER.id}`
    await admin('faults', { container, fault: { kind: 'stall' } })
    const askCold = async (edge: number, ask: (cold: Api) => Promise<unknown>): Promise<void> => {
      const cold = await world.restart(edge)
      const started = performance.now()
      const requests = await requestsDuring(() => ask(cold))
      const took = performance.now() - started
      delete requests[SETTINGS_CONTAINER.id]
      expect(Object.entries(requests).filter(([, count]) => count > 0)).toEqual([[EVENTS_CONTAINER.id, 1]])
      expect(took).toBeLessThan(2_500)
    }
    // Starting anew after a slow moment of this machine.
    const patience = { timeout: 60_000, interval: 10 }
    await vi.waitFor(
      () =>
        askCold(1, async (cold) => {
          const { body } = await cold.rank({ visitor, session })
          expect(body).toMatchObject({ fresh: true, diagnostics: { events: 1 } })
        }),
      patience,
    )
    await vi.waitFor(
      () =>
        askCold(0, async (cold) => {
          expect((await cold.events(visitor, [click()], { session })).status).toBe(202)
        }),
      patience,
    )
    ;[west, north] = world.apis as [Api, Api]
    await knowTheAccount()
  }, 150_000)

  test('800 steps of pausing, downing, splitting, failing over: fresh lists know every acknowledged click, the others say so; the SDK hands out stale ones', async () => {
    const random = seededRandom(5)
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
    const visitors = await Promise.all(
      Array.from({ length: 4 }, async () => ({
        handle: await west.visitor(),
        session: undefined as string | undefined,
        clicks: 0,
      })),
    )
    const down = new Set<RegionName>()
    const paused = new Set<RegionName>()
    let writes: RegionName = 'West'
    let splits = 0
    /** Planned: everything acknowledged arrives in the new write region first. */
    const failOver = async (to: RegionName): Promise<void> => {
      await region(to, { down: false })
      await admin('failover', { region: to })
      writes = to
      paused.delete(to)
      down.delete(to)
      for (const api of [west, north]) {
        const visitor = await api.visitor()
        await vi.waitFor(
          async () => {
            expect((await api.events(visitor, [click()])).status).toBe(202)
          },
          { timeout: 20_000, interval: 300 },
        )
      }
    }
    const seen = { fresh: 0, notFresh: 0, silent: 0, refused: 0, sdkAsked: 0, sdkStale: 0 }
    for (let step = 0; step < 800; step++) {
      if (step === 250) await failOver('South')
      if (step === 550) await failOver('West')
      // North most often: it is where the edge and the SDK read first.
      const name = pick([...REGIONS, 'North'] as const)
      const dice = random()
      if (dice < 0.16) {
        if (!paused.delete(name) && name !== writes) paused.add(name)
        await region(name, { paused: paused.has(name) })
      } else if (dice < 0.26) {
        if (!down.delete(name) && down.size < 2) down.add(name)
        await region(name, { down: down.has(name) })
      } else if (dice < 0.28 && splits < 3) {
        splits++
        await admin(`containers/${DATABASE}/${EVENTS_CONTAINER.id}/split`, {})
      } else if (dice < 0.65) {
        const visitor = pick(visitors)
        const answer = await pick([west, north]).events(visitor.handle, [click()], {
          ...(visitor.session !== undefined && { session: visitor.session }),
        })
        if (answer.status === 202) {
          visitor.clicks++
          visitor.session = answer.body.session
        } else {
          expect([answer.status, answer.body.code]).toEqual([503, 'STORE_UNAVAILABLE'])
          seen.refused++
        }
      } else {
        const visitor = pick(visitors)
        const { handle, session } = visitor
        const { status, body } = await pick([west, north]).rank({
          visitor: handle,
          ...(session !== undefined && { session }),
        })
        expect(status).toBe(200)
        const known = body.diagnostics?.events ?? 0
        // The history is of the newest 16 batches.
        const missing = known < Math.min(16, visitor.clicks)
        seen[body.fresh ? (missing ? 'silent' : 'fresh') : 'notFresh']++
        if (session !== undefined && body.session !== undefined) visitor.session = body.session
        if (session === undefined || down.size > 0) continue
        seen.sdkAsked++
        if ((await sdk.events(handle, session)) < visitor.clicks) seen.sdkStale++
      }
    }
    // The run was worth it: all of it happened, and where the SDK stood it went wrong without a word.
    const rare = Object.entries({ ...seen, splits }).filter(([name, count]) => name !== 'silent' && count < 2)
    expect({ silent: seen.silent, rare }).toEqual({ silent: 0, rare: [] })
    await heal(world)
    for (const { handle, session, clicks } of visitors) {
      await vi.waitFor(
        async () => {
          const { body } = await north.rank({ visitor: handle, ...(session !== undefined && { session }) })
          expect(body).toMatchObject({ fresh: true, diagnostics: { events: Math.min(16, clicks) } })
        },
        { timeout: 20_000, interval: 300 },
      )
    }
  }, 150_000)
}
