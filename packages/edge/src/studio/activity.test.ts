import { buildEvent, seededRandom } from '@attune/core/testing'
import { expect, test } from 'vitest'
import { Activity, processActivityStore, OTHER_SLOT } from './activity.ts'

const random = seededRandom(1)
const T = 1_764_000_000_000

function activity() {
  let now = T
  const store = processActivityStore(() => now)
  return { store, counted: new Activity(store, () => now), advance: (ms: number) => (now += ms) }
}

test('events, lists, impressions and clicks come together by slot in buckets of five seconds', async () => {
  const { counted, advance } = activity()
  const seen = ['top', 'top', 'side'].map((slot) => buildEvent(random, { at: T, kind: 'impression', slot }))
  counted.stored(
    [...seen, buildEvent(random, { at: T, kind: 'click', slot: 'top' }), buildEvent(random, { at: T })],
    200,
  )
  counted.listed('top', true)
  advance(5_000)
  counted.listed('top', false)
  counted.stored([buildEvent(random, { at: T, kind: 'view' })], 900)
  expect(await counted.read()).toEqual([
    {
      at: T,
      events: 5,
      lists: 1,
      stale: 0,
      lagMs: 200,
      slots: [
        { slot: 'top', lists: 1, impressions: 2, clicks: 1 },
        { slot: 'side', lists: 0, impressions: 1, clicks: 0 },
      ],
    },
    {
      at: T + 5_000,
      events: 1,
      lists: 1,
      stale: 1,
      lagMs: 900,
      slots: [{ slot: 'top', lists: 1, impressions: 0, clicks: 0 }],
    },
  ])
})

test('two processes add up; what is older than 15 minutes is gone', async () => {
  const { store, counted, advance } = activity()
  const other = new Activity(store, () => T)
  counted.listed('top', true)
  other.listed('top', true)
  await other.read()
  expect((await counted.read()).map(({ lists }) => lists)).toEqual([2])
  advance(15 * 60_000 + 5_000)
  counted.listed('top', true)
  expect((await counted.read()).map(({ at }) => at - T)).toEqual([15 * 60_000 + 5_000])
})

test('names of slots that strangers invent do not fill the memory', async () => {
  const { counted } = activity()
  for (let slot = 0; slot < 1_000; slot++) counted.listed(`slot-${slot}`, true)
  counted.listed('__proto__', true)
  counted.stored([buildEvent(random, { at: T, kind: 'click', slot: 'constructor' })], 0)
  const slots = (await counted.read())[0]?.slots ?? []
  expect(slots.length).toBe(41)
  expect(slots.reduce((sum, { lists }) => sum + lists, 0)).toBe(1_001)
  expect(slots.at(-1)).toEqual({ slot: OTHER_SLOT, lists: 961, impressions: 0, clicks: 1 })
})

test('what could not be handed on goes with the next', async () => {
  let now = T
  let down = true
  const taken: number[] = []
  const counted = new Activity(
    {
      scope: 'deployment',
      add: (buckets) => {
        if (down) return Promise.reject(new Error('the object was reset'))
        taken.push(...buckets.map(({ lists }) => lists))
        return Promise.resolve()
      },
      read: () => Promise.resolve([]),
    },
    () => now,
  )
  const work: Promise<unknown>[] = []
  const share = (): void => {
    counted.share((one) => work.push(one))
  }
  counted.listed('top', true)
  share()
  await Promise.all(work)
  down = false
  counted.listed('top', true)
  share()
  expect(work).toHaveLength(1)
  now += 5_000
  share()
  await Promise.all(work)
  expect(taken).toEqual([2])
})
