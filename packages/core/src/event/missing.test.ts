import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countMissing } from './missing.ts'

const numbered = (tab: string, ...numbers: number[]) => numbers.map((seq) => ({ tab, seq }))

test.each([
  ['nothing missing', numbered('a', 1, 2, 3), { a: 0 }, { missing: 0, late: 0 }],
  ['1 and 3 of a tab that begins', numbered('a', 2, 4), { a: 0 }, { missing: 2, late: 0 }],
  ['5 before the first', numbered('a', 6, 7), { a: 4 }, { missing: 1, late: 0 }],
  [
    'two tabs, each for itself',
    [...numbered('a', 2), ...numbered('b', 3)],
    { a: 1, b: 0 },
    { missing: 2, late: 0 },
  ],
  ['3, which a batch up to 5 had counted', numbered('a', 3), { a: 5 }, { missing: 0, late: 1 }],
  ['a tab that nobody knows, from its lowest', numbered('a', 7, 9), {}, { missing: 1, late: 0 }],
  ['the same number twice', numbered('a', 1, 1, 2), { a: 0 }, { missing: 0, late: 0 }],
  [
    'events without numbers',
    [{ kind: 'impression' }, { tab: 'a' }, { seq: 4 }],
    { a: 0 },
    { missing: 0, late: 0 },
  ],
])('%s', (_what, events, after, expected) => {
  expect(countMissing(events, after)).toEqual(expected)
})

test('whatever is given, nothing is thrown and counts are whole numbers from 0', () => {
  const odd = fc.record({
    tab: fc.oneof(fc.string(), fc.anything()),
    seq: fc.oneof(fc.integer(), fc.anything()),
  })
  fc.assert(
    fc.property(fc.oneof(fc.array(odd), fc.anything()), fc.anything(), (events, after) => {
      const { missing, late } = countMissing(events, after)
      expect([Number.isInteger(missing), Number.isInteger(late)]).toEqual([true, true])
      expect(Math.min(missing, late)).toBeGreaterThanOrEqual(0)
    }),
  )
})

test('an own property called __proto__ or toString is a tab like any other', () => {
  const events = numbered('toString', 2)
  expect(countMissing(events, {})).toEqual({ missing: 0, late: 0 })
  expect(countMissing(numbered('__proto__', 3), JSON.parse('{"__proto__":1}'))).toEqual({
    missing: 1,
    late: 0,
  })
})
