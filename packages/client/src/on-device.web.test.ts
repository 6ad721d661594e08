import type { TrackedEvent } from '@attune/core'
import type { Page, Request } from 'playwright-core'
import { beforeEach, expect, test } from 'vitest'
import type { Client, ClientOptions } from './client.ts'
import type { onDevice } from './on-device.ts'
import { bundleModule } from './web-testing/bundle.ts'
import { serveModel, type ModelServer } from './web-testing/model.ts'
import { describeInChromium, type WebOptions } from './web-testing/in-chromium.ts'

declare global {
  interface Window {
    page: {
      createClient: (options: ClientOptions) => Client
      onDevice: typeof onDevice
    }
    client: Client
    /** Order of the cards at the first animation frame after each click. */
    atFrame: string[][]
    moves: number
    shift: number
  }
}

const CARDS = Array.from({ length: 12 }, (_, index) => `item-${index * 5}`)

const script = bundleModule(new URL('web-testing/device.page.ts', import.meta.url), 'page')
const pages: WebOptions = {
  async serve(server) {
    server.files.set('/page.js', { type: 'text/javascript', text: await script })
  },
}

describeInChromium('ranking on the device', pages, (web) => {
  let model: ModelServer
  let page: Page
  let requests: Request[]
  beforeEach(() => {
    model = serveModel(web.server)
    requests = []
  })

  async function open(options: Partial<ClientOptions> = {}): Promise<void> {
    web.server.files.set('/', {
      type: 'text/html',
      text: `<!doctype html><title>shop</title>
        <style>li { height: 40px; width: 200px; margin: 0 }</style>
        <ul data-attune-slot="category" data-attune-rank data-attune-live>${CARDS.map(
          (id) => `<li data-attune-item="${id}"><span>${id}.</span></li>`,
        ).join('')}</ul>
        <script>
          window.atFrame = []; window.shift = 0; window.moves = 0
          const cards = () => [...document.querySelectorAll('li')].map((card) => card.dataset.attuneItem)
          addEventListener('click', () => {
            requestAnimationFrame(() => window.atFrame.push(cards()))
          }, { capture: true })
          new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value
          }).observe({ type: 'layout-shift', buffered: true })
          new MutationObserver((records) => (window.moves += records.length))
            .observe(document.querySelector('ul'), { childList: true })
        </script>
        <script src="/page.js"></script>
        <script>client = page.createClient({
          endpoint: '${web.server.endpoint}', site: 'public-key', device: page.onDevice(), ...${JSON.stringify(options)}
        })</script>`,
    })
    page = await web.context.newPage()
    page.on('request', (request) => requests.push(request))
    await page.goto(web.server.origin)
  }
  const shown = () => page.$$eval('li', (all) => all.map((card) => card.dataset['attuneItem'] ?? ''))
  const frames = (): Promise<string[][]> => page.evaluate(() => window.atFrame)
  const click = (id: string) => page.click(`text="${id}."`)
  const clicked = (...items: string[]): TrackedEvent[] =>
    items.map((item, index) => ({ id: `${index}`, kind: 'click', item, at: 1_790_000_000_000 + index }))
  const weightsLoaded = () =>
    expect.poll(() => requests.some((request) => request.url().includes('/v1/weights/'))).toBe(true)
  /** The edge's first list is there, and what the device needs. */
  async function ready(expected: readonly string[]): Promise<void> {
    await expect.poll(shown).toEqual(expected)
    await weightsLoaded()
    await page.waitForLoadState('networkidle')
  }

  test('no network: a click puts the cards in the order of core.rankHistory by the next frame; the answer that comes later changes nothing', async () => {
    await open()
    await ready(await model.order(CARDS, []))
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    web.server.fault = async () => void (await held)
    const before = await shown()
    await click('item-15')
    await expect.poll(frames).toHaveLength(1)
    const expected = await model.order(CARDS, clicked('item-15'))
    expect(expected).not.toEqual(before)
    expect(await frames()).toEqual([expected])
    expect(await page.$$eval('li', (all) => all.map((card) => card.dataset['attunePosition']))).toEqual(
      CARDS.map((_, index) => String(index)),
    )
    const asked = web.server.ranks.length
    await page.evaluate(() => (window.moves = 0))
    release()
    await expect.poll(() => web.server.ranks.length).toBeGreaterThan(asked)
    await expect.poll(() => web.server.events().some((event) => event.kind === 'click')).toBe(true)
    await page.waitForLoadState('networkidle')
    expect(await shown()).toEqual(expected)
    expect(await page.evaluate(() => [window.moves, window.shift])).toEqual([0, 0])
  })

  test('offline, click after click: each order is that of all clicks so far, in its own frame', async () => {
    await open()
    await ready(await model.order(CARDS, []))
    await web.context.setOffline(true)
    const items = ['item-10', 'item-55', 'item-10', 'item-0']
    for (const [index, item] of items.entries()) {
      await click(item)
      await expect.poll(frames).toHaveLength(index + 1)
    }
    const expected = await Promise.all(
      items.map((_, index) => model.order(CARDS, clicked(...items.slice(0, index + 1)))),
    )
    expect(await frames()).toEqual(expected)
    expect(await page.evaluate(() => window.shift)).toBe(0)
  })

  test('another epoch meanwhile: the answer puts right what the device did with the old one, and its factors are used from then on', async () => {
    await open()
    await ready(await model.order(CARDS, []))
    const old = await model.order(CARDS, clicked('item-20'))
    model.retrain(2)
    await click('item-20')
    await expect.poll(frames).toEqual([old])
    const fresh = await model.order(CARDS, clicked('item-20'))
    expect(fresh).not.toEqual(old)
    await ready(fresh)
    await web.context.setOffline(true)
    await click('item-35')
    await expect.poll(frames).toEqual([old, await model.order(CARDS, clicked('item-20', 'item-35'))])
  })

  test.each([
    [
      'Global Privacy Control',
      {},
      (): Promise<unknown> =>
        web.context.addInitScript(
          'Object.defineProperty(navigator, "globalPrivacyControl", { value: true })',
        ),
    ],
    ['consent denied', { consent: 'denied' as const }, (): Promise<unknown> => Promise.resolve()],
  ])(
    '%s: ranking goes on from what the tab knows, over a reload, and no request carries an event, an id or a cookie',
    async (_, options, prepare) => {
      await prepare()
      await open(options)
      await ready(await model.order(CARDS, []))
      await click('item-40')
      await expect.poll(frames).toEqual([await model.order(CARDS, clicked('item-40'))])
      await click('item-25')
      const expected = await model.order(CARDS, clicked('item-40', 'item-25'))
      await expect.poll(shown).toEqual(expected)
      await page.reload()
      await ready(expected)
      await page.evaluate(() => window.client.flush())
      const own = new URL(web.server.origin).host
      const told = requests.filter((request) => new URL(request.url()).host !== own)
      expect(
        new Set(
          told.map((request) => `${request.method()} ${request.url().replace(web.server.endpoint, '')}`),
        ),
      ).toEqual(new Set(['POST /v1/rank?key=public-key', `GET /v1/weights/${model.digest()}?key=public-key`]))
      for (const request of told) {
        expect((await request.allHeaders())['cookie']).toBeUndefined()
        const body = request.postData()
        // What is on the page anyway, in the page's own order: nothing in it comes from the visitor.
        if (body !== null)
          expect(JSON.parse(body)).toEqual({ slot: 'category', k: 12, candidates: CARDS, device: true })
      }
      expect([web.server.attempts, web.server.visitors]).toEqual([[], 0])
      expect(
        await page.evaluate(async () => [document.cookie, await indexedDB.databases(), localStorage.length]),
      ).toEqual(['', [], 0])
      expect(await page.evaluate(() => sessionStorage.length)).toBe(1)
      await page.evaluate(() => window.client.forget())
      expect(await page.evaluate(() => sessionStorage.length)).toBe(0)
      await page.reload()
      await expect.poll(shown).toEqual(await model.order(CARDS, []))
    },
  )

  test('weights that cannot be had are told once, and the edge goes on ranking', async () => {
    web.server.files.set(`/v1/weights/${model.digest()}`, {
      type: 'application/json',
      text: '{"code":"WEIGHTS_UNKNOWN"}',
    })
    await open()
    const told = page.waitForEvent('console', (message) => message.text().includes('DEVICE_FAILED'))
    await page.reload()
    await told
    await click('item-15')
    await expect.poll(shown).toEqual(await model.order(CARDS, clicked('item-15')))
  })

  test('a list for the device that contradicts itself: told once, the order of the edge stays, nothing is thrown', async () => {
    const problems: string[] = []
    const { answer } = model
    web.server.rank = async (request) => {
      const response = await answer(request)
      return {
        ...response,
        ...(response.device && { device: { ...response.device, factors: '%', dim: 1e9 } }),
      }
    }
    await open({ consent: 'denied' })
    page.on('pageerror', (error) => problems.push(String(error)))
    await expect.poll(shown).toEqual(await model.order(CARDS, []))
    await click('item-15')
    expect(
      await page.evaluate((ids) => window.client.rank(ids).then((list) => list?.items.length), CARDS),
    ).toBe(12)
    expect(await shown()).toEqual(await model.order(CARDS, []))
    expect(problems).toEqual([])
  })
})
