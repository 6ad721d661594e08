import { expect, test } from 'vitest'
import type { Told } from './attune.ts'
import { follow, type Memory } from './journey.ts'

const click = { id: 'e1', kind: 'click', item: 'fox', at: 1_000 } as const
const ranked = (ids: readonly string[], recent: readonly (typeof click)[], session?: string): Told => [
  'ranked',
  {
    request: { slot: 'for-you', recent, ...(session !== undefined && { session }) },
    response: {
      decision: 'd',
      slot: 'for-you',
      strategy: 'for-you',
      epoch: 1,
      delta: 3,
      fresh: true,
      items: ids.map((id) => ({ id, score: 1 })),
    },
    durationMs: 20,
  },
]
const stored = (id: string): Told => [
  'stored',
  {
    events: [{ ...click, id }],
    response: {
      batch: 'b',
      accepted: 1,
      rejected: [],
      duplicate: false,
      session: '0:-1#5',
      diagnostics: { cosmosMs: 2, ru: 6.29 },
    },
    durationMs: 12,
  },
]
const tell = (...story: readonly Told[]): Memory =>
  story.reduce(follow, { journey: undefined, list: undefined } as Memory)

test('a list, a click, its storing and the next list make one journey, in whichever order the answers come', () => {
  const begin = [ranked(['a', 'b'], []), ['queued', { event: click }]] as const
  const one = tell(...begin, stored('e1'), ranked(['b', 'c'], [click], '0:-1#5'))
  const other = tell(...begin, ranked(['b', 'c'], [click], '0:-1#5'), stored('e1'))
  expect(other).toEqual(one)
  expect(one.journey).toMatchObject({
    before: ['a', 'b'],
    stored: { durationMs: 12, session: '0:-1#5', events: 1 },
    list: { ids: ['b', 'c'], epoch: 1, delta: 3, session: '0:-1#5' },
  })
})

test('a list that was not told of the click, another click’s storing and another slot change nothing of it', () => {
  const memory = tell(['queued', { event: click }], ranked(['x'], []), stored('e2'))
  expect(memory.journey).toEqual({ event: click, before: undefined })
  expect(memory.list).toEqual(['x'])
})

test('looking is not clicking: views, impressions and searches begin no journey', () => {
  for (const kind of ['view', 'impression', 'search'] as const) {
    expect(tell(['queued', { event: { ...click, kind } }]).journey).toBeUndefined()
  }
})

test('only the first list after a click is the one it is credited with', () => {
  const memory = tell(['queued', { event: click }], ranked(['b'], [click]), ranked(['c'], [click]))
  expect(memory.journey?.list?.ids).toEqual(['b'])
  expect(memory.list).toEqual(['c'])
})
