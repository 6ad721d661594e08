import { setTimeout as sleep } from 'node:timers/promises'
import { countMissing } from '@attune/core'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { bundleScript } from './web-testing/bundle.ts'
import { describeInChromium, type WebOptions } from './web-testing/in-chromium.ts'

const pages: WebOptions = {
  async serve(server) {
    server.files.set('/attune.js', { type: 'text/javascript', text: await bundleScript() })
    const page = (body: string) => ({
      type: 'text/html',
      text: `<!doctype html><title>shop</title>
        <script async src="/attune.js" data-endpoint="${server.endpoint}" data-site="public-key"></script>
        <script>window.restored = 0; addEventListener('pageshow', (event) => { if (event.persisted) restored++ })</script>
        <main>${body}</main>`,
    })
    server.files.set('/', page('<button data-attune-item="tea">tea</button><a href="/other">other</a>'))
    server.files.set('/other', page('other'))
  },
  flags: ['--enable-features=BackForwardCache'],
}

describeInChromium('navigation', pages, (web) => {
  async function open(within = web.context): Promise<Page> {
    const page = await within.newPage()
    await page.goto(web.server.origin)
    await page.waitForFunction(() => window.attune && !Array.isArray(window.attune))
    return page
  }
  const told = () =>
    web.server
      .events()
      .filter((event) => event.kind !== 'impression')
      .map(({ kind, item }) => `${kind} ${item}`)

  test('a page comes back out of the back/forward cache, and goes on sending', async () => {
    // Not in a context of its own: those have no back/forward cache.
    const page = await open(web.browser.context)
    await page.click('text=tea')
    await expect.poll(told).toEqual(['click tea'])
    await page.click('text=other')
    await page.waitForURL('**/other')
    await sleep(300)
    await page.evaluate(() => history.back())
    await expect
      .poll(() =>
        page.evaluate(() => [location.pathname, (window as unknown as { restored: number }).restored]),
      )
      .toEqual(['/', 1])
    await page.click('text=tea')
    await expect.poll(told).toEqual(['click tea', 'click tea'])
    await page.close()
  })

  test('left while a batch is on its way: the next page sends, the page left comes back whole; each click once, in order', async () => {
    let atOnce = 0
    let most = 0
    web.server.fault = async (path) => {
      if (path !== '/v1/events') return undefined
      most = Math.max(most, ++atOnce)
      await sleep(1_500)
      atOnce--
      return undefined
    }
    const page = await open(web.browser.context)
    await page.click('text=tea')
    await expect.poll(() => web.server.attempts.length).toBe(1)
    await page.click('text=other')
    await page.waitForURL('**/other')
    await page.waitForFunction(() => window.attune && !Array.isArray(window.attune))
    await page.evaluate(() => {
      if (window.attune && !Array.isArray(window.attune)) window.attune.track('click', 'other')
    })
    // The page left still waits for its answer; this one has its turn, and sends what is not known to be stored.
    await expect.poll(() => web.server.attempts.length).toBeGreaterThan(1)
    await page.evaluate(() => history.back())
    const back = () =>
      page.evaluate(() => {
        const [entry] = performance.getEntriesByType('navigation') as (PerformanceEntry & {
          notRestoredReasons: { reasons: unknown } | null
        })[]
        return [location.pathname, entry?.notRestoredReasons?.reasons]
      })
    await expect.poll(back).toEqual(['/', undefined])
    expect(await page.evaluate(() => (window as unknown as { restored: number }).restored)).toBe(1)
    await page.click('text=tea')
    const clicks = () => web.server.events().filter((event) => event.kind === 'click')
    await expect
      .poll(() => clicks().map(({ item }) => item), { timeout: 20_000 })
      .toEqual(['tea', 'other', 'tea'])
    expect(clicks().map(({ seq }) => seq)).toEqual([1, 2, 3])
    expect(web.server.visitors).toBe(1)
    for (const batch of web.server.stored)
      expect(countMissing(batch.events, batch.after)).toEqual({ missing: 0, late: 0 })
    // Beside the request of the page left, none but one at a time.
    expect(most).toBeLessThanOrEqual(2)
    await page.close()
  })

  test('a single-page app: views, cards and slots of each next view are seen, without a call', async () => {
    const page = await open()
    for (const item of ['cup', 'pot']) {
      await page.evaluate((id) => {
        history.pushState({}, '', `/p/${id}`)
        const main = document.querySelector('main')
        if (main)
          main.innerHTML = `<article data-attune-view="${id}"><div data-attune-item="${id}"><button>${id}</button></div></article>
            <ul data-attune-slot="like-${id}" data-attune-k="2" data-attune-strategy="similar" data-attune-like="${id}"><template><li>{id}</li></template></ul>`
      }, item)
      await page.click(`text=${item}`)
      await expect.poll(() => page.$$eval('li', (all) => all.length)).toBe(2)
    }
    await expect.poll(told).toEqual(['view cup', 'click cup', 'view pot', 'click pot'])
    expect(web.server.ranks.map(({ slot, item }) => [slot, item])).toEqual([
      ['like-cup', 'cup'],
      ['like-pot', 'pot'],
    ])
  })

  test('a view whose attribute changes in place is told again; one that is only moved is not', async () => {
    const page = await open()
    await page.evaluate(() => {
      document.querySelector('main')?.setAttribute('data-attune-view', 'cup')
    })
    await expect.poll(told).toEqual(['view cup'])
    await page.evaluate(() => {
      const main = document.querySelector('main')
      if (main) document.body.append(main)
    })
    await page.evaluate(() => document.querySelector('main')?.setAttribute('data-attune-view', 'pot'))
    await expect.poll(told).toEqual(['view cup', 'view pot'])
    await sleep(200)
    expect(told()).toEqual(['view cup', 'view pot'])
  })

  test('impressions inside a shadow root are seen once it is observed', async () => {
    const page = await open()
    await page.evaluate(() => {
      const host = document.body.appendChild(document.createElement('shop-card'))
      const root = host.attachShadow({ mode: 'open' })
      root.innerHTML = '<p data-attune-item="deep">deep</p>'
      if (window.attune && !Array.isArray(window.attune)) window.attune.observe(root)
    })
    await expect
      .poll(
        () =>
          web.server
            .events()
            .filter((event) => event.kind === 'impression')
            .map((event) => event.item),
        { timeout: 8_000 },
      )
      .toContain('deep')
    await page.click('text=deep')
    await expect.poll(told).toEqual(['click deep'])
  })
})
