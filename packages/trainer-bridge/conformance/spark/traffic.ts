import { EVENT_KINDS, type EventKind, type TrackedEvent } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import type { StoredBatch } from '../../src/windows.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const START = Date.UTC(2026, 0, 1)
const KINDS: readonly EventKind[] = [...EVENT_KINDS, 'custom:zoom', 'custom:share']

export interface TrafficOptions {
  readonly seed: number
  readonly visitors: number
  readonly items: number
  /** Nothing late, twice or ahead of time, and clicks only. */
  readonly plain?: boolean
}

/**
 * Batches of made-up visitors who walk along a ring of items with a few habits, in the order a change feed would tell
 * them: with batches told twice, events that come late or from a clock that is ahead, several visits, one visitor who
 * never stops.
 */
export function makeTraffic({ seed, visitors, items, plain = false }: TrafficOptions): StoredBatch[] {
  const random = seededRandom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const batches: StoredBatch[] = []
  for (let number = 0; number < visitors; number++) {
    const visitor = `shop:v${number}`
    const endless = !plain && number === 0
    let at = START + below(30 * 24) * HOUR + below(HOUR)
    let item = below(items)
    let open: TrackedEvent[] = []
    const flush = (received: number) => {
      if (open.length === 0) return
      const batch = { id: `b${number}-${batches.length}`, visitor, received, events: open }
      batches.push(batch)
      if (!plain && below(20) === 0) batches.push(batch)
      open = []
    }
    for (let event = endless ? 700 : 2 + below(14); event > 0; event--) {
      // Neighbours on the ring most of the time, the item three on for every third.
      item = (item + (item % 3 === 0 && below(2) === 0 ? 3 : 1 + below(2))) % items
      if (below(12) === 0) item = below(items)
      const kind = plain || below(3) > 0 ? 'click' : (KINDS[below(KINDS.length)] ?? 'click')
      const wrong = plain ? 0 : ([0, 0, 0, 0, -9 * MINUTE, 20 * MINUTE][below(6)] ?? 0)
      const told = { id: `e${number}-${event}-${below(1e9)}`, kind, at: at + wrong }
      open.push(kind === 'search' ? told : { ...told, item: `item-${item}` })
      if (!plain && below(30) === 0) open.push({ ...told, item: `item-${item}` })
      if (below(3) === 0) flush(at + 1_000)
      const gap = below(20)
      at += endless ? MINUTE : gap === 0 ? 90 * MINUTE : gap === 1 ? 31 * MINUTE : 5_000 + below(4 * MINUTE)
    }
    flush(at + 1_000)
  }
  return batches.sort((a, b) => a.received - b.received || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
}
