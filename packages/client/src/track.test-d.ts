import { createClient, createTracker, type EventFields, type EventKind, type TrackedEvent } from './index.ts'

// What may be told, as the compiler sees it; checked by `tsc -b`.

const tracker = createTracker({ endpoint: '/attune', site: 'key' })

const id: string | undefined = tracker.track('add-to-cart', 'sku-1', { value: 12.5 })
tracker.track('purchase', 'sku-1', { value: 39.9, slot: 'basket', position: 0, decision: 'd1' })
tracker.track('search', null, { query: 'green tea' })
tracker.track('custom:zoom', 'sku-1')
tracker.track('custom:sign-up')
tracker.use((event: TrackedEvent) => (event.kind === 'dislike' ? null : { ...event, value: 1 }))

// @ts-expect-error a kind of one's own is called custom:<name>
tracker.track('zoom', 'sku-1')
// @ts-expect-error values are numbers
tracker.track('purchase', 'sku-1', { value: '39.9' })
// @ts-expect-error there is no such field
tracker.track('purchase', 'sku-1', { price: 39.9 })
// @ts-expect-error a plug-in returns an event or nothing
tracker.use(() => true)
// @ts-expect-error lists need a client
tracker.recommend('for-you')

const kinds: readonly EventKind[] = [
  'impression',
  'click',
  'view',
  'add-to-cart',
  'purchase',
  'like',
  'dislike',
  'search',
  'custom:anything',
]
const fields: EventFields = { slot: 's', position: 1, decision: 'd', value: 2, query: 'q' }

const client = createClient({ endpoint: '/attune', site: 'key' })
client.on('queued', ({ event }) => event.kind satisfies EventKind)
// @ts-expect-error no such signal
client.on('clicked', () => {})

export { fields, id, kinds }
