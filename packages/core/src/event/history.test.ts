import { expect, test } from 'vitest'
import type { TrackedEvent } from './event.ts'
import { disliked, toHistory, visitStart } from './history.ts'

let next = 0
const event = (kind: TrackedEvent['kind'], item: string, at: number): TrackedEvent => ({
  id: `0190a000-0000-7000-8000-${String(++next).padStart(12, '0')}`,
  kind,
  item,
  at,
})
const items = (events: TrackedEvent[], limit = 50) =>
  toHistory(events, limit).map((step) => `${step.kind} ${step.item}`)

test('events stored and told again by the page are merged by id and put in order of time', () => {
  const a = event('click', 'a', 1)
  const b = event('click', 'b', 2)
  expect(items([b, a, b, a])).toEqual(['click a', 'click b'])
})

test('a click and the view it opens are one step of the stronger kind', () => {
  expect(items([event('click', 'a', 1), event('view', 'a', 2), event('add-to-cart', 'a', 3)])).toEqual([
    'add-to-cart a',
  ])
})

test('the same kind twice on one item is a return to it: two steps', () => {
  expect(items([event('view', 'a', 1), event('view', 'a', 2)])).toEqual(['view a', 'view a'])
})

test('impressions, searches and dislikes are no steps; custom events on an item are', () => {
  const search: TrackedEvent = {
    id: '0190a000-0000-7000-8000-999999999999',
    kind: 'search',
    at: 4,
    query: 'q',
  }
  expect(
    items([event('impression', 'a', 1), event('dislike', 'b', 2), search, event('custom:zoom', 'c', 5)]),
  ).toEqual(['custom c'])
})

test('the limit keeps the newest', () => {
  expect(items([event('click', 'a', 1), event('click', 'b', 2), event('click', 'c', 3)], 2)).toEqual([
    'click b',
    'click c',
  ])
})

test('a later like takes a dislike back', () => {
  expect([...disliked([event('dislike', 'a', 1), event('dislike', 'b', 1), event('like', 'a', 2)])]).toEqual([
    'b',
  ])
})

test('a visit starts after a gap of 30 minutes', () => {
  const minutes = (...times: number[]) => times.map((at) => ({ at: at * 60_000 }))
  expect(visitStart(minutes(0, 29, 58))).toBe(0)
  expect(visitStart(minutes(0, 30, 40))).toBe(1)
  expect(visitStart(minutes(0, 40, 80))).toBe(2)
  expect(visitStart([])).toBe(0)
})
