import { CosmosClient } from '@azure/cosmos'
import { DATABASE, SETTINGS_CONTAINER } from '@attune/core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Api } from './testing/api.ts'
import { createWorld, type StartEdge, type World } from './testing/worlds.ts'

const PER_DAY = 40

/** What a site may ask in a day, over two edges that share a Cosmos. */
export function describeQuotas(start: StartEdge): void {
  let world: World
  let apis: readonly Api[]

  beforeAll(async () => {
    world = await createWorld(start, {
      edges: 2,
      configure: (options) => ({ ...options, quota: { perDay: PER_DAY, perMonth: 1_000 } }),
    })
    apis = world.apis
  })

  afterAll(async () => {
    await world.close()
  })

  /** The count that all edges share, as the official client reads it. */
  const counted = async (): Promise<Record<string, unknown>> => {
    const month = new Date().toISOString().slice(0, 7)
    const client = new CosmosClient({ endpoint: world.cosmos.endpoint, key: world.cosmos.key })
    const container = client.database(DATABASE).container(SETTINGS_CONTAINER.id)
    const { resource } = await container.item(month, 'quota:shop').read<Record<string, unknown>>()
    return resource ?? {}
  }

  test('40 requests a day are answered, whichever of two edges is asked; then 429 QUOTA_EXCEEDED until midnight', async () => {
    let answered = 0
    let turn = 0
    const ask = () => apis[turn++ % 2]?.rank({ history: 'recent' })
    for (; answered < 200; answered++) {
      const answer = await ask()
      if (answer?.status === 429) break
      expect(answer?.status).toBe(200)
      // What one edge let through the other has heard of a moment later.
      await vi.waitFor(async () => {
        expect((await counted())['month']).toBeGreaterThanOrEqual(answered)
      })
    }
    expect(answered).toBeGreaterThanOrEqual(PER_DAY - 1)
    expect(answered).toBeLessThanOrEqual(PER_DAY + 2)
    for (const api of apis) {
      await vi.waitFor(async () => {
        const refused = await api.rank({ history: 'recent' })
        expect([refused.status, refused.body.code]).toEqual([429, 'QUOTA_EXCEEDED'])
        const midnight = new Date()
        midnight.setUTCHours(24, 0, 0, 0)
        const left = (midnight.getTime() - Date.now()) / 1_000
        expect(Math.abs(Number(refused.headers.get('retry-after')) - left)).toBeLessThan(30)
        expect(refused.headers.get('ratelimit-limit')).toBe(String(PER_DAY))
      })
    }
    const day = new Date().toISOString().slice(8, 10)
    expect(await counted()).toMatchObject({ [`day${day}`]: (await counted())['month'] })
  })
}
