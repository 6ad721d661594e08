import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import type { TrackedEvent } from '@attune/core'
import type { Client } from './client.ts'
import { bundleScript } from './web-testing/bundle.ts'
import { describeInChromium, type WebOptions } from './web-testing/in-chromium.ts'

const pages: WebOptions = {
  async serve(server) {
    for (const [name, entry] of [
      ['attune', 'iife.ts'],
      ['attune-dwell', 'dwell.iife.ts'],
    ] as const)
      server.files.set(`/${name}.js`, { type: 'text/javascript', text: await bundleScript(entry) })
  },
}

describeInChromium('plug-ins', pages, (web) => {
  async function open(body: string, calls = '[]', prepare?: (page: Page) => Promise<void>): Promise<Page> {
    const html = (content: string) => ({
      type: 'text/html',
      text: `<!doctype html><title>shop</title><script>
          window.problems = []
          window.attune = [['on', 'error', (error) => problems.push([error.code, error.message])], ...${calls}]
        </script>
        <script async src="/attune.js" data-endpoint="${web.server.endpoint}" data-site="public-key"></script>
        ${content}`,
    })
    web.server.files.set('/', html(body))
    web.server.files.set('/other', html('other'))
    const page = await web.context.newPage()
    await prepare?.(page)
    await page.goto(web.server.origin)
    await page.waitForFunction(() => window.attune && !Array.isArray(window.attune))
    return page
  }
  const told = () => web.server.events().filter(({ kind }) => kind !== 'impression')
  const brief = () => told().map(({ kind, item, value }) => [kind, item, value])

  test('drop, enrich, and one that throws: each event goes on as the others leave it, from the view at load on; told once', async () => {
    const page = await open(
      `<main data-attune-view="tea"></main>
       <button data-attune-item="internal-1">staff</button><button data-attune-item="cup">cup</button>`,
      `[
        ['use', (event) => event.item?.startsWith('internal-') ? null : event],
        ['use', () => { throw new Error('broken plug-in') }],
        ['use', (event) => ({ ...event, value: (event.value ?? 0) + 1 })],
        ['use', (event) => ({ ...event, value: event.value * 10 })],
      ]`,
    )
    await page.click('text=staff')
    await page.click('text=cup')
    await page.click('text=cup')
    // (0 + 1) · 10, in the order in which they came.
    await expect.poll(brief).toEqual([
      ['view', 'tea', 10],
      ['click', 'cup', 10],
      ['click', 'cup', 10],
    ])
    expect(await page.evaluate(() => (window as unknown as { problems: string[][] }).problems)).toEqual([
      ['PAGE_CODE_FAILED', 'Error: broken plug-in'],
    ])
    expect(told().map(({ seq }) => seq)).toEqual([1, 2, 3])
  })

  test('a plug-in that was taken away is not asked any more', async () => {
    const page = await open('<button data-attune-item="cup">cup</button>')
    await page.evaluate(() => {
      const { attune } = window as unknown as {
        attune: { use(plugin: (event: TrackedEvent) => TrackedEvent): () => void }
      }
      Object.assign(window, { remove: attune.use((event) => ({ ...event, value: 7 })) })
    })
    await page.click('text=cup')
    await page.evaluate(() => (window as unknown as { remove(): void }).remove())
    await page.click('text=cup')
    await expect.poll(brief).toEqual([
      ['click', 'cup', 7],
      ['click', 'cup', undefined],
    ])
  })

  describe('dwell', () => {
    const ITEM = '<main data-attune-view="tea">tea</main><script src="/attune-dwell.js"></script>'
    const dwell = () =>
      brief().flatMap(([kind, item, value]) => (kind === 'custom:dwell' ? [[item, value]] : []))
    /** Shows another item once time stands still but for `pass`: what it was before takes what has passed. */
    async function stopped(): Promise<Page> {
      const page = await open(ITEM, '[]', (fresh) => fresh.clock.install({ time: 1_790_000_000_000 }))
      await page.clock.pauseAt(1_790_000_060_000)
      await show(page, '<main data-attune-view="cup"></main>')
      return page
    }
    const pass = (page: Page, ms: number) => page.clock.runFor(ms)
    const show = (page: Page, html: string) =>
      page.evaluate((text) => {
        document.querySelector('main')?.remove()
        document.body.insertAdjacentHTML('afterbegin', text)
      }, html)
    const later = () => dwell().filter(([item]) => item !== 'tea')
    const hide = (page: Page, hidden: boolean) =>
      page.evaluate((now) => {
        Object.defineProperty(document, 'hidden', { configurable: true, value: now })
        document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
      }, hidden)

    test('12.5 s in sight, 60 s out of sight, 3.25 s in sight: 12.5 and 3.3, which add up', async () => {
      const page = await stopped()
      await pass(page, 12_500)
      await hide(page, true)
      await pass(page, 60_000)
      await hide(page, false)
      await pass(page, 3_250)
      await hide(page, true)
      await page.clock.resume()
      await expect.poll(later).toEqual([
        ['cup', 12.5],
        ['cup', 3.3],
      ])
    })

    test('less than a second is kept until it is one: 0.4 + 0.5 + 0.3 s are 1.2', async () => {
      const page = await stopped()
      for (const ms of [400, 500, 300]) {
        await pass(page, ms)
        await hide(page, true)
        await pass(page, 5_000)
        await hide(page, false)
      }
      await page.clock.resume()
      await expect.poll(later).toEqual([['cup', 1.2]])
    })

    test('an app: the next item ends the one before, and where none follows it ends when its element goes', async () => {
      const page = await stopped()
      await pass(page, 2_000)
      await show(page, '<main data-attune-view="pot"></main>')
      await pass(page, 4_000)
      await show(page, '<main>nothing in particular</main>')
      await pass(page, 50_000)
      await show(page, '<main data-attune-view="mug"></main>')
      await page.clock.resume()
      await expect.poll(later).toEqual([
        ['cup', 2],
        ['pot', 4],
      ])
    })

    test('a view told by a call ends when the address changes', async () => {
      const page = await stopped()
      await page.evaluate(() => {
        ;(window.attune as Client).track('view', 'jug')
      })
      await pass(page, 6_500)
      await page.evaluate(() => history.pushState({}, '', '/basket'))
      await show(page, '<main>basket</main>')
      await pass(page, 50_000)
      await hide(page, true)
      await page.clock.resume()
      await expect.poll(later).toEqual([['jug', 6.5]])
    })

    test('in real time: a page that is left tells it before it goes, at least as long as it was looked at', async () => {
      const page = await open(ITEM)
      await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_500)))
      await page.goto(`${web.server.origin}/other`)
      await expect.poll(() => dwell().length).toBe(1)
      const [[item, seconds] = []] = dwell()
      expect(item).toBe('tea')
      expect(seconds).toBeGreaterThanOrEqual(1.5)
      expect(seconds).toBeLessThan(60)
      // It travels with what the page sends when it goes.
      expect(told().map(({ kind }) => kind)).toEqual(['view', 'custom:dwell'])
    })
  })
})
