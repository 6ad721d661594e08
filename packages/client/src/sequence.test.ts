import { countMissing, type TrackedEvent } from '@attune/core'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { advance, createSequence, numbersBefore, type Seen } from './sequence.ts'

beforeEach(() => vi.stubGlobal('sessionStorage', {}))
afterEach(() => vi.unstubAllGlobals())

const names = () => {
  let made = 0
  return () => `tab-${++made}`
}

test('numbers go on over a reload of the tab, and from 1 under another name after renew()', () => {
  const first = createSequence('attune-site', names(), () => true)
  expect([first._next(), first._next()]).toEqual([
    { tab: 'tab-1', seq: 1 },
    { tab: 'tab-1', seq: 2 },
  ])
  const makeName = names()
  makeName()
  const reloaded = createSequence('attune-site', makeName, () => true)
  expect(reloaded._next()).toEqual({ tab: 'tab-1', seq: 3 })
  // The page before it comes back (back/forward cache).
  expect(first._next()).toEqual({ tab: 'tab-1', seq: 4 })
  reloaded._renew()
  expect(reloaded._next()).toEqual({ tab: 'tab-3', seq: 1 })
  expect(first._next()).toEqual({ tab: 'tab-3', seq: 2 })
})

test('while nothing may be kept nothing is written, and the numbers go on once it may', () => {
  let allowed = false
  const sequence = createSequence('attune-site', names(), () => allowed)
  sequence._next()
  expect(Object.keys(sessionStorage)).toEqual([])
  allowed = true
  expect(sequence._next()).toEqual({ tab: 'tab-1', seq: 2 })
  expect(Object.keys(sessionStorage)).toEqual(['attune-site'])
})

test('where sessionStorage is refused or holds nonsense, each page counts for itself', () => {
  const refuse = () => {
    throw new Error('SecurityError')
  }
  vi.stubGlobal('sessionStorage', new Proxy({}, { get: refuse, set: refuse }))
  const refused = createSequence('attune-site', names(), () => true)
  expect([refused._next().seq, refused._next().seq]).toEqual([1, 2])
  vi.stubGlobal('sessionStorage', { 'attune-site': '{"oops' })
  expect(createSequence('attune-site', names(), () => true)._next()).toEqual({ tab: 'tab-1', seq: 1 })
})

test('of 201 tabs the one not heard of longest is given up, and is not counted again from 0', () => {
  const event = (tab: string, seq: number) => ({ id: '', kind: 'click', at: 0, tab, seq }) as const
  let seen: Seen = {}
  for (let tab = 0; tab <= 200; tab++) seen = advance(seen, { events: [event(`tab-${tab}`, 7)] })
  expect(Object.keys(seen)).toHaveLength(200)
  expect(numbersBefore(seen, { events: [event('tab-0', 8)] })).toEqual({})
  expect(countMissing([event('tab-0', 8)], numbersBefore(seen, { events: [event('tab-0', 8)] }))).toEqual({
    missing: 0,
    late: 0,
  })
  expect(numbersBefore(seen, { events: [event('tab-1', 8)] })).toEqual({ 'tab-1': 7 })
})

/** What happens to an event: it is lost, or waits until the so-many-th batch is formed. */
const fate = fc.oneof(
  { weight: 3, arbitrary: fc.constant('lost' as const) },
  { weight: 7, arbitrary: fc.integer({ min: 0, max: 4 }) },
)

test('whatever is lost, held up, sent again or mixed between tabs: the edge, told of each batch one by one, has the exact number', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ tab: fc.constantFrom('a', 'b', 'c'), fate }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 7 }),
      fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 80 }),
      (made, size, sends) => {
        const numbers = new Map<string, number>()
        let waiting: { at: number; event: TrackedEvent }[] = []
        let lost = 0
        made.forEach((one, index) => {
          const seq = (numbers.get(one.tab) ?? 0) + 1
          numbers.set(one.tab, seq)
          const event = { id: `${index}`, kind: 'click', item: 'x', at: 0, tab: one.tab, seq } as const
          if (one.fate === 'lost') lost++
          // Held up: by the page that could not write it down, or by another tab's memory.
          else waiting.push({ at: index + one.fate * size, event })
        })
        // A loss at the very end of a tab shows when the tab goes on.
        for (const [tab, seq] of numbers) {
          const event = { id: tab, kind: 'click', item: 'x', at: 0, tab, seq: seq + 1 } as const
          waiting.push({ at: Infinity, event })
        }
        waiting = waiting.toSorted((one, two) => one.at - two.at)
        const stored = new Set<number>()
        let seen: Seen = {}
        let missing = 0
        let late = 0
        for (let batch = 0; waiting.length > 0; batch++) {
          const events = waiting.splice(0, size).map((each) => each.event)
          // The answer may be lost: the batch is sent again, by this page or the next, as nothing overtakes it.
          for (let again = sends[batch] ?? 1; again > 0; again--) {
            const after = numbersBefore(seen, { events })
            // 409: stored before, not counted again.
            if (stored.has(batch)) continue
            stored.add(batch)
            const counted = countMissing(events, after)
            missing += counted.missing
            late += counted.late
          }
          seen = advance(seen, { events })
        }
        expect(missing - late).toBe(lost)
        if (made.every((one) => one.fate === 'lost' || one.fate === 0)) expect(late).toBe(0)
      },
    ),
    { numRuns: 500 },
  )
})
