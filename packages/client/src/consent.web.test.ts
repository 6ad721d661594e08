import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import type { Client } from './client.ts'
import { bundleScript } from './web-testing/bundle.ts'
import { describeInChromium, type WebOptions } from './web-testing/in-chromium.ts'

const pages: WebOptions = {
  async serve(server) {
    server.files.set('/attune.js', { type: 'text/javascript', text: await bundleScript() })
    server.files.set('/bare', { type: 'text/html', text: '<!doctype html><title>no script</title>' })
    for (const consent of ['granted', 'pending', 'denied']) {
      server.files.set(`/${consent}`, {
        type: 'text/html',
        text: `<!doctype html><title>shop</title>
          <script async src="/attune.js" data-endpoint="${server.endpoint}" data-site="public-key" data-consent="${consent}"></script>
          <button data-attune-item="tea">tea</button><button data-attune-item="cup">cup</button>
          <ul data-attune-slot="for-you" data-attune-rank data-attune-live><li data-attune-item="a">a</li><li data-attune-item="b">b</li></ul>`,
      })
    }
    for (const part of ['back', 'debug', 'dwell'])
      server.files.set(`/attune-${part}.js`, {
        type: 'text/javascript',
        text: await bundleScript(`${part}.iife.ts`),
      })
    const { type, text } = server.files.get('/denied') ?? { type: '', text: '' }
    server.files.set('/everything', {
      type,
      text: `<script defer src="/attune-back.js"></script><script async src="/attune-dwell.js"></script><h1 data-attune-view="pot">pot</h1>${text.replace('<script async', '<script defer')}`,
    })
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
    const sent: string[] = []
    page.on('request', (request) => sent.push(request.url()))
    await page.click('text=tea')
    await page.evaluate(() => (window.attune as Client).recommend('more', { k: 2 }))
    await page.evaluate(() => (window.attune as Client).track('purchase', 'tea'))
    await sleep(1_300)
    // The page still gets its lists.
    expect(await page.$$eval('ul li', (all) => all.map((card) => card.textContent))).toEqual(['b', 'a'])
    const kept = () =>
      page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie] as const)
    expect(await databases(page)).toEqual([])
    expect(await kept()).toEqual([0, 0, ''])
    // As it goes, a page sends and keeps what it could not before: the one that comes next sees what that was.
    await page.goto(`${web.server.origin}/bare`)
    expect(await databases(page)).toEqual([])
    expect(await kept()).toEqual([0, 0, ''])
    await page.close()
    await sleep(300)
    expect(sent.filter((url) => !url.includes('/v1/rank?') && !url.endsWith('/bare'))).toEqual([])
    expect(web.server.methods.filter((method) => method !== 'POST /v1/rank')).toEqual([])
    expect(web.server.ranks.length).toBeGreaterThanOrEqual(2)
    for (const request of web.server.ranks) {
      expect(Object.keys(request).toSorted()).toEqual(
        request.slot === 'more'
          ? ['k', 'slot']
          : ['candidates', 'k', 'slot'].filter((name) => name in request),
      )
    }
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

  test('denied, with going back, dwell and the debug panel: the same', async () => {
    const page = await open('/everything?attune-debug')
    await expect.poll(() => page.locator('attune-debug').count()).toBe(1)
    // Long enough in sight to be told.
    await sleep(1_100)
    await expectSilence(page)
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

  test('forget() in one tab empties all: what another holds is not sent, and its next click has another name and handle', async () => {
    const tabs = [await open('/granted'), await open('/granted')] as const
    for (const tab of tabs) await tab.click('text=tea')
    await expect.poll(items).toEqual(['tea', 'tea'])
    web.server.fault = () => 'cut-before'
    const tried = web.server.attempts.length
    for (const tab of tabs) await tab.click('text=cup')
    // In flight, and waiting for its turn.
    await expect.poll(() => web.server.attempts.length).toBeGreaterThan(tried)
    await tabs[0].evaluate(() => (window.attune as Client).forget())
    web.server.fault = () => undefined
    await tabs[1].click('text=tea')
    await expect.poll(items).toEqual(['tea', 'tea', 'tea'])
    await tabs[0].evaluate(() => (window.attune as Client).flush())
    await tabs[1].evaluate(() => (window.attune as Client).flush())
    expect(items()).toEqual(['tea', 'tea', 'tea'])
    const told = web.server.stored.filter(({ events }) => events.some(({ kind }) => kind === 'click'))
    const [before, after] = [told[0], told.at(-1)]
    expect([before?.visitor, after?.visitor]).toEqual(['visitor-1.signed', 'visitor-2.signed'])
    const click = after?.events.find(({ kind }) => kind === 'click')
    expect(click?.seq).toBe(1)
    expect(told.slice(0, -1).flatMap(({ events }) => events.map(({ tab }) => tab))).not.toContain(click?.tab)
    const first = web.server.stored.find(({ visitor }) => visitor === after?.visitor)
    expect(first).not.toHaveProperty('session')
  })
})
