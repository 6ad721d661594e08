import {
  EVENT_KINDS,
  MAX_CLOCK_AHEAD_MS,
  MAX_EVENT_AGE_MS,
  parseEvents,
  readLast,
  SessionTokenError,
  STRATEGIES,
  type Issue,
} from '@attune/core'
import { OPERATORS, parseExpression, parseRules, RulesError } from '@attune/core/rules'
import fc from 'fast-check'
import { is } from 'valibot'
import { expect, test } from 'vitest'
import { EdgeError } from '../error.ts'
import { parseRank } from '../routes/parse-rank.ts'
import { event, lastNumber } from './events.ts'
import { expressionNode } from './expression.ts'
import { rankRequest } from './rank.ts'
import { ruleFields, slotRules } from './slots.ts'

// What is on every page view's way is parsed by hand; the documented schema must take and refuse the same.

const NOW = 1_764_000_000_000

/** Mostly `good`; else something else, or nothing. null stands for nothing in parsers, and is left out here. */
const mostly = (good: fc.Arbitrary<unknown>) =>
  fc.oneof(
    { weight: 12, arbitrary: good },
    {
      weight: 1,
      arbitrary: fc.oneof(
        fc.string({ maxLength: 300 }),
        fc.double(),
        fc.integer(),
        fc.boolean(),
        fc.array(fc.string()),
        fc.object({ maxDepth: 1 }),
        fc.constantFrom(
          'x'.repeat(256),
          'x'.repeat(257),
          'x'.repeat(64),
          'x'.repeat(65),
          '',
          0,
          1,
          200,
          201,
          1.5,
        ),
      ),
    },
  )
const record = (good: Record<string, fc.Arbitrary<unknown>>, required: readonly string[]) =>
  fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record(
        Object.fromEntries(Object.entries(good).map(([name, right]) => [name, mostly(right)])),
        { requiredKeys: [...required] },
      ),
    },
    { weight: 1, arbitrary: fc.record({}) },
  )
const item = fc.string({ minLength: 1, maxLength: 20 })
const goodEvent = record(
  {
    id: fc.uuid(),
    kind: fc.oneof(fc.constantFrom(...EVENT_KINDS), fc.constantFrom('custom:x', 'custom:', 'custom:A')),
    item,
    at: fc.integer({ min: NOW - MAX_EVENT_AGE_MS, max: NOW + MAX_CLOCK_AHEAD_MS }),
    slot: item,
    position: fc.nat(100_000),
    decision: item,
    value: fc.double({ noNaN: true, noDefaultInfinity: true }),
    query: item,
    tab: item,
    seq: fc.integer({ min: 1, max: 1_000_000_000 }),
  },
  ['id', 'kind', 'at'],
)

test('an event passes the schema exactly when core’s parser takes it; age aside', () => {
  let taken = 0
  fc.assert(
    fc.property(goodEvent, (given) => {
      const { at } = given as { at?: unknown }
      // How old it is depends on the clock, which a schema has none of.
      fc.pre(typeof at !== 'number' || (at >= NOW - MAX_EVENT_AGE_MS && at <= NOW + MAX_CLOCK_AHEAD_MS))
      const parsed = parseEvents([given], NOW).events.length === 1
      if (parsed) taken++
      expect(is(event, given)).toBe(parsed)
    }),
    { numRuns: 3_000, seed: 1 },
  )
  expect(taken).toBeGreaterThan(300)
})

test('a last number passes the schema exactly when core takes it', () => {
  const number = record({ tab: item, seq: fc.integer({ min: -1, max: 1_000_000_001 }) }, [])
  let taken = 0
  fc.assert(
    fc.property(number, (given) => {
      const [read] = readLast([given])
      if (read) taken++
      expect(is(lastNumber, given)).toBe(read !== undefined)
    }),
    { numRuns: 1_000, seed: 1 },
  )
  expect(taken).toBeGreaterThan(100)
})

test('a rank request passes the schema exactly when the route’s parser takes it; events within aside', () => {
  const request = record(
    {
      slot: item,
      visitor: item,
      session: fc.constantFrom('0:-1#1', '0:1#2#1=-1', '', 'nonsense'),
      strategy: fc.constantFrom(...STRATEGIES),
      item,
      candidates: fc.array(mostly(item), { maxLength: 20 }),
      k: fc.integer({ min: 1, max: 200 }),
      exclude: fc.array(item, { maxLength: 3 }),
      filter: fc.oneof(
        fc.record({ attr: item, lt: fc.oneof(fc.double(), item) }),
        fc.record({ all: fc.array(fc.record({ attr: item, has: item }), { maxLength: 2 }) }),
      ),
      recent: fc.constant([]),
      history: fc.constantFrom('full', 'recent'),
      device: fc.boolean(),
    },
    ['slot', 'item'],
  )
  let taken = 0
  fc.assert(
    fc.property(request, (given) => {
      // The route leaves bad events out instead of refusing the request; that is told in the schema's words.
      const { recent } = given as { recent?: unknown }
      fc.pre(!Array.isArray(recent) || recent.length === 0)
      const parsed = takes(given)
      if (parsed) taken++
      expect(is(rankRequest, given)).toBe(parsed)
    }),
    { numRuns: 3_000, seed: 2 },
  )
  expect(taken).toBeGreaterThan(300)
})

const operand = fc.oneof(
  { weight: 4, arbitrary: fc.oneof(fc.double(), fc.boolean(), fc.string({ maxLength: 5 })) },
  { weight: 2, arbitrary: fc.array(fc.oneof(fc.string({ maxLength: 3 }), fc.integer()), { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.record({ item: fc.oneof(item, fc.constantFrom('', 'x'.repeat(65))) }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(null, {}, 'x'.repeat(1_024), 'x'.repeat(1_025), { item: 'a', b: 1 }),
  },
)
const { expressions } = fc.letrec((tie) => ({
  expressions: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc
      .tuple(fc.constantFrom(...OPERATORS), item, operand, fc.boolean())
      .map(([operator, attr, value, more]) => ({
        attr,
        [operator]: value,
        ...(more && attr.length === 1 && { eq: 1, ne: 2 }),
      })),
    fc.record({ all: fc.array(tie('expressions'), { maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('expressions'), { maxLength: 3 }) }),
    fc.record({ not: tie('expressions') }),
    fc.oneof(
      fc.constantFrom(null, [], 'text', {}, { attr: 'a' }, { all: {} }),
      fc.record({ all: fc.constant([]), any: fc.constant([]) }),
    ),
  ),
}))

test('an expression passes the documented schema exactly when core’s parser takes it', () => {
  let taken = 0
  fc.assert(
    fc.property(expressions, (given) => {
      const issues: Issue[] = []
      parseExpression(given, 'filter', issues)
      if (issues.length === 0) taken++
      expect(is(expressionNode, given)).toBe(issues.length === 0)
    }),
    { numRuns: 5_000, seed: 3 },
  )
  expect(taken).toBeGreaterThan(1_000)
})

test('rules pass the documented schema exactly when core’s parser takes them; pins of one place aside', () => {
  const number = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(0.5, 1) },
    {
      weight: 1,
      arbitrary: fc.oneof(fc.double(), fc.constantFrom(-100, 100, 101, 1e-3, 1e3, 1e12, 199, 200)),
    },
  )
  const rules = record(
    {
      strategy: fc.constantFrom(...STRATEGIES),
      filter: fc.record({ attr: item, lt: fc.double() }),
      boosts: fc.array(fc.record({ when: fc.record({ attr: item, eq: item }), add: number }), {
        maxLength: 2,
      }),
      pins: fc.array(mostly(fc.record({ item, position: number })), { maxLength: 1 }),
      exclude: fc.array(mostly(item), { maxLength: 3 }),
      maxPer: fc.array(fc.record({ attr: item, k: number }), { maxLength: 3 }),
      minStock: number,
      diversity: fc.record({ lambda: number }, { requiredKeys: [] }),
      explore: fc.oneof(
        fc.record({ epsilon: number }),
        fc.record({ temperature: number }),
        fc.record({ epsilon: number, temperature: number }),
      ),
      fill: fc.boolean(),
      misspelt: fc.boolean(),
    },
    [],
  )
  let taken = 0
  fc.assert(
    fc.property(rules, (given) => {
      let parsed = true
      try {
        parseRules(given)
      } catch (error) {
        if (!(error instanceof RulesError)) throw error
        parsed = false
      }
      if (parsed) taken++
      expect(is(ruleFields, given)).toBe(parsed)
      expect(is(slotRules, given)).toBe(parsed)
    }),
    { numRuns: 5_000, seed: 4 },
  )
  expect(taken).toBeGreaterThan(300)
  const twice = { pins: [0, 0].map((position, index) => ({ item: `${index}`, position })) }
  expect([is(ruleFields, twice), is(slotRules, twice)]).toEqual([true, false])
})

function takes(input: object): boolean {
  try {
    parseRank(input, NOW)
    return true
  } catch (error) {
    if (error instanceof EdgeError || error instanceof SessionTokenError) return false
    throw error
  }
}
