import type { TrackedEvent } from '@attune/core'
import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import type { Batch } from './batch.ts'
import { createQueue, type Queue } from './queue.ts'
import { createFactKeeper } from './store/facts.ts'
import { createKept } from './store/kept.ts'
import type { KeyValueStore } from './store/key-value.ts'
import { createMemoryStore } from './store/memory.ts'
import { createSpill } from './store/spill.ts'

afterEach(() => vi.unstubAllGlobals())

/** What happens in a tab, one of three. The tab that acted last without `other` has the lock. */
const command = fc.record({
  tab: fc.integer({ min: 0, max: 2 }),
  what: fc.constantFrom(
    'click', // kept in the database
    'click and end', // the page ends at once: its write does not reach the database
    'click and leave', // sends what it has as it goes, and ends; its write does not reach the database
    'send', // answered
    'send, no answer', // stored, but nobody hears of it
    'send, not stored', // 5xx, or no network
    'reload',
    'browser killed', // localStorage is as it was some time before
  ),
})

test('clicks in three tabs that are closed, crash and are killed, with answers lost and localStorage brought back: each that was kept is stored once, in order per page', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 60 }), async (commands) => {
      let time = 1_000_000
      let ids = 0
      // As UUIDv7: later ones sort later.
      const makeId = (): string => String(++ids).padStart(8, '0')
      const shared = createMemoryStore()
      vi.stubGlobal('localStorage', {})
      let disk = {}
      const stored = new Map<string, readonly TrackedEvent[]>()
      const clicked: string[] = []

      interface Page {
        readonly name: string
        readonly queue: Queue
        dead: boolean
        clicks: number
      }
      const open = (): Page => {
        const page: { dead: boolean } = { dead: false }
        const store: KeyValueStore = {
          ...shared,
          put: (pairs) => (page.dead ? new Promise(() => {}) : shared.put(pairs)),
        }
        const name = makeId()
        const report = (code: string): never => {
          throw new Error(code)
        }
        const kept = createKept(
          async () => store,
          report,
          () => true,
          createSpill('attune-site', name, () => time),
        )
        const queue = createQueue(kept, createFactKeeper(kept), makeId, report, () => time)
        return Object.assign(page, { name, queue, clicks: 0 })
      }
      const tabs = [open(), open(), open()]
      for (const { queue } of tabs) await queue._next()
      let holder = 0
      /** Only a tab that has found nothing else may send its own as it goes. */
      let clean = true

      const click = (page: Page, alone: boolean): void => {
        const item = `${page.name}-${String(page.clicks++).padStart(3, '0')}`
        clicked.push(item)
        const whole = page.queue._add([{ id: makeId(), kind: 'click', item, at: time }], alone)
        if (!whole) clean = false
      }
      const store = (batch: Batch): void => {
        if (!stored.has(batch.id)) stored.set(batch.id, batch.events)
      }
      const take = (index: number): void => {
        if (holder === index) return
        tabs[holder]?.queue._take()
        holder = index
        clean = false
      }
      const end = (index: number): void => {
        if (holder === index) clean = false
        tabs[index] = open()
      }
      const send = async (page: Page, answer: string): Promise<void> => {
        const own = clean ? page.queue._take() : undefined
        const batch = own ?? (clean ? undefined : await page.queue._next())
        clean ||= !batch
        if (!batch) return
        if (answer !== 'send, not stored') store(batch)
        if (answer === 'send') await page.queue._done(batch, (facts) => facts)
        else clean = false
        if (!own) clean = false
      }

      for (const { tab: index, what } of commands) {
        time += 700
        const page = tabs[index] as Page
        switch (what) {
          case 'click':
            click(page, index === holder)
            break
          case 'click and end':
            page.dead = true
            click(page, index === holder)
            end(index)
            break
          case 'click and leave': {
            page.dead = true
            click(page, index === holder)
            const last = index === holder && clean ? page.queue._take() : undefined
            if (last) store(last)
            end(index)
            break
          }
          case 'reload':
            end(index)
            break
          case 'browser killed': {
            // All that was written to the database in time is there.
            await new Promise((resolve) => setImmediate(resolve))
            vi.stubGlobal('localStorage', { ...disk })
            for (let each = 0; each < 3; each++) {
              ;(tabs[each] as Page).dead = true
              tabs[each] = open()
            }
            clean = false
            break
          }
          default:
            take(index)
            await send(page, what)
        }
        // Written to disk now and then.
        if (time % 2_100 === 0) disk = { ...localStorage }
        await new Promise((resolve) => setImmediate(resolve))
        if (what.startsWith('click and')) disk = { ...localStorage }
      }
      time += 10_000
      const last = open()
      for (let batch = await last.queue._next(); batch; batch = await last.queue._next()) {
        store(batch)
        await last.queue._done(batch, (facts) => facts)
      }
      const items = [...stored.values()].flatMap((events) => events.map(({ item }) => item ?? ''))
      expect(items.toSorted()).toEqual(clicked.toSorted())
      for (const page of new Set(items.map((item) => item.split('-')[0]))) {
        const own = items.filter((item) => item.startsWith(`${page}-`))
        expect(own).toEqual(own.toSorted())
      }
    }),
    { numRuns: 300 },
  )
}, 60_000)
