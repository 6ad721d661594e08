import fc from 'fast-check'
import { expect, test } from 'vitest'
import { covers, formatSessionToken, mergeSessionTokens, parseSessionToken } from './session-token.ts'

const parse = parseSessionToken
const merged = (a: string, b: string) => formatSessionToken(mergeSessionTokens(parse(a), parse(b)))

test('0:1#100#1=20#2=5 is range 0, version 1, global 100, regions 1 and 2', () => {
  const token = parse('0:1#100#1=20#2=5')
  expect(token.get('0')).toEqual({
    version: 1,
    globalLsn: 100,
    regions: new Map([
      ['1', 20],
      ['2', 5],
    ]),
  })
})

test('the simple form 0:-1#12 has version -1 and no regions', () => {
  expect(parse('0:-1#12').get('0')).toEqual({ version: -1, globalLsn: 12, regions: new Map() })
})

// Cases of azure-sdk-for-js, sdk/cosmosdb/cosmos/test/internal/unit/vectorSessionToken.spec.ts
test('merging takes the larger local numbers and the larger global number of one version', () => {
  expect(merged('0:1#100#1=20#2=5#3=30', '0:1#99#1=21#2=4#3=31')).toBe('0:1#100#1=21#2=5#3=31')
})

test('a newer version drops regions it no longer names', () => {
  expect(merged('0:1#100#1=20#2=5#3=30', '0:2#110#1=21#2=6')).toBe('0:2#110#1=21#2=6')
})

test.each([
  ['0:1#101#1=20#2=5#3=30', '0:1#100#1=20#2=5#3=30', true],
  ['0:1#99#1=20#2=5#3=30', '0:1#100#1=20#2=5#3=30', false],
  ['0:1#101#1=20#2=4#3=30', '0:1#100#1=20#2=5#3=30', false],
  ['0:2#101#1=20#2=5', '0:1#100#1=20#2=5#3=30', true],
  ['0:1#100#1=20#2=5#3=30', '0:2#100#1=20#2=5', false],
  ['0:-1#12', '0:-1#12', true],
  ['0:-1#11', '0:-1#12', false],
])('a read at %s covers a write at %s: %s', (have, want, expected) => {
  expect(covers(parse(have), parse(want))).toBe(expected)
})

test('after a split the child range covers the parent only when it is at or past its number', () => {
  expect(covers(parse('2:1#120'), parse('0:1#110'))).toBe(true)
  expect(covers(parse('2:1#109'), parse('0:1#110'))).toBe(false)
})

test.each(['', '0', '0:1', 'x#1', '0:1#a', '0:1#1#=2', '0:1#1,', '0:1#-5'])(
  '%j is SESSION_TOKEN_MALFORMED',
  (text) => {
    expect(() => parse(text)).toThrowError(expect.objectContaining({ code: 'SESSION_TOKEN_MALFORMED' }))
  },
)

test('a token of 9,000 characters is SESSION_TOKEN_MALFORMED', () => {
  const text = Array.from({ length: 1_500 }, (_, range) => `${range}:1#1`).join(',')
  expect(() => parse(text)).toThrowError(expect.objectContaining({ code: 'SESSION_TOKEN_MALFORMED' }))
})

const progress = fc.record({
  version: fc.integer({ min: -1, max: 3 }),
  globalLsn: fc.integer({ min: 0, max: 1e9 }),
  regions: fc.dictionary(fc.integer({ min: 0, max: 9 }).map(String), fc.integer({ min: -1, max: 1e9 })),
})
const tokens = fc
  .dictionary(fc.integer({ min: 0, max: 5 }).map(String), progress, { minKeys: 1 })
  .map(
    (ranges) =>
      new Map(
        Object.entries(ranges).map(([id, p]) => [id, { ...p, regions: new Map(Object.entries(p.regions)) }]),
      ),
  )

test('formatting then parsing gives the token back', () => {
  fc.assert(
    fc.property(tokens, (token) => {
      expect(parse(formatSessionToken(token))).toEqual(token)
    }),
  )
})

test('a merge covers nothing less than either side in its global numbers, and merging twice changes nothing', () => {
  fc.assert(
    fc.property(tokens, tokens, (a, b) => {
      const both = mergeSessionTokens(a, b)
      for (const [range, p] of [...a, ...b])
        expect(both.get(range)?.globalLsn).toBeGreaterThanOrEqual(p.globalLsn)
      expect(formatSessionToken(mergeSessionTokens(both, b))).toBe(formatSessionToken(both))
    }),
  )
})
