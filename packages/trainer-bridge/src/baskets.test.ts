import { toHistory, type HistoryItem, type TrackedEvent } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { basketsOf, MAX_BASKET } from './baskets.ts'
import { Windows, type StoredBatch } from './windows.ts'

const T0 = 1_764_000_000_000
const MINUTE = 60_000

let next = 0
const event = (item: string, at: number, kind: TrackedEvent['kind']): TrackedEvent => ({
  id: `e${String(next++).padStart(6, '0')}`,
  kind,
  item,
  at,
})
const batch = (events: TrackedEvent[], received: number): StoredBatch => ({
  id: `b${next++}`,
  visitor: 'v',
  received,
  events,
})

function counter() {
  const visits = new Map<string, number>()
  const sink = {
    step: () => undefined,
    pair: () => undefined,
    together: (one: string, other: string, change: number) => {
      const key = [one, other].sort().join('+')
      const total = (visits.get(key) ?? 0) + change
      if (total === 0) visits.delete(key)
      else visits.set(key, total)
    },
  }
  return { sink, visits }
}

test('a, b in the basket and c bought in one visit: three pairs, once each; what was only looked at is in none', () => {
  const { sink, visits } = counter()
  const events = [
    event('a', T0, 'add-to-cart'),
    event('x', T0 + 1, 'click'),
    event('b', T0 + 2, 'add-to-cart'),
    event('a', T0 + 3, 'add-to-cart'),
    event('c', T0 + 4, 'purchase'),
    event('a', T0 + 5, 'purchase'),
    event('y', T0 + 6, 'like'),
  ]
  new Windows().apply(batch(events, T0 + 6), sink)
  expect(Object.fromEntries(visits)).toEqual({ 'a+b': 1, 'a+c': 1, 'b+c': 1 })
})

test('two visits with the same basket count twice; baskets of two visits are two', () => {
  const { sink, visits } = counter()
  const windows = new Windows()
  const later = T0 + 40 * MINUTE
  windows.apply(batch([event('a', T0, 'purchase'), event('b', T0 + 1, 'purchase')], T0 + 1), sink)
  windows.apply(
    batch([event('c', later, 'add-to-cart'), event('b', later + 1, 'add-to-cart')], later + 1),
    sink,
  )
  expect(Object.fromEntries(visits)).toEqual({ 'a+b': 1, 'b+c': 1 })
  windows.apply(
    batch([event('c', later + 2, 'purchase'), event('b', later + 3, 'purchase')], later + 3),
    sink,
  )
  expect(Object.fromEntries(visits)).toEqual({ 'a+b': 1, 'b+c': 1 })
  const much = later + 50 * MINUTE
  windows.apply(batch([event('b', much, 'purchase'), event('a', much + 1, 'purchase')], much + 1), sink)
  expect(Object.fromEntries(visits)).toEqual({ 'a+b': 2, 'b+c': 1 })
})

test('a late click that joins two visits makes one basket of theirs', () => {
  const { sink, visits } = counter()
  const windows = new Windows()
  windows.apply(batch([event('a', T0, 'purchase')], T0), sink)
  windows.apply(batch([event('b', T0 + 40 * MINUTE, 'purchase')], T0 + 40 * MINUTE), sink)
  expect(visits.size).toBe(0)
  windows.apply(batch([event('x', T0 + 20 * MINUTE, 'click')], T0 + 41 * MINUTE), sink)
  expect(Object.fromEntries(visits)).toEqual({ 'a+b': 1 })
})

test('a batch told twice changes nothing, nor does going on from a kept state', () => {
  const { sink, visits } = counter()
  const windows = new Windows()
  const first = batch([event('a', T0, 'purchase'), event('b', T0 + 1, 'purchase')], T0 + 1)
  windows.apply(first, sink)
  windows.apply(first, sink)
  const again = Windows.from(structuredClone(windows.state()))
  again.apply(first, sink)
  again.apply(batch([event('c', T0 + 2, 'purchase')], T0 + 2), sink)
  expect(Object.fromEntries(visits)).toEqual({ 'a+b': 1, 'a+c': 1, 'b+c': 1 })
})

test('of 60 items in one basket the first 50 count', () => {
  const steps = Array.from({ length: 60 }, (_, index): HistoryItem => ({
    item: `i${index}`,
    kind: 'add-to-cart',
    at: T0 + index,
  }))
  expect(basketsOf(steps)).toEqual([Array.from({ length: MAX_BASKET }, (_, index) => `i${index}`)])
})

test('in any order of arrival, split into any batches, pairs are those of the sorted history', () => {
  const kinds = ['click', 'view', 'add-to-cart', 'purchase', 'like'] as const
  fc.assert(
    fc.property(
      fc.integer(),
      fc.array(fc.integer({ min: 0, max: 7_000 }), { minLength: 1, maxLength: 40 }),
      (seed, seconds) => {
        const random = seededRandom(seed)
        const events = seconds.map((second) =>
          event(
            'abcdef'[Math.floor(random() * 6)] ?? 'a',
            T0 + second * 1_000,
            kinds[Math.floor(random() * kinds.length)] ?? 'click',
          ),
        )
        const { sink, visits } = counter()
        const windows = new Windows()
        const left = [...events]
        while (left.length > 0) {
          const some = left.splice(Math.floor(random() * left.length), 1 + Math.floor(random() * 4))
          windows.apply(batch(some, T0 + 7_000_000), sink)
        }
        // Reference: the definition, over the whole sorted history at once.
        const expected = new Map<string, number>()
        const history = toHistory(events, 1_000)
        let from = 0
        for (let to = 1; to <= history.length; to++) {
          const [last, following] = [history[to - 1], history[to]]
          if (following !== undefined && last !== undefined && following.at - last.at < 30 * MINUTE) continue
          const basket = new Set(
            history
              .slice(from, to)
              .flatMap(({ item, kind }) => (kind === 'add-to-cart' || kind === 'purchase' ? [item] : [])),
          )
          for (const one of basket) {
            for (const other of basket) {
              if (one < other) expected.set(`${one}+${other}`, (expected.get(`${one}+${other}`) ?? 0) + 1)
            }
          }
          from = to
        }
        expect(Object.fromEntries(visits)).toEqual(Object.fromEntries(expected))
      },
    ),
  )
})
