import { seededRandom } from '@attune/core/testing'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import type { Client } from './client.ts'
import { findBrowser, startChromium, temporaryProfile } from '@attune/browsers'
import { bundleScript } from './web-testing/bundle.ts'
import { startWireServer } from './web-testing/wire-server.ts'

const executable = findBrowser('chromium')
const skipped = executable === undefined ? ' (skipped: no Chromium found; set ATTUNE_CHROMIUM)' : ''
const STEPS = Number(process.env['ATTUNE_CHAOS_STEPS'] ?? 60)
const SEED = Number(process.env['ATTUNE_CHAOS_SEED'] ?? 6)

describe.skipIf(executable === undefined)(`chaos in Chromium${skipped}`, () => {
  test(`${STEPS} steps of clicks in three tabs that are reloaded, left, closed and crashed, the edge failing one request in four: every click stored once, in order per page`, async () => {
    const random = seededRandom(SEED)
    const server = await startWireServer()
    const profile = temporaryProfile()
    let running = await startChromium(profile.path)
    try {
      server.files.set('/attune.js', { type: 'text/javascript', text: await bundleScript() })
      server.files.set('/bare', { type: 'text/html', text: '<!doctype html><title>no script</title>' })
      server.files.set('/', {
        type: 'text/html',
        text: `<!doctype html><title>shop</title>
          <script async src="/attune.js" data-endpoint="${server.endpoint}" data-site="public-key"></script>`,
      })
      server.fault = () => {
        const luck = random()
        return luck < 0.1
          ? 'cut-before'
          : luck < 0.2
            ? 'cut-after'
            : luck < 0.25
              ? { status: 503 }
              : undefined
      }

      let pages = 0
      const clicked: string[] = []
      /** How each page ended, for the message when something is missing. */
      const ends = new Map<number, string>()
      const tabs: { page: Page; life: number; clicks: number }[] = []
      /** The queue is there: a click in the milliseconds before lives in memory until then. */
      const ready = async (page: Page): Promise<void> => {
        // Not by animation frames, as is usual here: a tab behind another one may have none.
        await page.waitForFunction(() => window.attune && !Array.isArray(window.attune), undefined, {
          polling: 50,
        })
        await page.evaluate(() => (window.attune as Client).visitor())
      }
      const load = async (page: Page): Promise<void> => {
        await page.goto(server.origin)
        await ready(page)
      }
      const open = async (): Promise<{ page: Page; life: number; clicks: number }> => {
        const page = await running.context.newPage()
        await load(page)
        return { page, life: ++pages, clicks: 0 }
      }
      /** One item per click: `<page>-<number>`. Counts from the moment the handler has returned. */
      const click = async (tab: { page: Page; life: number; clicks: number }, leave: 'stay' | 'away') => {
        const item = `${tab.life}-${String(tab.clicks++).padStart(4, '0')}`
        await tab.page.evaluate(
          ([id, then]) => {
            ;(window.attune as Client).track('click', id)
            if (then === 'away') location.href = '/bare'
          },
          [item, leave] as const,
        )
        clicked.push(item)
      }
      for (let count = 0; count < 3; count++) tabs.push(await open())

      for (let step = 0; step < STEPS; step++) {
        const index = Math.floor(random() * tabs.length)
        const tab = tabs[index]
        if (tab === undefined) throw new Error('no such tab')
        const luck = random()
        const end =
          luck < 0.8
            ? 'reloaded'
            : luck < 0.88
              ? 'left'
              : luck < 0.95
                ? 'closed'
                : luck < 0.98
                  ? 'crashed'
                  : 'killed'
        if (luck >= 0.7) ends.set(tab.life, end)
        if (luck < 0.7) {
          for (let burst = 1 + Math.floor(random() * 3); burst > 0; burst--) await click(tab, 'stay')
          await sleep(random() * 80)
        } else if (luck < 0.8) {
          await click(tab, 'stay')
          await tab.page.reload()
          await ready(tab.page)
          Object.assign(tab, { life: ++pages, clicks: 0 })
        } else if (luck < 0.88) {
          await click(tab, 'away')
          await tab.page.waitForURL('**/bare')
          await load(tab.page)
          Object.assign(tab, { life: ++pages, clicks: 0 })
        } else if (luck < 0.95) {
          await click(tab, 'stay')
          await tab.page.close()
          tabs[index] = await open()
        } else if (luck < 0.98) {
          await click(tab, 'stay')
          const crashed = tab.page.waitForEvent('crash')
          const devtools = await running.context.newCDPSession(tab.page)
          devtools.send('Page.crash').catch(() => {})
          await crashed
          await tab.page.close()
          tabs[index] = await open()
        } else {
          await click(tab, 'stay')
          // IndexedDB's process is the one that is killed here: give a click's write the moment it needs to get there.
          await sleep(50)
          await running.kill()
          running = await startChromium(profile.path)
          for (let again = 0; again < tabs.length; again++) tabs[again] = await open()
        }
      }

      server.fault = () => undefined
      await open()
      const missing = () => {
        const stored = new Set(server.events().map((event) => event.item))
        return clicked
          .filter((item) => !stored.has(item))
          .map((item) => `${item}: ${ends.get(Number(item.split('-')[0]))}`)
      }
      await expect.poll(missing, { timeout: 30_000, interval: 100 }).toEqual([])
      await sleep(300)
      const stored = server.events().map((event) => String(event.item))
      expect([...stored].sort()).toEqual([...clicked].sort())
      expect(new Set(server.events().map((event) => event.id)).size).toBe(stored.length)
      expect(new Set(server.stored.map((batch) => batch.visitor)).size).toBe(1)
      const disorder = stored.filter((item, at) =>
        stored.slice(0, at).some((earlier) => earlier.split('-')[0] === item.split('-')[0] && earlier > item),
      )
      expect(disorder).toEqual([])
    } finally {
      await running.close()
      await server.close()
      profile.remove()
    }
  }, 300_000)
})
