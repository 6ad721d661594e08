import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countMissing, readLast } from './missing.ts'

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

test.each([
  ['6 to 8 of a tab that ended', [], { a: 5 }, [{ tab: 'a', seq: 8 }], { missing: 3, late: 0 }],
  [
    'all of a tab that ended before it brought any',
    [],
    { a: 0 },
    [{ tab: 'a', seq: 2 }],
    { missing: 2, late: 0 },
  ],
  ['nothing after the last', [], { a: 8 }, [{ tab: 'a', seq: 8 }], { missing: 0, late: 0 }],
  [
    'a last number that a later batch has passed',
    [],
    { a: 9 },
    [{ tab: 'a', seq: 8 }],
    { missing: 0, late: 0 },
  ],
  ['a tab of which no number before is said', [], {}, [{ tab: 'a', seq: 8 }], { missing: 0, late: 0 }],
  [
    '6 and 8 beside an event that is 7',
    numbered('a', 7),
    { a: 5 },
    [{ tab: 'a', seq: 8 }],
    { missing: 2, late: 0 },
  ],
  [
    'the last number is an event here',
    numbered('a', 6),
    { a: 5 },
    [{ tab: 'a', seq: 6 }],
    { missing: 0, late: 0 },
  ],
  [
    'two tabs, one of them named twice: the higher counts',
    [],
    { a: 1, b: 1 },
    [
      { tab: 'a', seq: 2 },
      { tab: 'b', seq: 2 },
      { tab: 'a', seq: 3 },
    ],
    { missing: 3, late: 0 },
  ],
])('%s', (_what, events, after, last, expected) => {
  expect(countMissing(events, after, last)).toEqual(expected)
})

test('of 101 last numbers 100 count, and no batch counts as more than 10,000 missing', () => {
  const last = Array.from({ length: 101 }, (_, tab) => ({ tab: `${tab}`, seq: 1 }))
  const after = Object.fromEntries(last.map(({ tab }) => [tab, 0]))
  expect(countMissing([], after, last)).toEqual({ missing: 100, late: 0 })
  expect(countMissing([], { a: 0 }, [{ tab: 'a', seq: 1e9 }])).toEqual({ missing: 10_000, late: 0 })
  expect(countMissing(numbered('a', 1e9), { a: 0 }, [])).toEqual({ missing: 10_000, late: 0 })
})

test.each([
  undefined,
  { a: 3 },
  'a',
  [null, 3, {}, { tab: 'a' }, { seq: 3 }],
  [{ tab: 'a', seq: 0 }],
  [{ tab: 'a', seq: -1 }],
  [{ tab: 'a', seq: 1.5 }],
  [{ tab: 'a', seq: 1e9 + 1 }],
  [{ tab: 'a', seq: '3' }],
  [{ tab: 'a'.repeat(65), seq: 3 }],
])('%j has no last number', (last) => {
  expect([readLast(last), countMissing([], { a: 0 }, last)]).toEqual([[], { missing: 0, late: 0 }])
})

test('whatever is given, nothing is thrown and counts are whole numbers from 0', () => {
  const odd = fc.record({
    tab: fc.oneof(fc.string(), fc.anything()),
    seq: fc.oneof(fc.integer(), fc.anything()),
  })
  const many = fc.oneof(fc.array(odd), fc.anything())
  fc.assert(
    fc.property(many, fc.anything(), many, (events, after, last) => {
      const { missing, late } = countMissing(events, after, last)
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
