import { toHistory, type TrackedEvent } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Windows, type CountSink, type StoredBatch } from './windows.ts'

const T0 = 1_764_000_000_000
const MINUTE = 60_000

/** Counts as plain numbers: `a>b` in units of 1/2520, and steps. */
function counter(): {
  sink: CountSink
  pairs: Map<string, number>
  steps: Map<string, number>
  examples: string[]
} {
  const pairs = new Map<string, number>()
  const steps = new Map<string, number>()
  const examples: string[] = []
  const add = (map: Map<string, number>, key: string, by: number) => {
    const total = (map.get(key) ?? 0) + by
    if (total === 0) map.delete(key)
    else map.set(key, total)
  }
  const sink: CountSink = {
    step: (item, sign) => add(steps, item, sign),
    pair: (source, target, units, sign) => add(pairs, `${source}>${target}`, sign * units),
    example: (history, target) => examples.push(`${history.map(({ item }) => item).join('')}→${target.item}`),
  }
  return { sink, pairs, steps, examples }
}

let next = 0
const event = (item: string, at: number, kind: TrackedEvent['kind'] = 'click'): TrackedEvent => ({
  id: `e${String(next++).padStart(6, '0')}`,
  kind,
  item,
  at,
})
const batch = (
  events: TrackedEvent[],
  received = Math.max(...events.map(({ at }) => at)),
  visitor = 'v',
): StoredBatch => ({
  id: `b${next++}`,
  visitor,
  received,
  events,
})

test('clicks a, b, c count a>b 1, b>c 1 and a>c 1/2, worked by hand', () => {
  const { sink, pairs, steps, examples } = counter()
  new Windows().apply(batch([event('a', T0), event('b', T0 + 1), event('c', T0 + 2)]), sink)
  expect(Object.fromEntries(pairs)).toEqual({ 'a>b': 2520, 'b>c': 2520, 'a>c': 1260 })
  expect(Object.fromEntries(steps)).toEqual({ a: 1, b: 1, c: 1 })
  expect(examples).toEqual(['a→b', 'ab→c'])
})

test('a gap of 30 minutes separates visits; 29 minutes and 59 seconds do not', () => {
  const apart = counter()
  new Windows().apply(batch([event('a', T0), event('b', T0 + 30 * MINUTE)]), apart.sink)
  expect(apart.pairs.size).toBe(0)
  const close = counter()
  new Windows().apply(batch([event('a', T0), event('b', T0 + 30 * MINUTE - 1_000)]), close.sink)
  expect(Object.fromEntries(close.pairs)).toEqual({ 'a>b': 2520 })
})

test('pairs 10 apart count 1/10, pairs 11 apart nothing', () => {
  const { sink, pairs } = counter()
  const items = [...'abcdefghijkl']
  new Windows().apply(batch(items.map((item, index) => event(item, T0 + index))), sink)
  expect(pairs.get('a>k')).toBe(252)
  expect(pairs.has('a>l')).toBe(false)
})

test('the same batch told twice, and an event told in two batches, count once', () => {
  const { sink, pairs, steps } = counter()
  const windows = new Windows()
  const first = batch([event('a', T0), event('b', T0 + 1)])
  expect(windows.apply(first, sink)).toBe(true)
  expect(windows.apply(first, sink)).toBe(false)
  windows.apply(batch([first.events[1] as TrackedEvent, event('c', T0 + 2)]), sink)
  expect(Object.fromEntries(steps)).toEqual({ a: 1, b: 1, c: 1 })
  expect(Object.fromEntries(pairs)).toEqual({ 'a>b': 2520, 'b>c': 2520, 'a>c': 1260 })
})

test('a click that arrives late is put in its place and what its neighbours counted is taken back', () => {
  const { sink, pairs } = counter()
  const windows = new Windows()
  windows.apply(batch([event('a', T0), event('c', T0 + 2_000)]), sink)
  expect(Object.fromEntries(pairs)).toEqual({ 'a>c': 2520 })
  windows.apply(batch([event('b', T0 + 1_000)], T0 + 3_000), sink)
  expect(Object.fromEntries(pairs)).toEqual({ 'a>b': 2520, 'b>c': 2520, 'a>c': 1260 })
})

test('a click and the view it causes are one step; impressions and searches none', () => {
  const { sink, steps, pairs } = counter()
  const windows = new Windows()
  windows.apply(batch([event('x', T0, 'impression'), event('a', T0 + 1)]), sink)
  windows.apply(batch([event('a', T0 + 2, 'view'), event('b', T0 + 3)]), sink)
  expect(Object.fromEntries(steps)).toEqual({ a: 1, b: 1 })
  expect(Object.fromEntries(pairs)).toEqual({ 'a>b': 2520 })
})

test('an event of a clock that is ahead counts as of when the edge received it', () => {
  const { sink, pairs } = counter()
  const windows = new Windows()
  windows.apply(batch([event('a', T0 + 20 * 60 * MINUTE)], T0), sink)
  windows.apply(batch([event('b', T0 + 20 * 60 * MINUTE + 1)], T0 + MINUTE), sink)
  expect(Object.fromEntries(pairs)).toEqual({ 'a>b': 2520 })
})

test('visitors are forgotten two hours after their last batch, and the count is the same as if they were not', () => {
  const run = (sweeping: boolean) => {
    const { sink, pairs } = counter()
    const windows = new Windows()
    windows.apply(batch([event('a', T0)]), sink)
    if (sweeping) windows.apply(batch([event('z', T0 + 121 * MINUTE)], T0 + 121 * MINUTE, 'other'), sink)
    const size = windows.size
    // Late: it happened within the visit, but comes two hours on.
    windows.apply(batch([event('b', T0 + 1)], T0 + 122 * MINUTE), sink)
    return { pairs: Object.fromEntries(pairs), size }
  }
  expect(run(true)).toEqual({ pairs: {}, size: 1 })
  expect(run(false).pairs).toEqual({})
})

test('a state taken and given back goes on as if nothing had happened', () => {
  const { sink, pairs } = counter()
  const windows = new Windows()
  const first = batch([event('a', T0), event('b', T0 + 1)])
  windows.apply(first, sink)
  const again = Windows.from(structuredClone(windows.state()))
  expect(again.apply(first, sink)).toBe(false)
  again.apply(batch([event('c', T0 + 2)]), sink)
  expect(Object.fromEntries(pairs)).toEqual({ 'a>b': 2520, 'b>c': 2520, 'a>c': 1260 })
})

test('in any order of arrival, split into any batches, counts are those of the sorted history', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.array(fc.integer({ min: 0, max: 5_400 }), { minLength: 1, maxLength: 40 }),
      (seed, seconds) => {
        const random = seededRandom(seed)
        const events = seconds.map((second) =>
          event('abcdef'[Math.floor(random() * 6)] ?? 'a', T0 + second * 1_000),
        )
        const { sink, pairs, steps } = counter()
        const windows = new Windows()
        const left = [...events]
        while (left.length > 0) {
          const some = left.splice(Math.floor(random() * left.length), 1 + Math.floor(random() * 4))
          windows.apply(batch(some, T0 + 5_400_000), sink)
        }
        // Reference: the definition, over the whole sorted history at once.
        const expected = new Map<string, number>()
        const history = toHistory(events, 1_000)
        history.forEach((target, j) => {
          for (let i = j - 1; i >= Math.max(0, j - 10); i--) {
            const source = history[i]
            const later = history[i + 1]
            if (source === undefined || later === undefined || later.at - source.at >= 30 * MINUTE) break
            const key = `${source.item}>${target.item}`
            expected.set(key, (expected.get(key) ?? 0) + 2520 / (j - i))
          }
        })
        expect(Object.fromEntries(pairs)).toEqual(Object.fromEntries(expected))
        expect([...steps.values()].reduce((sum, count) => sum + count, 0)).toBe(history.length)
      },
    ),
  )
})

test('a visitor with 1,000 clicks keeps at most 256 in memory and loses no pair', () => {
  const { sink, pairs } = counter()
  const windows = new Windows()
  for (let at = 0; at < 1_000; at++) windows.apply(batch([event(`i${at % 3}`, T0 + at * 1_000)]), sink)
  // Σ over distances d of (1000 − d)·2520/d, all pairs together.
  let total = 0
  for (let distance = 1; distance <= 10; distance++) total += (1_000 - distance) * (2_520 / distance)
  expect([...pairs.values()].reduce((sum, units) => sum + units, 0)).toBe(total)
  expect(windows.state().visitors[0]?.[3].length).toBeLessThanOrEqual(256)
})
