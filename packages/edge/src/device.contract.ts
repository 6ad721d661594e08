import type { DeviceList, DeviceWeights, TrackedEvent } from '@attune/core'
import { scoreOnDevice, unpackWeights } from '@attune/core/rank'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SITE } from './testing/api.ts'
import { createWorld, type StartEdge, type World } from './testing/worlds.ts'

const CANDIDATES = Array.from({ length: 12 }, (_, index) => `item-${index * 7}`)

/** What an edge hands out for ranking on the device is what it ranks with itself. */
export function describeDevice(start: StartEdge): void {
  describe('lists for the device', () => {
    let world: World
    beforeAll(async () => {
      world = await createWorld(start)
    })
    afterAll(() => world.close())
    const api = () => world.apis[0] as World['apis'][number]
    const click = (item: string, at: number): TrackedEvent => ({
      id: crypto.randomUUID(),
      kind: 'click',
      item,
      at,
    })
    const weightsOf = (list: DeviceList | undefined) =>
      fetch(`${api().url}/v1/weights/${list?.weights}?key=${SITE.key}`, {
        headers: { origin: 'https://shop.test' },
      })

    test('a click taken into the list on the device gives the order of the next answer, stored history included', async () => {
      const visitor = await api().visitor()
      const at = Date.now() - 60_000
      const stored = await api().events(visitor, [click('item-7', at), click('item-250', at + 1_000)])
      const asked = { visitor, session: stored.body.session, candidates: CANDIDATES, device: true }
      const { device } = (await api().rank(asked)).body
      if (device === undefined) throw new Error('no list for the device')
      expect(device.steps).toEqual([
        { item: 'item-7', kind: 'click', at },
        { item: 'item-250', kind: 'click', at: at + 1_000 },
      ])
      const weights = unpackWeights((await (await weightsOf(device)).json()) as DeviceWeights)
      if (weights === undefined) throw new Error('weights were not understood')
      const next = click('item-21', at + 2_000)
      const scores = scoreOnDevice(device, [], [next], weights)
      const here = [...scores].map(([id, score]) => ({ id, score })).sort((a, b) => b.score - a.score)
      const there = (await api().rank({ ...asked, recent: [next] })).body.items
      expect(here.map(({ id }) => id)).toEqual(there.map(({ id }) => id))
      expect(here.map(({ id }) => id)).not.toEqual((await api().rank(asked)).body.items.map(({ id }) => id))
      for (const [place, { score }] of here.entries())
        expect(score).toBeCloseTo(there[place]?.score ?? Number.NaN, 1)
    })

    test('weights never change and may be kept by any cache; other digests are 404 WEIGHTS_UNKNOWN', async () => {
      const { device } = (await api().rank({ candidates: CANDIDATES, device: true })).body
      const answer = await weightsOf(device)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      expect(answer.headers.get('access-control-allow-origin')).toBe('https://shop.test')
      await answer.arrayBuffer()
      const { factors } = world.artifact.manifest.files
      for (const sha256 of ['0'.repeat(64), factors?.sha256]) {
        const refused = await api().send<object>('GET', `/v1/weights/${sha256}?key=${SITE.key}`)
        expect([refused.status, refused.body.code]).toEqual([404, 'WEIGHTS_UNKNOWN'])
      }
    })

    test('nobody asked, a list that does not follow the visitor, or more candidates than a page holds', async () => {
      expect((await api().rank({ candidates: CANDIDATES })).body.device).toBeUndefined()
      const similar = await api().rank({ strategy: 'similar', item: 'item-3', device: true })
      expect(similar.body.device).toBeUndefined()
      const many = Array.from({ length: 250 }, (_, row) => `item-${row}`)
      const list = (await api().rank({ candidates: many, k: 8, device: true })).body
      expect(list.device?.ids.slice(0, list.device.candidates)).toEqual(list.items.map(({ id }) => id))
      const wrong = await api().page<object>('/v1/rank', { slot: 'a', device: 'yes' })
      expect([wrong.status, wrong.body.issues?.[0]?.path]).toEqual([400, 'device'])
    })

    test('disliked and excluded candidates are not handed out', async () => {
      const dislike: TrackedEvent = { id: 'd', kind: 'dislike', item: 'item-14', at: Date.now() }
      const asked = {
        candidates: CANDIDATES,
        exclude: ['item-0'],
        recent: [{ ...dislike, id: crypto.randomUUID() }],
      }
      const { device } = (await api().rank({ ...asked, device: true })).body
      expect(device?.ids.slice(0, device.candidates)).toEqual(
        CANDIDATES.filter((id) => id !== 'item-0' && id !== 'item-14'),
      )
    })
  })
}
