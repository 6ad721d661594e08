import { join } from 'node:path'
import { covers, parseSessionToken } from '@attune/core'
import { startBridge, type BridgeStatus } from '@attune/trainer-bridge'
import { startNodeEdge } from '@attune/edge/node'
import { afterEach, expect, test } from 'vitest'
import { startHouse, until, type House } from './_loop.ts'
import { randomModel } from './_model.ts'
import { models, Visitor } from './_visitor.ts'

const cleanup: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const action of cleanup.splice(0).reverse()) await action()
})

async function house(edges: number): Promise<House> {
  const started = await startHouse(edges)
  cleanup.push(() => started.close())
  return started
}

async function bridge({ cosmos, edges, signingKey, pushKey, folder }: House, seen: BridgeStatus[] = []) {
  const started = await startBridge({
    cosmos,
    edges: edges.map(({ url }) => ({ url, pushKey })),
    signingKey,
    folder: join(folder, 'bridge'),
    initial: () => Promise.resolve(randomModel(500)),
    deltaIntervalMs: 100,
    onStatus: (status) => seen.push(status),
  })
  cleanup.push(() => started.close())
  return started
}

const serving = async (one: House, index: number) =>
  (await models(one.edges[index]?.url ?? '', one.pushKey)).serving
const firstEpoch = async (one: House, index: number) =>
  until(
    'first epoch',
    () => serving(one, index),
    (state) => state?.epoch === 1,
  )
const covered = async (one: House, index: number, session: string) =>
  until(
    `edge ${index} contains ${session}`,
    () => serving(one, index),
    (state) => state?.through != null && covers(parseSessionToken(state.through), parseSessionToken(session)),
  )

test('two edges take the first epoch, and a click stored by one is contained in what both serve', async () => {
  const one = await house(2)
  await bridge(one)
  for (const index of [0, 1]) await firstEpoch(one, index)
  const visitor = new Visitor(one.siteKey)
  await visitor.open(one.edges[0]?.url ?? '')
  const { session } = await visitor.click(one.edges[0]?.url ?? '', 'item-3', Date.now())
  const states = await Promise.all([covered(one, 0, session), covered(one, 1, session)])
  expect(states.map((state) => state?.items)).toEqual([500, 500])
  const list = await visitor.rank(one.edges[1]?.url ?? '')
  expect(list).toMatchObject({ epoch: 1, fresh: true, diagnostics: { events: 1 } })
})

test('the lag of an edge grows while no bridge reads, and is 0 once its model contains what was stored', async () => {
  const one = await house(1)
  const first = await bridge(one)
  const url = one.edges[0]?.url ?? ''
  await firstEpoch(one, 0)
  const sample = async (name: string): Promise<number> => {
    const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${one.pushKey}` } })
    return Number(new RegExp(`^${name} (.*)$`, 'm').exec(await response.text())?.[1] ?? NaN)
  }
  await first.close()
  const visitor = new Visitor(one.siteKey)
  await visitor.open(url)
  const stored = Date.now()
  const { session } = await visitor.click(url, 'item-3', stored)
  const waited = await until(
    'a lag',
    () => sample('attune_freshness_lag_seconds'),
    (lag) => lag > 0.3,
  )
  expect(waited).toBeLessThanOrEqual((Date.now() - stored) / 1_000)
  await bridge(one)
  await covered(one, 0, session)
  expect(await sample('attune_freshness_lag_seconds')).toBe(0)
  expect(await sample('attune_freshness_seconds_count')).toBe(1)
  const took = await sample('attune_freshness_seconds_sum')
  expect(took).toBeGreaterThanOrEqual(waited)
  expect(took).toBeLessThanOrEqual((Date.now() - stored) / 1_000)
})

test('an edge that is down when a new item is clicked knows it once it is back, through deltas', async () => {
  const one = await house(2)
  const seen: BridgeStatus[] = []
  await bridge(one, seen)
  await firstEpoch(one, 1)
  const second = one.edges[1]
  const port = Number(new URL(second?.url ?? '').port)
  await second?.close()
  const visitor = new Visitor(one.siteKey)
  const first = one.edges[0]?.url ?? ''
  await visitor.open(first)
  await visitor.click(first, 'item-3', Date.now() - 1_000)
  const { session } = await visitor.click(first, 'brand-new', Date.now())
  expect((await covered(one, 0, session))?.items).toBe(501)
  one.edges[1] = await startNodeEdge({ ...one.edgeOptions(1), port })
  expect(await covered(one, 1, session)).toMatchObject({ epoch: 1, items: 501 })
  expect(seen.some((status) => status.type === 'edge' && status.state === 'failing')).toBe(true)
})

test('a bridge closed and started again goes on where it was: nothing counted twice, no new epoch', async () => {
  const one = await house(1)
  const first = await bridge(one)
  const url = one.edges[0]?.url ?? ''
  const visitor = new Visitor(one.siteKey)
  await visitor.open(url)
  const a = await visitor.click(url, 'item-1', Date.now() - 2_000)
  await covered(one, 0, a.session)
  await first.close()
  const b = await visitor.click(url, 'item-2', Date.now() - 1_000)
  const second = await bridge(one)
  await covered(one, 0, b.session)
  expect(second.model.counts.pairUnits(1, 2)).toBe(2_520)
  expect([second.model.counts.steps(1), second.model.counts.steps(2)]).toEqual([1, 1])
  expect((await serving(one, 0))?.epoch).toBe(1)
})

test('an edge whose store was emptied, and one that serves a newer epoch, end on the same fresh epoch', async () => {
  const one = await house(2)
  const first = await bridge(one)
  const url = one.edges[0]?.url ?? ''
  await firstEpoch(one, 1)
  const visitor = new Visitor(one.siteKey)
  await visitor.open(url)
  const { session } = await visitor.click(url, 'item-1', Date.now())
  await covered(one, 0, session)
  await first.close()
  // The folder is lost: a bridge that starts anew is at epoch 1, delta n, the edges at epoch 1, delta m.
  const again = await startBridge({
    cosmos: one.cosmos,
    edges: one.edges.map(({ url: edge }) => ({ url: edge, pushKey: one.pushKey })),
    signingKey: one.signingKey,
    folder: join(one.folder, 'bridge-2'),
    initial: () => Promise.resolve(randomModel(400)),
    start: 'now',
  })
  cleanup.push(() => again.close())
  // "now" is where the first read finds the feed. A delta of the fresh epoch keeps it, or the epoch itself where that came after.
  await until(
    'the fresh epoch, and the place to start from',
    async () => ({ state: await serving(one, 0), places: again.model.places('events').places }),
    ({ state, places }) => (state?.epoch ?? 0) > 1 && places.length > 0,
  )
  const later = await visitor.click(url, 'item-2', Date.now())
  const states = await Promise.all([covered(one, 0, later.session), covered(one, 1, later.session)])
  expect(states.map((state) => state?.items)).toEqual([400, 400])
  expect(states[0]?.epoch).toBeGreaterThan(1)
})
