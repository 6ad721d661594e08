import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { BridgeStatus } from './bridge-deps.ts'
import { override } from './gate/report.ts'
import { startBridge, type BridgeOptions } from './start.ts'
import { startBridgeWorld, type BridgeWorld } from './testing/bridge-world.ts'
import { createEvents, storeClicks } from './testing/events-container.ts'
import { randomTrainedModel } from './testing/random-model.ts'

let world: BridgeWorld
beforeEach(async () => {
  world = await startBridgeWorld()
})
afterEach(() => world.close())

async function start(options: Partial<BridgeOptions> = {}) {
  const { cosmos, edge, signingKey, folder } = world
  const seen: BridgeStatus[] = []
  const bridge = await startBridge({
    cosmos,
    edges: [edge],
    signingKey,
    folder,
    initial: () => Promise.resolve(randomTrainedModel(40)),
    deltaIntervalMs: 20,
    onStatus: (status) => seen.push(status),
    ...options,
  })
  world.later(() => bridge.close())
  return { bridge, seen }
}

const contains = (session: string) =>
  vi.waitFor(() => {
    expect(world.contains(session), `${world.edge.model?.through}`).toBe(true)
  }, 10_000)

test('a model trained anew is adopted: pushed as the next epoch, and only clicks after its visits are counted on top', async () => {
  const { bridge } = await start()
  await storeClicks(world.container, 'v1', ['item-1', 'item-2'])
  await contains(await storeClicks(world.container, 'v1', ['item-3']))
  // Cosmos keeps times in whole seconds: what comes after has to be in a later one.
  const since = (Math.floor(Date.now() / 1_000) + 1) * 1_000
  await new Promise((resolve) => setTimeout(resolve, since + 1_100 - Date.now()))
  await contains(await storeClicks(world.container, 'v2', ['item-4', 'item-5']))
  expect(bridge.model.counts.steps(1)).toBe(1)
  const gate = { report: override(undefined, 'the model of a test', since) }
  await bridge.adopt({ model: randomTrainedModel(45, 2), trainer: 'local/0.1.0', since, gate })
  const later = await storeClicks(world.container, 'v2', ['item-6'])
  await contains(later)
  expect(world.edge.model).toMatchObject({ epoch: 2, items: 45 })
  const counted = [1, 2, 3, 4, 5, 6].map((row) => bridge.model.counts.steps(row))
  expect(counted).toEqual([0, 0, 0, 1, 1, 1])
  // And a restart goes on from there.
  await bridge.close()
  const again = await start({ initial: () => Promise.reject(new Error('the folder has an epoch')) })
  await contains(await storeClicks(world.container, 'v2', ['item-7']))
  expect(again.bridge.model.counts.steps(6)).toBe(1)
  expect(world.edge.model?.epoch).toBe(2)
})

test('with more pairs than it may keep it folds them into a base of its own: the edge holds the same, a restart goes on', async () => {
  const { bridge, seen } = await start({ limits: { pairs: 10 } })
  const trained = randomTrainedModel(40).tables
  const said = (row: number) => [world.edge.model?.popularity[row], world.edge.model?.srSums[row]]
  for (let visitor = 0; visitor < 6; visitor++) {
    const items = [`item-${visitor}`, `item-${visitor + 1}`, `item-${visitor + 2}`]
    await storeClicks(world.container, `v${visitor}`, items)
    await vi.waitFor(() => expect(bridge.events.taken).toBe(3 * (visitor + 1)), 10_000)
  }
  await vi.waitFor(() => expect(seen).toContainEqual({ type: 'epoch', epoch: 2, items: 40, why: 'folded' }))
  await vi.waitFor(() => {
    const { epoch, delta } = world.edge.model ?? {}
    expect([epoch, delta]).toEqual([bridge.release.number, bridge.release.delta])
  }, 10_000)
  expect(bridge.model.pairs).toBeLessThanOrEqual(10)
  const rows = [1, 2, 3].map((row) => [(trained.popularity[row] ?? 0) + 3 - Number(row < 2), row] as const)
  for (const [popularity, row] of rows) expect(said(row)[0]).toBeCloseTo(popularity, 3)
  // Of visitor 2: item-2 to item-3 is 1 and to item-4 a half; of 1, item-2 to item-3 is 1; of 0 it is the last.
  expect(said(2)[1]).toBeCloseTo((trained.srSums[2] ?? 0) + 1.5 + 1, 2)
  await bridge.close()
  const again = await start({ initial: () => Promise.reject(new Error('the folder has an epoch')) })
  await contains(await storeClicks(world.container, 'v0', ['item-9']))
  // The visit of v0 went on: the pair with its last item before.
  expect(again.bridge.model.counts.pairUnits(2, 9)).toBe(2_520)
  expect(said(2)[1]).toBeCloseTo((trained.srSums[2] ?? 0) + 1.5 + 1 + 1, 2)
})

test('a second bridge on the same folder is refused with STATE_LOCKED', async () => {
  await start()
  await expect(start()).rejects.toMatchObject({ code: 'STATE_LOCKED' })
})

test('without the container it says so, and the folder is free again', async () => {
  await world.container.delete()
  await expect(start()).rejects.toMatchObject({ code: 'CONTAINER_MISSING' })
  await createEvents(world.cosmos)
  const { bridge } = await start()
  expect(bridge.release.number).toBe(1)
})

test('four feed ranges are read side by side; the delta says for each how far', async () => {
  await world.container.delete()
  const container = await createEvents(world.cosmos, { throughput: 40_000 })
  expect((await container.getFeedRanges()).length).toBeGreaterThan(1)
  const { bridge } = await start()
  const tokens: string[] = []
  for (let index = 0; index < 40; index++)
    tokens.push(await storeClicks(container, `v${index}`, ['item-1', 'item-2']))
  for (const token of tokens) await contains(token)
  expect(bridge.model.counts.steps(1)).toBe(40)
  expect(bridge.model.counts.pairUnits(1, 2)).toBe(40 * 2_520)
  expect(world.edge.model?.through?.split(',').length).toBeGreaterThan(1)
})

test(
  'a click reaches the edge within 500 ms when it is quiet, and many at once take a few deltas',
  { retry: 2 },
  async () => {
    const { seen } = await start({ deltaIntervalMs: 500 })
    await contains(await storeClicks(world.container, 'v', ['item-1']))
    await new Promise((resolve) => setTimeout(resolve, 600))
    const stored = performance.now()
    await contains(await storeClicks(world.container, 'v', ['item-2']))
    expect(performance.now() - stored).toBeLessThan(500)
    const before = seen.filter(({ type }) => type === 'delta').length
    let last = ''
    for (let index = 0; index < 100; index++)
      last = await storeClicks(world.container, `w${index}`, ['item-3'])
    await contains(last)
    expect(seen.filter(({ type }) => type === 'delta').length - before).toBeLessThan(20)
  },
)
