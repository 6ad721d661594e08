import { join } from 'node:path'
import type { RankRequest, RankResponse, TrackedEvent } from '@attune/core'
import { startNodeEdge } from '@attune/edge/node'
import { startWorkerdEdge } from '@attune/edge/workerd'
import { startBridge } from '@attune/trainer-bridge'
import { afterEach, expect, test } from 'vitest'
import { startHouse, until, type House } from './_loop.ts'
import { randomModel } from './_model.ts'
import { Visitor } from './_visitor.ts'

// What a shop's server says of its goods and what its visitors buy, on the whole way: edge → Cosmos → change feed →
// bridge → signed delta → lists of an edge on Node and one in workerd.

const ADMIN_KEY = 'admin_key_for_this_test_only____'
const ITEMS = 60
const cleanup: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const action of cleanup.splice(0).reverse()) await action()
})

/** The first edge on Node, the second in workerd. */
async function startShop(): Promise<House> {
  let edges = 0
  const house = await startHouse(2, (options) =>
    (edges++ === 0 ? startNodeEdge : startWorkerdEdge)({ ...options, adminKey: ADMIN_KEY }),
  )
  cleanup.push(() => house.close())
  return house
}

async function startItsBridge({ cosmos, edges, signingKey, pushKey, folder }: House) {
  const bridge = await startBridge({
    cosmos,
    edges: edges.map(({ url }) => ({ url, pushKey })),
    signingKey,
    folder: join(folder, 'bridge'),
    initial: () => Promise.resolve(randomModel(ITEMS)),
    deltaIntervalMs: 50,
  })
  cleanup.push(() => bridge.close())
  return bridge
}

async function operate(url: string, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${url}${path}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect([path, response.status]).toEqual([path, 200])
}

async function post(
  { siteKey }: House,
  url: string,
  request: Partial<RankRequest>,
): Promise<RankResponse['items']> {
  const response = await fetch(`${url}/v1/rank?key=${siteKey}`, {
    method: 'POST',
    body: JSON.stringify({ slot: 'plain', k: 100, ...request }),
  })
  return response.status === 200 ? ((await response.json()) as RankResponse).items : []
}

async function get({ siteKey }: House, url: string, query: string): Promise<RankResponse['items']> {
  const response = await fetch(`${url}/v1/rank?key=${siteKey}&${query}`)
  return response.status === 200 ? ((await response.json()) as RankResponse).items : []
}

const idsOf = (items: RankResponse['items']): string[] => items.map(({ id }) => id)

test('items put on one edge are filtered, boosted and, once deleted, gone in POST and GET lists of both hosts', async () => {
  const house = await startShop()
  await startItsBridge(house)
  const [node, workerd] = house.edges.map(({ url }) => url) as [string, string]
  await operate(node, '/v1/slots/cheap', {
    strategy: 'popular',
    filter: { attr: 'price', lt: 50 },
    boosts: [{ when: { attr: 'sale', eq: true }, add: 100 }],
  })
  await operate(workerd, '/v1/items', {
    items: [
      { id: 'item-1', attributes: { price: 10 } },
      { id: 'item-2', attributes: { price: 90 } },
      { id: 'item-3', attributes: { price: 20, sale: true } },
      { id: 'never-clicked', attributes: { price: 5, added: Date.now() } },
    ],
  })
  const everywhere = async (
    what: string,
    ask: (url: string) => Promise<RankResponse['items']>,
    expected: readonly string[],
  ): Promise<void> => {
    for (const url of [node, workerd])
      await until(
        what,
        async () => idsOf(await ask(url)).toSorted(),
        (ids) => ids.join() === expected.toSorted().join(),
      )
  }
  const priced: Partial<RankRequest> = { strategy: 'popular', filter: { attr: 'price', exists: true } }
  const known = ['item-1', 'item-2', 'item-3', 'never-clicked']
  await everywhere('attributes', (url) => post(house, url, priced), known)
  await everywhere('the slot’s filter', (url) => get(house, url, 'slot=cheap&k=50'), [
    'item-1',
    'item-3',
    'never-clicked',
  ])
  for (const url of [node, workerd]) {
    expect(idsOf(await get(house, url, 'slot=cheap&k=50'))[0]).toBe('item-3')
    expect(idsOf(await post(house, url, { slot: 'cheap' }))[0]).toBe('item-3')
    expect(idsOf(await get(house, url, 'slot=plain&strategy=new&k=1'))).toEqual(['never-clicked'])
    expect(idsOf(await get(house, url, 'slot=plain&strategy=popular&k=200'))).toHaveLength(ITEMS + 1)
  }

  // A new price replaces what was said; a deleted item is in no list, however it is asked for.
  await operate(node, '/v1/items', {
    items: [
      { id: 'item-2', attributes: { price: 30 } },
      { id: 'item-3', deleted: true },
    ],
  })
  await everywhere('the change', (url) => get(house, url, 'slot=cheap&k=50'), [
    'item-1',
    'item-2',
    'never-clicked',
  ])
  for (const url of [node, workerd]) {
    expect(idsOf(await post(house, url, { strategy: 'popular' }))).not.toContain('item-3')
    expect(idsOf(await post(house, url, { strategy: 'similar', item: 'item-4' }))).not.toContain('item-3')
    expect(idsOf(await post(house, url, { candidates: ['item-3', 'item-1'] }))).toEqual(['item-1'])
  }
})

test('three visitors buy 10 with 20 and one 10 with 30: bought-together for 10 shows 20, then 30, and goes on so over a restart of the bridge', async () => {
  const house = await startShop()
  const bridge = await startItsBridge(house)
  const urls = house.edges.map(({ url }) => url)
  const first = urls[0] ?? ''
  await until(
    'the first epoch',
    () => get(house, first, 'slot=plain&strategy=popular&k=1'),
    (items) => items.length === 1,
  )
  let at = Date.now() - 60_000
  const buy = async (...items: string[]): Promise<void> => {
    const visitor = new Visitor(house.siteKey)
    await visitor.open(first)
    // A basket filled in one request, paid in the next.
    for (const kind of ['add-to-cart', 'purchase'] as const) {
      const events = items.map((item): TrackedEvent => ({
        id: crypto.randomUUID(),
        kind,
        item,
        at: (at += 10),
      }))
      await visitor.send(first, events)
    }
  }
  await buy('item-10', 'item-20')
  await buy('item-20', 'item-10')
  await buy('item-10', 'item-20')
  await buy('item-10', 'item-30')
  const together = async (url: string) =>
    (await get(house, url, 'slot=pdp&strategy=bought-together&item=item-10&k=12')).map(
      ({ id, score, because }) => ({ id, count: Math.round(Math.expm1(score ?? 0) * 100) / 100, because }),
    )
  const because = { item: 'item-10', kind: 'purchase' }
  const shows = async (most: number): Promise<void> => {
    for (const url of urls) {
      const list = await until(
        `item-20 bought ${most} times with item-10, and item-30`,
        () => together(url),
        ([best, second]) => best?.id === 'item-20' && best.count === most && second?.id === 'item-30',
      )
      expect(list[0]).toEqual({ id: 'item-20', count: most, because })
      expect(list[1]?.because).toEqual(because)
      // Counts are kept on a grid of square roots: one of three is within 1 %.
      expect(Math.abs((list[1]?.count ?? 0) - 1)).toBeLessThan(0.02)
      // What nobody bought with it fills the list up.
      expect(list).toHaveLength(12)
    }
  }
  await shows(3)
  await bridge.close()
  await buy('item-20', 'item-10')
  await startItsBridge(house)
  await shows(4)
  // Other pages say the other direction.
  const reverse = await get(house, first, 'slot=pdp&strategy=bought-together&item=item-30&k=1')
  expect(reverse[0]).toMatchObject({ id: 'item-10', because: { item: 'item-30' } })
})
