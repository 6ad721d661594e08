import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChromium } from '@attune/browsers'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { sleep, until } from '../testing/stack.ts'
import { storedEvents } from '../testing/stored-events.ts'
import { PATIENCE_MS, type House } from './house.ts'

/** As much of `window.attune` as these tests use. */
interface PageAttune {
  on(name: 'queued', told: (detail: { event: { id: string; kind: string } }) => void): void
}

/** Clicks a good's link and tells the id of the click, once it is kept in the browser. */
async function clickAndListen(page: Page, good: string): Promise<string> {
  await page.evaluate(() => {
    const heard: string[] = []
    Object.assign(window, { heard })
    const { attune } = window as unknown as { attune: PageAttune }
    attune.on('queued', ({ event }) => event.kind === 'click' && heard.push(event.id))
  })
  await page.click(`[data-attune-item="${good}"] a`)
  const queued = () => page.evaluate(() => (window as unknown as { heard: string[] }).heard)
  const [id = ''] = await until('the click queued', queued, (list) => list.length === 1)
  // It lies in IndexedDB once its transaction has ended.
  await sleep(500)
  return id
}

async function openSoftToys(page: Page, shop: string): Promise<void> {
  await page.goto(`${shop}/d/plush`)
  await page.waitForFunction(() => 'attune' in window && !Array.isArray(window.attune))
}

/** Clicks that survive what browsers go through. */
export function deliveryTests(house: () => House): void {
  const timesStored = async (id: string) =>
    (await storedEvents(house().stack)).filter((event) => event.id === id).length
  const arrived = (id: string) =>
    until(
      'the click stored',
      () => timesStored(id),
      (count) => count > 0,
    )

  test(
    'a click made offline, then the tab killed, then the browser: stored exactly once after reconnecting',
    { timeout: PATIENCE_MS },
    async () => {
      const { browserPath, stack } = house()
      const profile = await mkdtemp(join(tmpdir(), 'tuppence-profile-'))
      let browser = await startChromium(profile, { executable: browserPath })
      try {
        const page = await browser.context.newPage()
        await openSoftToys(page, stack.shop)
        await browser.context.setOffline(true)
        const first = await clickAndListen(page, 'owl-soft-toy')
        expect(await timesStored(first)).toBe(0)
        // The tab dies.
        const crashed = page.waitForEvent('crash')
        const devtools = await browser.context.newCDPSession(page)
        void devtools.send('Page.crash').catch(() => undefined)
        await crashed
        await page.close()
        await browser.context.setOffline(false)
        const again = await browser.context.newPage()
        await openSoftToys(again, stack.shop)
        await arrived(first)

        await browser.context.setOffline(true)
        const second = await clickAndListen(again, 'hedgehog-soft-toy')
        // And now the whole browser.
        await browser.kill()
        expect(await timesStored(second)).toBe(0)

        browser = await startChromium(profile, { executable: browserPath })
        const back = await browser.context.newPage()
        await back.goto(stack.shop)
        await arrived(second)
        // Going away and coming back once more sends nothing twice.
        await browser.context.setOffline(true)
        await browser.context.setOffline(false)
        await back.reload()
        await sleep(1_500)
        expect([await timesStored(first), await timesStored(second)]).toEqual([1, 1])
      } finally {
        await browser.close()
        await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
      }
    },
  )

  test(
    'a click that was stored although its answer got lost is sent again, answered as a duplicate, and stored once',
    { timeout: PATIENCE_MS },
    async () => {
      const { context, page } = await house().visitor()
      await openSoftToys(page, house().stack.shop)
      const answers: boolean[] = []
      let lost = 0
      await page.route('**/v1/events**', async (route) => {
        const response = await route.fetch()
        if ((route.request().postData() ?? '').includes('"click"')) {
          answers.push(((await response.json()) as { duplicate: boolean }).duplicate)
          if (lost++ === 0) return route.abort('connectionreset')
        }
        return route.fulfill({ response })
      })
      const id = await clickAndListen(page, 'fox-soft-toy')
      await until(
        'the second try',
        () => answers,
        (list) => list.length >= 2,
        30_000,
      )
      expect(answers.slice(0, 2)).toEqual([false, true])
      expect(await timesStored(id)).toBe(1)
      await context.close()
    },
  )
}
