import { afterEach, expect, test, vi } from 'vitest'
import type { BridgeStatus } from '../bridge-deps.ts'
import { renderMetrics, StatusCounters } from '../metrics.ts'
import { startBridge } from '../start.ts'
import { startBridgeWorld, type BridgeWorld } from '../testing/bridge-world.ts'
import { storeClicks } from '../testing/events-container.ts'
import { randomTrainedModel } from '../testing/random-model.ts'

let world: BridgeWorld
afterEach(() => world.close())

test('a bridge whose factor rows would spoil lists sends counts alone, says so, and counts it', async () => {
  world = await startBridgeWorld()
  const { cosmos, container, edge, signingKey, folder } = world
  const counters = new StatusCounters()
  const seen: BridgeStatus[] = []
  // Steps fifty times too long, as from a model whose manifest names a wrong temperature.
  const model = { ...randomTrainedModel(300), temperature: 0.0014 }
  const bridge = await startBridge({
    cosmos,
    edges: [edge],
    signingKey,
    folder,
    initial: () => Promise.resolve(model),
    deltaIntervalMs: 100,
    onStatus: (status) => {
      counters.see(status)
      seen.push(status)
    },
  })
  world.later(() => bridge.close())
  for (let index = 0; index < 40; index++) {
    await storeClicks(container, `v${index}`, [
      `item-${index}`,
      `item-${(7 * index) % 300}`,
      `item-${(11 * index) % 300}`,
    ])
  }
  await vi.waitFor(() => expect(bridge.events.taken).toBe(120), 20_000)
  await vi.waitFor(() => expect(edge.model?.delta).toBe(bridge.release.delta), 20_000)
  const held = seen.filter(({ type }) => type === 'held')
  expect(held.length).toBeGreaterThan(0)
  const deltas = seen.filter(({ type }) => type === 'delta').length
  const popularity = edge.model?.popularity.reduce((sum, count) => sum + count, 0) ?? 0
  const trained = model.tables.popularity.reduce((sum, count) => sum + count, 0)
  expect(Math.round(popularity - trained)).toBe(120)
  if (held.length === deltas) expect(edge.model?.factors.slice(0, 300 * 64)).toEqual(model.factors)
  expect(renderMetrics({ bridge }, counters)).toContain(`attune_deltas_held_total ${held.length}`)
}, 60_000)
