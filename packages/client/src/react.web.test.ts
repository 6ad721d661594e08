import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'esbuild'
import type { Page } from 'playwright-core'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { expect, test } from 'vitest'
import { createClient } from './client.ts'
import { App, type AppProps } from './web-testing/react-app.ts'
import { serveModel } from './web-testing/model.ts'
import { describeInChromium, type WebOptions } from './web-testing/in-chromium.ts'
import { ranked } from './web-testing/wire-server.ts'

test("on a server: the page's own order, no request, no global touched", () => {
  const client = createClient({
    endpoint: 'https://edge.test',
    site: 'key',
    fetch: () => {
      throw new Error('a server must not ask')
    },
  })
  expect(renderToString(createElement(App, { client, candidates: ['a', 'b'] }))).toBe(
    '<ul data-attune-slot="related"><li data-attune-item="a" data-attune-position="0"><button>a</button></li>' +
      '<li data-attune-item="b" data-attune-position="1"><button>b</button></li></ul>',
  )
})

const pages: WebOptions = {
  async serve(server) {
    const { outputFiles } = await build({
      entryPoints: [`${import.meta.dirname}/web-testing/react-app.ts`],
      conditions: ['@attune/source'],
      define: { 'process.env.NODE_ENV': '"development"' },
      bundle: true,
      format: 'iife',
      globalName: 'app',
      write: false,
    })
    server.files.set('/app.js', { type: 'text/javascript', text: outputFiles[0]?.text ?? '' })
  },
}

describeInChromium('React', pages, (web) => {
  async function open(props: AppProps): Promise<Page> {
    const client = createClient({ endpoint: web.server.endpoint, site: 'public-key' })
    web.server.files.set('/', {
      type: 'text/html',
      text: `<!doctype html><title>react</title><main>${renderToString(createElement(App, { client, ...props }))}</main>
        <script src="/app.js"></script><script>app.start(${JSON.stringify(web.server.endpoint)}, ${JSON.stringify(props)})</script>`,
    })
    const page = await web.context.newPage()
    await page.goto(web.server.origin)
    return page
  }
  const shown = (page: Page) => page.$$eval('li', (all) => all.map((card) => card.textContent))
  const hydration = (page: Page) =>
    page.evaluate(() => (window as unknown as { hydration: string[] }).hydration)

  test('hydrates what the server rendered, then puts it in order; clicks name slot, place and decision', async () => {
    let answer = (): void => {}
    const looked = new Promise<void>((resolve) => (answer = resolve))
    web.server.fault = async (path) => (path === '/v1/rank' ? void (await looked) : undefined)
    const page = await open({ candidates: ['a', 'b', 'c'] })
    expect(await shown(page)).toEqual(['a', 'b', 'c'])
    answer()
    await expect.poll(() => shown(page)).toEqual(['c', 'b', 'a'])
    expect(await hydration(page)).toEqual([])
    await page.click('text=b')
    await expect
      .poll(() => web.server.events().find((event) => event.kind === 'click'))
      .toMatchObject({
        item: 'b',
        slot: 'related',
        position: 1,
        decision: '01900000-0000-7000-8000-000000000001',
      })
    expect(web.server.ranks).toHaveLength(1)
  })

  test('a list the server asked for is shown from the first paint, and not asked for again', async () => {
    const initial = {
      ...ranked({ slot: 'related', candidates: ['a', 'b'] }),
      items: [
        { id: 'b', score: 1, because: { item: 'x', kind: 'click' as const } },
        { id: 'a', score: 0 },
      ],
    }
    const page = await open({ candidates: ['a', 'b'], initial })
    expect(await shown(page)).toEqual(['b because x', 'a'])
    await sleep(300)
    expect(await shown(page)).toEqual(['b because x', 'a'])
    expect([web.server.ranks, await hydration(page)]).toEqual([[], []])
  })

  test('a live slot is asked for again after a click; an edge that fails leaves the order', async () => {
    const page = await open({ candidates: ['a', 'b', 'c'], live: true })
    await expect.poll(() => shown(page)).toEqual(['c', 'b', 'a'])
    web.server.rank = (request) => ({
      ...ranked(request),
      items: ['b', 'a', 'c'].map((id) => ({ id, score: 1 })),
    })
    await page.click('text=c')
    await expect.poll(() => shown(page)).toEqual(['b', 'a', 'c'])
    expect(web.server.ranks.at(-1)?.recent).toMatchObject([{ kind: 'click', item: 'c' }])
    web.server.fault = (path) => (path === '/v1/rank' ? { status: 500 } : undefined)
    await page.click('text=a')
    await sleep(300)
    expect(await shown(page)).toEqual(['b', 'a', 'c'])
  })

  test('forget(): the list stays, without the decision about the visitor before', async () => {
    const page = await open({ candidates: ['a', 'b'] })
    await expect.poll(() => page.getAttribute('ul', 'data-attune-decision')).toBeTruthy()
    await page.evaluate(() => (window as unknown as { client: { forget(): Promise<void> } }).client.forget())
    await expect.poll(() => page.getAttribute('ul', 'data-attune-decision')).toBe('')
    expect(await page.$$eval('li', (all) => all.length)).toBe(2)
  })

  test('on the device: a live slot is in its new order at the next frame after a click, with no network', async () => {
    const model = serveModel(web.server)
    const candidates = ['item-1', 'item-2', 'item-3', 'item-4', 'item-5', 'item-6']
    const page = await open({ candidates, live: true, device: true })
    await expect.poll(() => shown(page)).toEqual(await model.order(candidates, []))
    await page.waitForLoadState('networkidle')
    await web.context.setOffline(true)
    const frame = page.evaluate(
      () =>
        new Promise((resolve) =>
          addEventListener(
            'click',
            () =>
              requestAnimationFrame(() =>
                resolve([...document.querySelectorAll('li')].map((card) => card.textContent)),
              ),
            { capture: true, once: true },
          ),
        ),
    )
    await page.click('text=item-4')
    const expected = await model.order(candidates, [
      { id: '1', kind: 'click', item: 'item-4', at: Date.now() },
    ])
    expect(expected).not.toEqual(await model.order(candidates, []))
    expect(await frame).toEqual(expected)
  })
})
