import { CosmosClient } from '@azure/cosmos'
import { DATABASE, DECISIONS_CONTAINER, type Decision, type DecisionDocument } from '@attune/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PUSH_KEY, SITE, type Api } from './testing/api.ts'
import { createWorld, type StartEdge, type World } from './testing/worlds.ts'

/** What was shown is kept behind answers, as much of it as the deployer wants. */
export function describeDecisions(start: StartEdge): void {
  let world: World
  let all: Api
  let half: Api
  let none: Api

  beforeAll(async () => {
    const share = ['1', '0.5', undefined]
    world = await createWorld(start, {
      edges: 3,
      configure: (options, edge) => {
        const decisions = share[edge]
        return decisions === undefined ? options : { ...options, settings: { ATTUNE_DECISIONS: decisions } }
      },
    })
    ;[all, half, none] = world.apis as [Api, Api, Api]
  })

  afterAll(async () => {
    await world.close()
  })

  /** What is really in Cosmos, by the official client. */
  const stored = async (handle: string): Promise<DecisionDocument[]> => {
    const client = new CosmosClient({ endpoint: world.cosmos.endpoint, key: world.cosmos.key })
    const { resources } = await client
      .database(DATABASE)
      .container(DECISIONS_CONTAINER.id)
      .items.query<DecisionDocument>('SELECT * FROM c', { partitionKey: `${SITE.id}:${handle.slice(0, 22)}` })
      .fetchAll()
    return resources
  }
  const charged = async (): Promise<
    { container: string; operations: Record<string, { requests: number }> }[]
  > => (await (await fetch(`${world.cosmos.adminEndpoint}/api/meter`)).json()) as never

  test('three slots of one page are one document with what each of them showed', async () => {
    const visitor = await all.visitor()
    const answers = await Promise.all(
      ['top', 'side', 'foot'].map((slot) => all.rank({ visitor, slot, strategy: 'trending', k: 3 })),
    )
    await expect.poll(async () => (await stored(visitor)).length, { timeout: 20_000 }).toBe(1)
    const [document] = await stored(visitor)
    expect(document).toMatchObject({ visitor: `shop:${visitor.slice(0, 22)}`, site: 'shop', sampled: 1 })
    expect(document?.decisions.map(({ slot }) => slot).toSorted()).toEqual(['foot', 'side', 'top'])
    for (const { body } of answers) {
      const decision = document?.decisions.find(({ id }) => id === body.decision)
      expect(decision).toMatchObject({
        slot: body.slot,
        strategy: 'trending',
        epoch: 1,
        delta: 0,
        fresh: true,
      })
      expect(decision?.items).toEqual(body.items.map(({ id }) => id))
      for (const [place, { score }] of body.items.entries())
        expect(decision?.scores[place]).toBeCloseTo(score ?? NaN, 2)
    }
  })

  test('where a slot explores, what each item’s chance was is kept with it; where none does, nothing is', async () => {
    const rules = { strategy: 'popular', explore: { epsilon: 1 } }
    expect((await all.admin('PUT', '/v1/slots/any', rules)).status).toBe(200)
    const visitor = await all.visitor()
    const explored = await all.rank({ visitor, slot: 'any', k: 4 })
    const plain = await all.rank({ visitor, slot: 'plain', strategy: 'popular', k: 4 })
    await expect
      .poll(async () => (await stored(visitor)).flatMap(({ decisions }) => decisions).length, {
        timeout: 20_000,
      })
      .toBe(2)
    const decisions = (await stored(visitor)).flatMap((document) => document.decisions)
    const of = (id: string) => decisions.find((decision) => decision.id === id)
    // Any of the best 3·4 with the same chance: 1/12, then one of the 11 that are left, …
    const chances = [1 / 12, 1 / 11, 1 / 10, 1 / 9]
    const kept = of(explored.body.decision)
    expect(kept?.items).toEqual(explored.body.items.map(({ id }) => id))
    expect(kept?.propensities).toEqual(explored.body.items.map(({ propensity }) => propensity))
    for (const [place, chance] of chances.entries())
      expect(kept?.propensities?.[place]).toBeCloseTo(chance, 10)
    expect(of(plain.body.decision)).not.toHaveProperty('propensities')
  })

  test('the answer itself costs one call as before: the history', async () => {
    const visitor = await all.visitor()
    const answer = await all.rank({ visitor })
    expect(answer.body.diagnostics?.ru).toBeGreaterThan(0)
    await expect.poll(async () => (await stored(visitor)).length, { timeout: 20_000 }).toBe(1)
    const events = (await charged()).find(({ container }) => container === 'events')
    // Nothing but history queries so far: no rank reads twice.
    expect(events?.operations).toMatchObject({ query: { requests: 1 } })
  })

  test('of 100 lists about half are kept where the deployer said 0.5, and the document says so', async () => {
    const visitors = await Promise.all(Array.from({ length: 10 }, () => half.visitor()))
    for (const visitor of visitors)
      await Promise.all(Array.from({ length: 10 }, () => half.rank({ visitor, strategy: 'trending' })))
    const count = async (): Promise<number> => {
      const response = await fetch(`${half.url}/metrics`, {
        headers: { authorization: `Bearer ${PUSH_KEY}` },
      })
      return Number(/attune_decisions_total\{outcome="stored"\} (\d+)/.exec(await response.text())?.[1] ?? 0)
    }
    // Binomial(100, 1/2): outside 25 to 75 once in two million runs.
    await expect.poll(count, { timeout: 20_000 }).toBeGreaterThanOrEqual(25)
    const documents = (await Promise.all(visitors.map(stored))).flat()
    const kept = documents.reduce((sum, { decisions }) => sum + decisions.length, 0)
    expect(kept).toBeLessThanOrEqual(75)
    expect(documents.every(({ sampled }) => sampled === 0.5)).toBe(true)
    expect(documents.length).toBeLessThanOrEqual(2 * visitors.length)
  })

  test('without the setting, and for nobody in particular, nothing is kept', async () => {
    const visitor = await none.visitor()
    await none.rank({ visitor, strategy: 'trending' })
    await all.rank({ strategy: 'trending' })
    const watched = await all.visitor()
    await all.rank({ visitor: watched, strategy: 'trending' })
    await expect.poll(async () => (await stored(watched)).length, { timeout: 20_000 }).toBe(1)
    expect(await stored(visitor)).toEqual([])
  })

  test("a visitor's decisions are exported, and deleted with the rest, even those still on their way", async () => {
    const visitor = await all.visitor()
    const first = await all.rank({ visitor, strategy: 'trending' })
    await expect.poll(async () => (await stored(visitor)).length, { timeout: 20_000 }).toBe(1)
    const exported = await all.page<{ decisions: Decision[] }>('/v1/visitors/export', { visitor })
    expect(exported.body.decisions.map(({ id }) => id)).toEqual([first.body.decision])
    await all.rank({ visitor, strategy: 'trending' })
    const erased = await all.page<object>('/v1/visitors/delete', { visitor })
    expect(erased.body).toMatchObject({ deleted: 0, decisions: 2, remaining: 0 })
    expect(await stored(visitor)).toEqual([])
  })

  test('Cosmos refusing takes nothing from the list; the loss is counted', async () => {
    const visitor = await all.visitor()
    await fetch(`${world.cosmos.adminEndpoint}/api/faults`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        fault: { kind: 'status', status: 429 },
        operations: ['create'],
        container: `${DATABASE}/decisions`,
        count: 1,
      }),
    })
    expect((await all.rank({ visitor, strategy: 'trending' })).status).toBe(200)
    const lost = async (): Promise<string> => {
      const response = await fetch(`${all.url}/metrics`, { headers: { authorization: `Bearer ${PUSH_KEY}` } })
      return response.text()
    }
    await expect.poll(lost, { timeout: 20_000 }).toContain('attune_decisions_total{outcome="lost"} 1')
    expect(await stored(visitor)).toEqual([])
  })
}
