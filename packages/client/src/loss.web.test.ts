import { setTimeout as sleep } from 'node:timers/promises'
import { countMissing } from '@attune/core'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { bundleScript } from './web-testing/bundle.ts'
import { describeInChromium } from './web-testing/in-chromium.ts'

interface Shop {
  readonly attune: { on(name: 'seen', listener: () => void): void }
  fill(): void
}

/** What a page left is taken over 3 s later, by the first that looks. */
const ABANDONED_AFTER_MS = 3_100

describeInChromium(
  'what a tab numbered and nobody has',
  {
    flags: ['--enable-features=BackForwardCache'],
    serve: async (server) => {
      server.files.set('/attune.js', { type: 'text/javascript', text: await bundleScript() })
      const shop = `<!doctype html><title>shop</title>
        <script>
          /** Fills localStorage to the last character. */
          function fill() {
            for (let size = 4_000_000; size >= 1; size = Math.floor(size / 2)) {
              try {
                for (let at = 0; ; at++) localStorage['filler-' + size + '-' + at] = 'x'.repeat(size)
              } catch {}
            }
            try { for (;;) localStorage['filler'] = (localStorage['filler'] ?? '') + 'x' } catch {}
          }
        </script>
        <script async src="/attune.js" data-endpoint="${server.endpoint}" data-site="public-key"></script>
        <button data-attune-item="tea">tea</button> <a href="/next">next</a>`
      server.files.set('/', { type: 'text/html', text: shop })
      server.files.set('/next', { type: 'text/html', text: shop })
      server.files.set('/bare', { type: 'text/html', text: '<!doctype html><title>no script</title>' })
    },
  },
  (web) => {
    const ready = (page: Page) =>
      page.waitForFunction(() => (window as { attune?: unknown }).attune !== undefined)
    const open = async (path = '/'): Promise<Page> => {
      const page = await web.context.newPage()
      await page.goto(web.server.origin + path)
      if (path !== '/bare') await ready(page)
      return page
    }
    const seqs = () =>
      web.server
        .events()
        .filter(({ kind }) => kind === 'click')
        .map(({ seq }) => seq)
    const press = (page: Page) => page.evaluate(() => document.querySelector('button')?.click())
    const click = async (page: Page): Promise<void> => {
      const before = seqs().length
      await press(page)
      await expect.poll(() => seqs().length).toBe(before + 1)
    }
    /** What an edge counts, each batch once. */
    const missing = () =>
      web.server.stored
        .map(({ events, after, last }) => countMissing(events, after, last))
        .reduce((sum, one) => sum + one.missing - one.late, 0)
    const told = () => web.server.attempts.filter(({ last }) => last !== undefined)
    /** Ends in the task of `work`: no callback, no timer, no pagehide. */
    const crashIn = async (page: Page, work: () => void): Promise<void> => {
      const devtools = await web.context.newCDPSession(page)
      const crashed = page.waitForEvent('crash')
      page.evaluate(work).catch(() => {})
      await sleep(500)
      devtools.send('Page.crash').catch(() => {})
      await crashed
      await page.close()
    }
    /** Long enough for what others left, and for what comes of it. */
    const look = async (): Promise<Page> => {
      await sleep(ABANDONED_AFTER_MS)
      const page = await open()
      await sleep(500)
      return page
    }

    test('two tabs killed for good between number and queue: the next page tells of both, once, whatever is sent again; the edge counts 2', async () => {
      for (const clicks of [2, 1]) {
        const page = await open()
        for (let made = 0; made < clicks; made++) await click(page)
        await crashIn(page, () => {
          // Code of the page that runs when the click has its number.
          ;(window as unknown as Shop).attune.on('seen', () => {
            for (;;);
          })
          document.querySelector('button')?.click()
        })
      }
      expect([seqs(), missing()]).toEqual([[1, 2, 1], 0])
      let cut = 0
      web.server.fault = () => (told().length === 1 && cut++ === 0 ? 'cut-after' : undefined)
      const page = await look()
      await expect.poll(() => told().length, { timeout: 10_000 }).toBe(2)
      expect(told()[1]).toEqual(told()[0])
      expect(told()[0]).toMatchObject({
        events: [],
        last: [{ seq: expect.any(Number) }, { seq: expect.any(Number) }],
      })
      expect(told()[0]?.last?.map(({ tab, seq }) => seq - (told()[0]?.after?.[tab] ?? 0))).toEqual([1, 1])
      expect(missing()).toBe(2)
      await click(page)
      await look()
      expect([told().length, missing()]).toEqual([2, 2])
    })

    test('localStorage full to the last character, the database takes nothing, the tab is killed: the edge counts 1', async () => {
      const page = await open()
      await click(page)
      await crashIn(page, () => {
        ;(window as unknown as Shop).fill()
        IDBObjectStore.prototype.put = () => {
          throw new DOMException('refused', 'QuotaExceededError')
        }
        document.querySelector('button')?.click()
        for (;;);
      })
      const bare = await open('/bare')
      expect(
        await bare.evaluate(() => Object.keys(localStorage).some((key) => key.startsWith('filler'))),
      ).toBe(true)
      await look()
      await expect.poll(missing).toBe(1)
      expect(seqs()).toEqual([1])
      expect(told()).toHaveLength(1)
    })

    test('localStorage full, a click, and the tab is closed at once: it is in the database or sent as the page goes, and none is missing', async () => {
      const page = await open()
      await click(page)
      await page.evaluate(() => {
        ;(window as unknown as Shop).fill()
        document.querySelector('button')?.click()
      })
      await page.close()
      await look()
      await expect.poll(seqs).toEqual([1, 2])
      expect([missing(), told()]).toEqual([0, []])
    })

    test('pages that come back from the cache, a duplicated tab, a tab that is frozen with a click on its way: nobody tells of a loss', async () => {
      const page = await open()
      await click(page)
      await page.click('text=next')
      await page.waitForURL('**/next')
      await ready(page)
      await click(page)
      await page.evaluate(() => history.back())
      await expect.poll(() => page.evaluate(() => location.pathname)).toBe('/')
      await click(page)
      const [copy] = await Promise.all([
        web.context.waitForEvent('page'),
        page.evaluate(() => void window.open('/')),
      ])
      await ready(copy)
      await click(copy)
      await click(page)
      const frozen = await open()
      await click(frozen)
      await frozen.evaluate(() => (window as unknown as Shop).fill())
      const devtools = await web.context.newCDPSession(frozen)
      await page.bringToFront()
      await Promise.all([press(frozen), devtools.send('Page.setWebLifecycleState', { state: 'frozen' })])
      await look()
      await expect.poll(() => seqs().length).toBe(7)
      await devtools.send('Page.setWebLifecycleState', { state: 'active' })
      await click(frozen)
      for (const each of [page, copy, frozen]) await each.close()
      await look()
      expect([told(), missing(), seqs().length]).toEqual([[], 0, 8])
    })

    test('forget() and a no leave no mark', async () => {
      const marks = (page: Page) =>
        page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('attune-')).length)
      const page = await open()
      const other = await open()
      for (const each of [page, other]) await click(each)
      expect(await marks(page)).toBe(2)
      await page.evaluate(() =>
        (window as unknown as { attune: { forget(): Promise<void> } }).attune.forget(),
      )
      expect(await marks(page)).toBe(0)
      await click(other)
      expect(await marks(page)).toBe(1)
      await other.evaluate(() =>
        (window as unknown as { attune: { consent(answer: string): void } }).attune.consent('denied'),
      )
      await press(other)
      await expect.poll(() => marks(page)).toBe(0)
      await other.close()
      await look()
      expect([told(), missing()]).toEqual([[], 0])
    })
  },
)
