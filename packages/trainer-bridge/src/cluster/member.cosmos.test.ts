import { readdir } from 'node:fs/promises'
import type { Container, ContainerRequest } from '@azure/cosmos'
import { ITEMS_CONTAINER, LEASES_CONTAINER, type ItemDocument } from '@attune/core'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startBridgeWorld, type BridgeWorld } from '../testing/bridge-world.ts'
import { split } from '../testing/cosmos-admin.ts'
import { storeClicks } from '../testing/events-container.ts'
import { randomTrainedModel } from '../testing/random-model.ts'
import { startMember, type Member, type MemberOptions, type MemberStatus } from './member.ts'

let world: BridgeWorld
let items: Container
beforeEach(async () => {
  world = await startBridgeWorld({ throughput: 40_000 })
  const { database } = world.container
  for (const definition of [LEASES_CONTAINER, ITEMS_CONTAINER])
    await database.containers.createIfNotExists(structuredClone(definition) as ContainerRequest)
  items = database.container(ITEMS_CONTAINER.id)
})
afterEach(() => world.close())

async function start(
  options: Partial<MemberOptions> = {},
): Promise<{ member: Member; seen: MemberStatus[] }> {
  const { cosmos, edge, signingKey, folder } = world
  const seen: MemberStatus[] = []
  const member = await startMember({
    cosmos,
    edges: [edge],
    signingKey,
    folder,
    initial: () => Promise.resolve(randomTrainedModel(40)),
    deltaIntervalMs: 20,
    onStatus: (status) => seen.push(status),
    cluster: { host: '127.0.0.1', ttlMs: 1_500, roundMs: 100 },
    ...options,
  })
  world.later(() => member.close())
  return { member, seen }
}

const contains = (session: string) =>
  vi.waitFor(() => {
    expect(world.contains(session), `${world.edge.model?.through}`).toBe(true)
  }, 20_000)
const leaderOf = (...members: Member[]) =>
  vi.waitFor(() => {
    const leaders = members.flatMap(({ bridge }) => bridge ?? [])
    expect(leaders.length).toBe(1)
    return leaders[0] as NonNullable<Member['bridge']>
  }, 20_000)
const shares = (feed: string, ...members: Member[]) =>
  members.map(({ processors }) => processors.find(([name]) => name === feed)?.[1].ranges.length)
const item = (id: string, attributes: ItemDocument['attributes'], deleted = false): ItemDocument => ({
  id: Buffer.from(id).toString('base64url'),
  item: id,
  attributes,
  updated: Date.now(),
  ...(deleted && { deleted }),
})

test('two bridges share the ranges; pages of both are taken in by the one that leads, each once', async () => {
  const { member: one } = await start()
  const { member: two } = await start()
  await vi.waitFor(() => expect(shares('events', one, two)).toEqual([2, 2]), 20_000)
  const bridge = await leaderOf(one, two)
  const tokens: string[] = []
  for (let visitor = 0; visitor < 40; visitor++)
    tokens.push(await storeClicks(world.container, `v${visitor}`, ['item-1', 'item-2']))
  for (const token of tokens) await contains(token)
  expect([bridge.model.counts.steps(1), bridge.model.counts.pairUnits(1, 2)]).toEqual([40, 40 * 2_520])
  expect(world.edge.model).toMatchObject({ epoch: 1 })
})

test('a leader that stops in order is followed by another in the same epoch, with no count lost and none twice', async () => {
  const { member: one } = await start()
  await leaderOf(one)
  const { member: two, seen } = await start()
  await contains(await storeClicks(world.container, 'v', ['item-1', 'item-2']))
  await one.close()
  const bridge = await leaderOf(two)
  await contains(await storeClicks(world.container, 'v', ['item-3']))
  expect(bridge.model.counts.pairUnits(1, 2)).toBe(2_520)
  expect(bridge.model.counts.pairUnits(2, 3)).toBe(2_520)
  expect(world.edge.model?.epoch).toBe(1)
  expect(seen.filter(({ type }) => type === 'role')).toEqual([{ type: 'role', leads: true, generation: 2 }])
  expect((await readdir(world.folder)).sort()).toEqual(['leader-00000001', 'leader-00000002'])
})

test('attributes of the catalogue reach the edge with the deltas: changed, deleted, and of items nobody clicked', async () => {
  await items.items.create(item('item-1', { category: 'shoes', stock: 3 }))
  await start()
  const attributes = (id: string) => {
    const row = world.edge.model?.rowOf(id)
    return row === undefined ? undefined : world.edge.model?.attributesOf(row)
  }
  await vi.waitFor(() => expect(attributes('item-1')).toEqual({ category: 'shoes', stock: 3 }), 20_000)
  await items.items.upsert(item('item-1', { category: 'shoes', stock: 0 }))
  await items.items.upsert(item('unclicked', { category: 'hats', added: 1_764_000_000_000 }))
  await vi.waitFor(() => {
    expect(attributes('item-1')).toEqual({ category: 'shoes', stock: 0 })
    expect(attributes('unclicked')).toEqual({ category: 'hats', added: 1_764_000_000_000 })
  }, 20_000)
  expect(world.edge.model?.items).toBe(41)
  expect(Array.from(world.edge.model?.newest ?? [])[0]).toBe(40)
  await items.items.upsert(item('item-1', {}, true))
  await vi.waitFor(() => expect(world.edge.model?.isRemoved(1)).toBe(true), 20_000)
  // Clicked, the item only the catalogue knew becomes one like any other.
  await contains(await storeClicks(world.container, 'v', ['item-2', 'unclicked']))
  expect(world.edge.model?.popularity[40]).toBe(1)
  expect(Math.hypot(...(world.edge.model?.factors.subarray(40 * 64, 41 * 64) ?? []))).toBeCloseTo(1, 4)
})

test('ranges that split while two bridges read them are read on from where they were', async () => {
  const { member: one } = await start()
  const { member: two } = await start()
  const bridge = await leaderOf(one, two)
  let last = ''
  for (let visitor = 0; visitor < 60; visitor++) {
    last = await storeClicks(world.container, `v${visitor % 20}`, [`item-${visitor % 7}`])
    if (visitor % 20 === 10) await split(world.cosmos, 'events')
  }
  await contains(last)
  await vi.waitFor(() => {
    const steps = Array.from({ length: 7 }, (_, row) => bridge.model.counts.steps(row))
    expect(steps).toEqual([9, 9, 9, 9, 8, 8, 8])
  }, 20_000)
  await vi.waitFor(() => expect(shares('events', one, two).sort()).toEqual([3, 4]), 20_000)
})
