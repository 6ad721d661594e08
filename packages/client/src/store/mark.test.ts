import { countMissing } from '@attune/core'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createQueue } from '../queue.ts'
import { advance, numbersBefore } from '../sequence.ts'
import { createFactKeeper } from './facts.ts'
import type { KeyValueStore } from './key-value.ts'
import { createKept } from './kept.ts'
import { createMemoryStore } from './memory.ts'
import { createSpill } from './spill.ts'

// What a tab's newest number leaves behind, and what becomes of it.

let time: number
let batches: number
/** Whether localStorage takes only what is no longer than what it replaces, as when its 5 MB are used up. */
let full: boolean

beforeEach(() => {
  time = 1_700_000_000_000
  batches = 0
  full = false
  const storage = new Proxy({} as Record<string, string>, {
    set(kept, key: string, value) {
      if (full && (kept[key] ?? '').length < String(value).length) throw new Error('QuotaExceededError')
      kept[key] = String(value)
      return true
    },
  })
  vi.stubGlobal('localStorage', storage)
})
afterEach(() => vi.unstubAllGlobals())

const never = (): Promise<never> => new Promise(() => {})

/** A page in the tab of this name. */
function page(name: string, tab: string, database: KeyValueStore) {
  const spill = createSpill('attune-site', name, () => time)
  const report = (code: string): void => {
    throw new Error(code)
  }
  const kept = createKept(
    async () => database,
    report,
    () => true,
    spill,
  )
  const facts = createFactKeeper(kept)
  const queue = createQueue(
    kept,
    facts,
    () => `id-${++batches + 1_000}`,
    report,
    () => time,
  )
  const number = (seq: number): void => spill._number({ tab, seq })
  return {
    number,
    click(seq: number): void {
      number(seq)
      queue._add([{ id: `${tab}-${seq}`, kind: 'click', item: 'tea', at: time, tab, seq }], false)
    },
    settled: () => kept._update(() => []),
    others: () => spill._others(false),
    look: queue._next,
    /** Sends all that waits: what the requests say of numbers. */
    async send() {
      const sent = []
      for (let batch = await queue._next(); batch; batch = await queue._next()) {
        const { id, events, last } = batch
        const after = numbersBefore(facts._known.seen, batch)
        sent.push({
          id,
          seqs: events.map(({ seq }) => seq),
          after,
          ...(last && { last }),
          ...countMissing(events, after, last),
        })
        await queue._done(batch, (known) => ({
          ...known,
          seen: advance(known.seen, { events, ...(last && { last }) }),
        }))
      }
      return sent
    },
  }
}

test('5 was numbered and never came, 1 to 4 did: 3 s later one batch says so, and no second one', async () => {
  const shared = createMemoryStore()
  const dying = page('p1', 'a', shared)
  for (let seq = 1; seq <= 4; seq++) dying.click(seq)
  await dying.settled()
  const other = page('p2', 'b', shared)
  expect((await other.send()).map(({ seqs, missing }) => [seqs, missing])).toEqual([
    [[1], 0],
    [[2], 0],
    [[3], 0],
    [[4], 0],
  ])
  dying.number(5)
  time += 2_999
  expect(await other.send()).toEqual([])
  time += 1
  expect(await other.send()).toEqual([
    { id: 'id-1005', seqs: [], after: { a: 4 }, last: [{ tab: 'a', seq: 5 }], missing: 1, late: 0 },
  ])
  expect(Object.keys(localStorage)).toEqual([])
  expect(await page('p3', 'c', shared).send()).toEqual([])
})

test('the tab goes on after all, with 7: 6 is missing, 5 is not counted again', async () => {
  const shared = createMemoryStore()
  const tab = page('p1', 'a', shared)
  const other = page('p2', 'b', shared)
  tab.number(5)
  time += 3_000
  // Nothing of this tab is known: 1 to 5.
  expect((await other.send()).map(({ missing }) => missing)).toEqual([5])
  tab.number(6)
  tab.click(7)
  await tab.settled()
  expect((await other.send()).map(({ after, missing, late }) => [after, missing, late])).toEqual([
    [{ a: 5 }, 1, 0],
  ])
})

test('localStorage is full and the page ends before its write: counted, as what is as long as before is still taken', async () => {
  const shared = createMemoryStore()
  let dead = false
  const dying = page('p1', 'a', { ...shared, put: (pairs) => (dead ? never() : shared.put(pairs)) })
  for (let seq = 1; seq <= 9; seq++) dying.click(seq)
  await dying.settled()
  full = true
  dead = true
  // 10 has a digit more.
  dying.click(10)
  time += 3_000
  const sent = await page('p2', 'b', shared).send()
  expect(sent.map(({ missing }) => missing)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  expect(sent.at(-1)?.last).toEqual([{ tab: 'a', seq: 10 }])
})

test('the same, but the page was only slow: what it brings later is late, and in sum nothing is missing', async () => {
  const shared = createMemoryStore()
  let goOn = (): void => {}
  const slow = new Promise<void>((resolve) => (goOn = resolve))
  const tab = page('p1', 'a', {
    ...shared,
    put: async (pairs) => {
      await slow
      await shared.put(pairs)
    },
  })
  await tab.settled()
  tab.number(1)
  full = true
  tab.click(1)
  time += 3_000
  const other = page('p2', 'b', shared)
  expect((await other.send()).map(({ missing, late }) => [missing, late])).toEqual([[1, 0]])
  goOn()
  await tab.settled()
  await vi.waitFor(async () =>
    expect((await other.send()).map(({ missing, late }) => [missing, late])).toEqual([[0, 1]]),
  )
})

test('an event that waits, in the database or in localStorage, is not lost: no batch says anything of its number', async () => {
  const shared = createMemoryStore()
  const spilled = page('p1', 'a', { ...shared, put: never })
  spilled.click(1)
  const written = page('p2', 'b', shared)
  written.click(1)
  await written.settled()
  // The page ended before it heard that it was written.
  written.number(1)
  time += 60_000
  const sent = await page('p3', 'c', shared).send()
  expect(sent.map(({ seqs, last }) => [seqs, last])).toEqual([
    [[1], undefined],
    [[1], undefined],
  ])
  expect(JSON.stringify(localStorage)).not.toContain('[')
})

test('a mark is idle as soon as its event is in localStorage or in the database: nobody has to look at it', async () => {
  const tab = page('p1', 'a', createMemoryStore())
  const other = page('p2', 'b', createMemoryStore())
  tab.number(1)
  expect(other.others()).toEqual(['attune-site:a'])
  tab.click(1)
  expect(other.others()).toEqual(['attune-site:p1'])
  await tab.settled()
  expect([other.others(), Object.keys(localStorage)]).toEqual([[], ['attune-site:a']])
  full = true
  tab.click(2)
  expect(other.others()).toEqual(['attune-site:a'])
  await tab.settled()
  expect(other.others()).toEqual([])
})

test('what was forgotten while an event was on its way is not put back when it arrives', async () => {
  const tab = page('p1', 'a', createMemoryStore())
  tab.click(1)
  for (const key of Object.keys(localStorage)) delete localStorage[key]
  await tab.settled()
  expect(Object.keys(localStorage)).toEqual([])
})

test('when the store has more than 200 keys idle marks are removed', async () => {
  const shared = createMemoryStore()
  const last = page('p', 'last', shared)
  for (let tab = 100; tab <= 200; tab++) {
    const one = page(`p${tab}`, `tab-${tab}`, shared)
    one.click(1)
    await one.settled()
    // A batch and the mark of its page, each.
    if (tab === 199) {
      await last.look()
      expect(Object.keys(localStorage)).toHaveLength(100)
    }
  }
  page('p201', 'tab-201', shared).number(1)
  await last.look()
  expect(Object.keys(localStorage)).toEqual(['attune-site:tab-201'])
})

test.each(['nonsense', '[1]', '[1,"x"]', '[1,null]', '{}', '[1,1e999]', ''])(
  'what somebody else has put there, %j, is counted as nothing',
  async (text) => {
    const shared = createMemoryStore()
    localStorage['attune-site:a'] = text
    expect((await page('p', 'b', shared).send()).map(({ missing }) => missing).filter(Boolean)).toEqual([])
  },
)
