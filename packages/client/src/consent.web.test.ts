import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import type { Client } from './client.ts'
import { bundleScript } from './web-testing/bundle.ts'
import { describeInChromium, type WebOptions } from './web-testing/in-chromium.ts'

const pages: WebOptions = {
  async serve(server) {
    server.files.set('/attune.js', { type: 'text/javascript', text: await bundleScript() })
    for (const consent of ['granted', 'pending', 'denied']) {
      server.files.set(`/${consent}`, {
        type: 'text/html',
        text: `<!doctype html><title>shop</title>
          <script async src="/attune.js" data-endpoint="${server.endpoint}" data-site="public-key" data-consent="${consent}"></script>
          <button data-attune-item="tea">tea</button><button data-attune-item="cup">cup</button>
          <ul data-attune-slot="for-you" data-attune-rank data-attune-live><li data-attune-item="a">a</li><li data-attune-item="b">b</li></ul>`,
      })
    }
  },
}

describeInChromium('consent', pages, (web) => {
  async function open(path: string, script?: () => void): Promise<Page> {
    const page = await web.context.newPage()
    if (script) await page.addInitScript(script)
    await page.goto(web.server.origin + path)
    await page.waitForFunction(() => window.attune && !Array.isArray(window.attune))
    return page
  }
  const answer = (page: Page, consent: 'granted' | 'denied') =>
    page.evaluate((given) => (window.attune as Client).consent(given), consent)
  const databases = (page: Page) =>
    page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name))
  const items = () =>
    web.server
      .events()
      .filter((event) => event.kind === 'click')
      .map((event) => event.item)

  /** Clicks, waits until impressions are due, leaves; then looks at everything that was sent and kept. */
  async function expectSilence(page: Page): Promise<void> {
    await page.click('text=tea')
    await page.evaluate(() => (window.attune as Client).recommend('more', { k: 2 }))
    await page.evaluate(() => (window.attune as Client).track('purchase', 'tea'))
    await sleep(1_300)
    expect(await databases(page)).toEqual([])
    await page.evaluate(() => window.dispatchEvent(new Event('pagehide')))
    await sleep(200)
    expect(web.server.methods.filter((method) => method !== 'POST /v1/rank')).toEqual([])
    expect(web.server.ranks.length).toBeGreaterThanOrEqual(2)
    for (const request of web.server.ranks) {
      expect(Object.keys(request).toSorted()).toEqual(
        request.slot === 'more'
          ? ['k', 'slot']
          : ['candidates', 'k', 'slot'].filter((name) => name in request),
      )
    }
    // The page still gets its lists.
    expect(await page.$$eval('ul li', (all) => all.map((card) => card.textContent))).toEqual(['b', 'a'])
  }

  test.each([
    [
      'Global Privacy Control',
      () => Object.defineProperty(navigator, 'globalPrivacyControl', { value: true }),
    ],
    ['Do Not Track', () => Object.defineProperty(navigator, 'doNotTrack', { value: '1' })],
  ])(
    '%s: lists, but no request carries an event or an id, and nothing is kept; the page cannot overrule it',
    async (_name, script) => {
      const page = await open('/granted', script)
      await answer(page, 'granted')
      await expectSilence(page)
    },
  )

  test('denied: lists, but no request carries an event or an id, and nothing is kept', async () => {
    await expectSilence(await open('/denied'))
  })

  test('pending, then granted: what was held is sent, once, and what comes after it', async () => {
    const page = await open('/pending')
    await page.click('text=tea')
    await sleep(300)
    expect([web.server.attempts, web.server.visitors, await databases(page)]).toEqual([[], 0, []])
    await answer(page, 'granted')
    await expect.poll(items).toEqual(['tea'])
    await page.click('text=cup')
    await expect.poll(items).toEqual(['tea', 'cup'])
    expect(web.server.visitors).toBe(1)
  })

  test('pending, then denied: what was held is forgotten, for good', async () => {
    const page = await open('/pending')
    await page.click('text=tea')
    await answer(page, 'denied')
    await sleep(200)
    await answer(page, 'granted')
    await page.click('text=cup')
    await expect.poll(items).toEqual(['cup'])
  })

  test('granted, then denied: handle, token and waiting events are gone from the device, also for the next page', async () => {
    web.server.fault = () => 'cut-before'
    const page = await open('/granted')
    await page.click('text=tea')
    await sleep(300)
    await answer(page, 'denied')
    await page.waitForTimeout(200)
    await page.close()
    web.server.fault = () => undefined
    const next = await open('/granted')
    await next.click('text=cup')
    await expect.poll(items).toEqual(['cup'])
  })

  test('a page opened under denial removes what an earlier page had kept', async () => {
    const first = await open('/granted')
    await first.click('text=tea')
    await expect.poll(items).toEqual(['tea'])
    expect(await databases(first)).toEqual(['attune-public-key'])
    await first.close()
    const second = await open('/denied')
    await expect.poll(() => databases(second)).toEqual([])
  })
})
