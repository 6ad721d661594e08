import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FeedPlaces, formatContinuation, parseContinuation, uncoveredParts, type KeyRange } from './places.ts'

const range = (min: string, max: string): KeyRange => ({ min, max })
const at = (min: string, max: string, lsn: number, rid = 'r') =>
  formatContinuation({ rid, places: [{ min, max, token: `"${lsn}"` }] })

test('ranges a checkpoint does not cover are found, also after splits and merges', () => {
  expect(uncoveredParts(range('', 'FF'), [])).toEqual([range('', 'FF')])
  expect(uncoveredParts(range('', 'FF'), [range('', 'FF')])).toEqual([])
  // Split since: the parent's continuation knows the child.
  expect(uncoveredParts(range('', '7F'), [range('', 'FF')])).toEqual([])
  // Merged since: both parents together cover it.
  expect(uncoveredParts(range('', 'FF'), [range('7F', 'FF'), range('', '7F')])).toEqual([])
  // The process ended before the second range had its first page.
  expect(uncoveredParts(range('7F', 'FF'), [range('', '7F')])).toEqual([range('7F', 'FF')])
  expect(uncoveredParts(range('', 'FF'), [range('3F', '7F')])).toEqual([range('', '3F'), range('7F', 'FF')])
})

test('children of a split go on from their parent, a merged range from both its parents', () => {
  const places = new FeedPlaces([at('', 'FF', 12)])
  expect(places.continuationOf(range('', '7F'))).toBe(at('', '7F', 12))
  places.advance(at('7F', 'FF', 15))
  expect(parseContinuation(places.continuationOf(range('', 'FF')) ?? '').places).toEqual([
    { min: '', max: '7F', token: '"12"' },
    { min: '7F', max: 'FF', token: '"15"' },
  ])
  // Both at the same number are one slice again.
  places.advance(at('', '7F', 15))
  expect(places.continuationOf(range('', 'FF'))).toBe(at('', 'FF', 15))
})

test('a range that is only partly read has no continuation and is not new', () => {
  const places = new FeedPlaces([at('', '7F', 3)])
  expect(places.continuationOf(range('', 'FF'))).toBeUndefined()
  expect([places.isNew(range('', 'FF')), places.isNew(range('7F', 'FF'))]).toEqual([false, true])
})

test('a container made anew forgets the places of the old one', () => {
  const places = new FeedPlaces([at('', 'FF', 900)])
  places.advance(at('', '7F', 2, 'other'))
  expect(places.continuations).toEqual([[range('', '7F'), at('', '7F', 2, 'other')]])
})

test.each([
  '',
  '{}',
  '{"rid":"r","Continuation":[]}',
  '{"rid":"r","Continuation":[{"minInclusive":"B","maxExclusive":"A"}]}',
])('what is no continuation of ranges is refused: %s', (text) => {
  expect(() => parseContinuation(text)).toThrow(expect.objectContaining({ code: 'CONTINUATION_MALFORMED' }))
})

test('whatever is advanced in whatever order, each key is where its last advance put it', () => {
  const key = fc.integer({ min: 0, max: 16 })
  const step = fc.tuple(key, key, fc.integer({ min: 1, max: 5 })).filter(([a, b]) => a !== b)
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(2, '0')
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const places = new FeedPlaces()
      const expected = new Map<number, number>()
      for (const [a, b, lsn] of steps) {
        const [low, high] = a < b ? [a, b] : [b, a]
        places.advance(at(hex(low), hex(high), lsn))
        for (let unit = low; unit < high; unit++) expected.set(unit, lsn)
      }
      for (let unit = 0; unit < 16; unit++) {
        const lsn = expected.get(unit)
        const slice = range(hex(unit), hex(unit + 1))
        expect(places.continuationOf(slice)).toBe(
          lsn === undefined ? undefined : at(slice.min, slice.max, lsn),
        )
      }
      const again = new FeedPlaces(places.continuations.map(([, continuation]) => continuation))
      expect(again.continuations).toEqual(places.continuations)
    }),
  )
})
