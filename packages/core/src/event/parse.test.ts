import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_EVENT_AGE_MS } from './event.ts'
import { parseEvents } from './parse.ts'

const NOW = 1_764_000_000_000
const id = (n: number) => `0190a000-0000-7000-8000-${String(n).padStart(12, '0')}`
const click = { id: id(1), kind: 'click', item: 'a', at: NOW }

test('the good events of a mixed list are kept and each problem of the others has its path', () => {
  const { events, issues } = parseEvents(
    [
      click,
      { ...click, id: id(2), kind: 'clik' },
      { ...click, id: 'x', at: 'now' },
      7,
      { ...click, id: id(3) },
    ],
    NOW,
  )
  expect(events.map((event) => event.id)).toEqual([id(1), id(3)])
  expect(issues.map(({ path, code }) => [path, code])).toEqual([
    ['events[1].kind', 'EVENT_KIND_UNKNOWN'],
    ['events[2].id', 'EVENT_ID_INVALID'],
    ['events[2].at', 'EVENT_TIME_INVALID'],
    ['events[3]', 'EVENT_NOT_OBJECT'],
  ])
  expect(issues[0]?.message).toContain('received "clik"')
})

test.each([
  [{ at: NOW - MAX_EVENT_AGE_MS - 1 }, 'EVENT_TOO_OLD'],
  [{ at: NOW + 25 * 3_600_000 }, 'EVENT_IN_FUTURE'],
  [{ at: Number.NaN }, 'EVENT_TIME_INVALID'],
  [{ item: '' }, 'EVENT_ITEM_INVALID'],
  [{ item: 'x'.repeat(257) }, 'EVENT_ITEM_INVALID'],
  [{ item: undefined }, 'EVENT_ITEM_MISSING'],
  [{ kind: 'search', item: undefined }, 'EVENT_QUERY_MISSING'],
  [{ kind: 'custom:Upper' }, 'EVENT_KIND_UNKNOWN'],
  [{ position: -1 }, 'EVENT_POSITION_INVALID'],
  [{ position: 1.5 }, 'EVENT_POSITION_INVALID'],
  [{ value: Number.POSITIVE_INFINITY }, 'EVENT_VALUE_INVALID'],
  [{ slot: 'x'.repeat(65) }, 'EVENT_SLOT_INVALID'],
  [{ tab: '' }, 'EVENT_TAB_INVALID'],
  [{ seq: 0 }, 'EVENT_SEQ_INVALID'],
  [{ seq: 1.5 }, 'EVENT_SEQ_INVALID'],
])('%o is %s', (change, code) => {
  const { events, issues } = parseEvents([{ ...click, ...change }], NOW)
  expect(events).toEqual([])
  expect(issues.map((issue) => issue.code)).toEqual([code])
})

test('a custom event needs no item, a search needs only its query', () => {
  const custom = { id: id(4), kind: 'custom:newsletter', at: NOW }
  const search = { id: id(5), kind: 'search', at: NOW, query: 'shoes' }
  expect(parseEvents([custom, search], NOW)).toEqual({ events: [custom, search], issues: [] })
})

test('an id told twice counts once and is no problem', () => {
  expect(parseEvents([click, { ...click, item: 'b' }], NOW)).toEqual({ events: [click], issues: [] })
})

test('inherited and unknown properties are not read', () => {
  const odd = Object.assign(Object.create({ item: 'inherited' }) as object, {
    id: id(6),
    kind: 'click',
    at: NOW,
  })
  expect(parseEvents([odd], NOW).issues.map((issue) => issue.code)).toEqual(['EVENT_ITEM_MISSING'])
  const [event] = parseEvents(
    [JSON.parse(`{"id":"${id(7)}","kind":"click","item":"a","at":${NOW},"__proto__":{"x":1},"y":2}`)],
    NOW,
  ).events
  expect(Object.keys(event ?? {}).sort()).toEqual(['at', 'id', 'item', 'kind'])
})

test('whatever is given, nothing is thrown and every event is either kept or explained', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.anything(), fc.record({ ...mapConstants(click), kind: fc.string() }))),
      (input) => {
        const { events, issues } = parseEvents(input, NOW)
        const explained = new Set(issues.map((issue) => issue.path.split('.')[0]))
        const ids = new Set(events.map((event) => event.id))
        expect(explained.size + ids.size).toBeLessThanOrEqual(input.length)
        if (issues.length === 0)
          expect(ids.size).toBe(new Set(input.map((e) => (e as { id: string }).id)).size)
      },
    ),
  )
})

function mapConstants<T extends object>(value: T) {
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, fc.constant<unknown>(entry)]))
}
