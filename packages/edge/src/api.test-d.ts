import type { EventsResponse, Problem, RankResponse } from '@attune/core'
import { createEdgeApi } from './api.ts'

// Types only: `tsc` is the test.

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const yes = <T extends true>(): T | undefined => undefined

export async function typed(): Promise<void> {
  const api = createEdgeApi('https://edge.example', { siteKey: 'pk_shop' })

  const list = await api.v1.rank.$post({ json: { slot: 'for-you', k: 4 } })
  if (list.status === 200) {
    const body = await list.json()
    yes<Equal<(typeof body)['items'][number]['id'], RankResponse['items'][number]['id']>>()
  }
  if (list.status === 503) {
    const body = await list.json()
    yes<Equal<(typeof body)['code'], Problem['code']>>()
  }

  const stored = await api.v1.events.$post({ json: { batch: '', visitor: '', events: [] } })
  if (stored.status === 202) {
    const body = await stored.json()
    yes<Equal<(typeof body)['duplicate'], EventsResponse['duplicate']>>()
  }

  const item = await api.v1.items[':id'].$get({ param: { id: 'sku-1' } })
  if (item.ok) yes<Equal<Awaited<ReturnType<typeof item.json>>['updated'], number>>()

  await api.v1.items.$put({ json: { items: [{ id: 'sku-1', deleted: true }] } })
  const slot = await api.v1.slots[':slot'].$delete({ param: { slot: 'home' } })
  if (slot.ok) yes<Equal<Awaited<ReturnType<typeof slot.json>>['deleted'], boolean>>()
  // @ts-expect-error a slot is required
  await api.v1.rank.$post({ json: { k: 4 } })
  // @ts-expect-error there is no such strategy
  await api.v1.rank.$post({ json: { slot: 's', strategy: 'magic' } })
  // @ts-expect-error there is no such route
  await api.v1.nothing.$get()
  // @ts-expect-error an item that is not deleted has attributes
  await api.v1.items.$put({ json: { items: [{ id: 'sku-1' }] } })
}
