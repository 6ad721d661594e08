import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Container } from '@azure/cosmos'
import { covers, parseSessionToken } from '@attune/core'
import { startCosmosLocal, type CosmosLocal } from '@attune/cosmos-local'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createSigner, generateSigningKey } from './artifact/sign.ts'
import type { BridgeStatus } from './bridge-deps.ts'
import { override } from './gate/report.ts'
import { startBridge, type BridgeOptions } from './start.ts'
import { createEvents, storeClicks } from './testing/events-container.ts'
import { randomTrainedModel } from './testing/random-model.ts'
import { startStagedEdge, type StagedEdge } from './testing/staged-edge.ts'

const signingKey = await generateSigningKey()
const { publicJwk } = await createSigner(signingKey)
let cosmos: CosmosLocal
let container: Container
let edge: StagedEdge
let folder: string
const cleanup: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  cosmos = await startCosmosLocal({ port: 0 })
  container = await createEvents(cosmos)
  edge = await startStagedEdge(publicJwk)
  folder = await mkdtemp(join(tmpdir(), 'attune-bridge-'))
})
afterEach(async () => {
  for (const action of cleanup.splice(0).reverse()) await action()
  await edge.close()
  await cosmos.close()
  await rm(folder, { recursive: true, force: true })
})

async function start(options: Partial<BridgeOptions> = {}) {
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
  cleanup.push(() => bridge.close())
  return { bridge, seen }
}

const contains = (session: string) =>
  vi.waitFor(() => {
    const through = edge.model?.through ?? null
    expect(
      through !== null && covers(parseSessionToken(through), parseSessionToken(session)),
      `${through}`,
    ).toBe(true)
  }, 10_000)

test('a model trained anew is adopted: pushed as the next epoch, and only clicks after its visits are counted on top', async () => {
  const { bridge } = await start()
  await storeClicks(container, 'v1', ['item-1', 'item-2'])
  await contains(await storeClicks(container, 'v1', ['item-3']))
  // Cosmos keeps times in whole seconds: what comes after has to be in a later one.
  const since = (Math.floor(Date.now() / 1_000) + 1) * 1_000
  await new Promise((resolve) => setTimeout(resolve, since + 1_100 - Date.now()))
  await contains(await storeClicks(container, 'v2', ['item-4', 'item-5']))
  expect(bridge.model.counts.steps(1)).toBe(1)
  const gate = { report: override(undefined, 'the model of a test', since) }
  await bridge.adopt({ model: randomTrainedModel(45, 2), trainer: 'local/0.1.0', since, gate })
  const later = await storeClicks(container, 'v2', ['item-6'])
  await contains(later)
  expect(edge.model).toMatchObject({ epoch: 2, items: 45 })
  const counted = [1, 2, 3, 4, 5, 6].map((row) => bridge.model.counts.steps(row))
  expect(counted).toEqual([0, 0, 0, 1, 1, 1])
  // And a restart goes on from there.
  await bridge.close()
  const again = await start({ initial: () => Promise.reject(new Error('the folder has an epoch')) })
  await contains(await storeClicks(container, 'v2', ['item-7']))
  expect(again.bridge.model.counts.steps(6)).toBe(1)
  expect(edge.model?.epoch).toBe(2)
})

test('a second bridge on the same folder is refused with STATE_LOCKED', async () => {
  await start()
  await expect(start()).rejects.toMatchObject({ code: 'STATE_LOCKED' })
})

test('without the container it says so, and the folder is free again', async () => {
  await container.delete()
  await expect(start()).rejects.toMatchObject({ code: 'CONTAINER_MISSING' })
  container = await createEvents(cosmos)
  const { bridge } = await start()
  expect(bridge.release.number).toBe(1)
})

test('four feed ranges are read side by side; the delta says for each how far', async () => {
  await container.delete()
  container = await createEvents(cosmos, { throughput: 40_000 })
  expect((await container.getFeedRanges()).length).toBeGreaterThan(1)
  const { bridge } = await start()
  const tokens: string[] = []
  for (let index = 0; index < 40; index++)
    tokens.push(await storeClicks(container, `v${index}`, ['item-1', 'item-2']))
  for (const token of tokens) await contains(token)
  expect(bridge.model.counts.steps(1)).toBe(40)
  expect(bridge.model.counts.pairUnits(1, 2)).toBe(40 * 2_520)
  expect(edge.model?.through?.split(',').length).toBeGreaterThan(1)
})

test(
  'a click reaches the edge within 500 ms when it is quiet, and many at once take a few deltas',
  { retry: 2 },
  async () => {
    const { seen } = await start({ deltaIntervalMs: 500 })
    await contains(await storeClicks(container, 'v', ['item-1']))
    await new Promise((resolve) => setTimeout(resolve, 600))
    const stored = performance.now()
    await contains(await storeClicks(container, 'v', ['item-2']))
    expect(performance.now() - stored).toBeLessThan(500)
    const before = seen.filter(({ type }) => type === 'delta').length
    let last = ''
    for (let index = 0; index < 100; index++) last = await storeClicks(container, `w${index}`, ['item-3'])
    await contains(last)
    expect(seen.filter(({ type }) => type === 'delta').length - before).toBeLessThan(20)
  },
)
