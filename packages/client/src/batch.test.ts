import { MAX_BATCH_BYTES, type EventsRequest, type TrackedEvent } from '@attune/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { firstBatch } from './batch.ts'

const event = fc.record({
  id: fc.uuid(),
  kind: fc.constantFrom('click' as const, 'impression' as const, 'search' as const),
  item: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 256 }),
  at: fc.integer({ min: 0 }),
  query: fc.string({ unit: 'grapheme', maxLength: 256 }),
})

test('any prefix taken fits 100 events and 60,000 bytes with a handle and the longest session token; the next event would not', () => {
  const bytes = (events: readonly TrackedEvent[]): number => {
    const request: EventsRequest = {
      batch: 'b'.repeat(36),
      visitor: 'v'.repeat(64),
      session: 's'.repeat(8_192),
      events,
    }
    return Buffer.byteLength(JSON.stringify(request))
  }
  fc.assert(
    fc.property(fc.array(event, { maxLength: 160, size: 'max' }), (events) => {
      const { length } = firstBatch(events)
      expect(firstBatch(events)).toEqual(events.slice(0, length))
      expect(length).toBeLessThanOrEqual(100)
      if (events.length > 0) expect(length).toBeGreaterThan(0)
      if (length > 1) expect(bytes(events.slice(0, length))).toBeLessThanOrEqual(MAX_BATCH_BYTES)
      if (length < Math.min(100, events.length)) {
        // 600 bytes: what the envelope's 9,000 leave over here.
        expect(bytes(events.slice(0, length + 1))).toBeGreaterThan(MAX_BATCH_BYTES - 1_000)
      }
    }),
    { numRuns: 50 },
  )
})

test('one event too large for any batch still goes alone, for the edge to refuse it', () => {
  const huge: TrackedEvent = { id: 'x', kind: 'click', item: 'i'.repeat(70_000), at: 0 }
  expect(firstBatch([huge, { ...huge, item: 'small' }])).toEqual([huge])
  expect(firstBatch([])).toEqual([])
})
