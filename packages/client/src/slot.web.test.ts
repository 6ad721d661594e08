import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import type { Client } from './client.ts'
import type { Calls, PageClient } from './iife.ts'
import { bundleScript } from './web-testing/bundle.ts'
import { describeInChromium, type WebOptions } from './web-testing/in-chromium.ts'
import { ranked } from './web-testing/wire-server.ts'

declare global {
  interface Window {
    attune?: PageClient | Calls
    shifts: number
    problems: string[]
    lists: { request: { slot: string }; durationMs: number }[]
  }
}

const DECISION = '01900000-0000-7000-8000-000000000001'

const pages: WebOptions = {
  async serve(server) {
    server.files.set('/attune.js', { type: 'text/javascript', text: await bundleScript() })
  },
}

describeInChromium('slots', pages, (web) => {
  let page: Page

  async function open(body: string, head = ''): Promise<void> {
    web.server.files.set('/', {
      type: 'text/html',
      text: `<!doctype html><title>shop</title>
        <meta http-equiv="content-security-policy" content="style-src 'nonce-a'">
        <style nonce="a">li { height: 100px; width: 200px; margin: 0 } footer { height: 50px }</style>
        <script>
          window.shifts = 0; window.problems = []; window.lists = []
          new PerformanceObserver((list) => { for (const entry of list.getEntries()) shifts += entry.value })
            .observe({ type: 'layout-shift', buffered: true })
          window.attune = [['on', 'error', (error) => problems.push(error.code)], ['on', 'ranked', (detail) => lists.push(detail)]]
        </script>${head}
        <script async src="/attune.js" data-endpoint="${web.server.endpoint}" data-site="public-key"></script>
        <body>${body}<footer>after</footer>`,
    })
    page = await web.context.newPage()
    await page.goto(web.server.origin)
  }
  const cards = (from: number, to: number, mark = 'own') =>
    Array.from(
      { length: to - from },
      (_, index) =>
        `<li data-attune-item="${mark}-${from + index}"><a href="#x">${mark} ${from + index}</a></li>`,
    ).join('')
  const shown = () =>
    page.$$eval('[data-attune-slot] li', (all) => all.map((card) => card.getAttribute('data-attune-item')))
  const client = () => page.waitForFunction(() => window.attune && !Array.isArray(window.attune))
  const problems = () => page.evaluate(() => window.problems)

  test('a template is filled with the list, its own content holding the room: no layout shift', async () => {
    web.server.files.set('/items.json', {
      type: 'application/json',
      text: JSON.stringify(
        Object.fromEntries(
          Array.from({ length: 10 }, (_, i) => [
            `sku-${i}`,
            { name: `Thing <${i}>`, url: i === 1 ? 'javascript:alert(1)' : `/p/${i}` },
          ]),
        ),
      ),
    })
    web.server.fault = async (path) => (path === '/v1/rank' ? void (await sleep(300)) : undefined)
    await open(`<section data-attune-slot="for-you" data-attune-items="/items.json?ids={ids}"><h2>For you</h2><ul>
      <template><li><a href="{url}" title="{name}">{name}, {id}</a></li></template>${cards(0, 4)}</ul></section>`)
    expect(await shown()).toEqual(['own-0', 'own-1', 'own-2', 'own-3'])
    await expect.poll(shown).toEqual(['sku-0', 'sku-1', 'sku-2', 'sku-3'])
    expect(web.server.ranks[0]).toMatchObject({ slot: 'for-you', k: 4, recent: [] })
    expect(
      await page.$$eval('li a', (all) =>
        all.map((link) => [link.textContent, link.getAttribute('href'), link.getAttribute('title')]),
      ),
    ).toEqual([
      ['Thing <0>, sku-0', '/p/0', 'Thing <0>'],
      ['Thing <1>, sku-1', '', 'Thing <1>'],
      ['Thing <2>, sku-2', '/p/2', 'Thing <2>'],
      ['Thing <3>, sku-3', '/p/3', 'Thing <3>'],
    ])
    await sleep(200)
    expect(await page.evaluate(() => window.shifts)).toBe(0)
    expect(await problems()).toEqual([])
  })

  test("the page's cards are put in order, keep their state, and clicks name slot, place and decision", async () => {
    await open(`<ul data-attune-slot="related" data-attune-rank>${cards(0, 5)}</ul>`)
    await expect.poll(shown).toEqual(['own-4', 'own-3', 'own-2', 'own-1', 'own-0'])
    expect(web.server.ranks[0]).toMatchObject({ candidates: ['own-0', 'own-1', 'own-2', 'own-3', 'own-4'] })
    await page.click('text=own 1')
    await expect
      .poll(() => web.server.events().filter((event) => event.kind === 'click'))
      .toMatchObject([{ item: 'own-1', slot: 'related', position: 3, decision: DECISION }])
    await expect
      .poll(() => web.server.events().filter((event) => event.kind === 'impression'), { timeout: 8_000 })
      .toHaveLength(5)
    expect(
      web.server.events().find((event) => event.kind === 'impression' && event.item === 'own-4'),
    ).toMatchObject({
      slot: 'related',
      position: 0,
      decision: DECISION,
    })
    expect(await page.evaluate(() => window.shifts)).toBe(0)
  })

  test('forget(): the list stays, and the next click names slot and place but no decision about the visitor before', async () => {
    await open(`<ul data-attune-slot="related" data-attune-rank>${cards(0, 3)}</ul>`)
    await expect.poll(shown).toEqual(['own-2', 'own-1', 'own-0'])
    await page.evaluate(() => (window.attune as Client).forget())
    expect(await shown()).toEqual(['own-2', 'own-1', 'own-0'])
    await page.click('text=own 1')
    await expect.poll(() => web.server.events().filter((event) => event.kind === 'click').length).toBe(1)
    const [click] = web.server.events().filter((event) => event.kind === 'click')
    expect(click).toMatchObject({ item: 'own-1', slot: 'related', position: 1 })
    expect(click).not.toHaveProperty('decision')
    await page.evaluate(() => (window.attune as Client).refresh())
    expect(await page.getAttribute('[data-attune-slot]', 'data-attune-decision')).toBe(DECISION)
  })

  test('a card with the focus stays where it is; Enter on it still clicks it', async () => {
    let answer = (): void => {}
    const focused = new Promise<void>((resolve) => (answer = resolve))
    web.server.fault = async (path) => (path === '/v1/rank' ? void (await focused) : undefined)
    await open(`<ul data-attune-slot="related" data-attune-rank>${cards(0, 4)}</ul>`)
    await page.focus('text=own 1')
    answer()
    await expect.poll(shown).toEqual(['own-3', 'own-1', 'own-2', 'own-0'])
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('own 1')
    await page.keyboard.press('Enter')
    await expect
      .poll(() => web.server.events().find((event) => event.kind === 'click'))
      .toMatchObject({ item: 'own-1', position: 1 })
  })

  test("a shorter list leaves the page's own cards in the remaining places", async () => {
    web.server.rank = (request) => ({ ...ranked(request), items: [{ id: 'sku-7', score: 1 }] })
    await open(`<ul data-attune-slot="for-you"><template><li>{id}</li></template>${cards(0, 3)}</ul>`)
    await expect.poll(shown).toEqual(['sku-7', 'own-0', 'own-1'])
    await page.click('text=own 0')
    await expect.poll(() => web.server.events().find((event) => event.kind === 'click')?.item).toBe('own-0')
    expect(web.server.events().find((event) => event.kind === 'click')).not.toHaveProperty('decision')
  })

  test('a render function draws the cards, and one that throws leaves the slot as it is', async () => {
    await open(
      `<ul data-attune-slot="mine">${cards(0, 2)}</ul><ul data-attune-slot="broken">${cards(0, 2)}</ul>`,
      `<script>attune.push(['slot', 'mine', { lookup: (ids) => Object.fromEntries(ids.map((id) => [id, { name: id.toUpperCase() }])),
         render: (item, fields) => Object.assign(document.createElement('li'), { textContent: fields.name + ' ' + item.score }) }],
        ['slot', 'broken', { render: () => { throw new Error('no') } }])</script>`,
    )
    await expect
      .poll(() => page.$$eval('[data-attune-slot=mine] li', (all) => all.map((card) => card.textContent)))
      .toEqual(['SKU-0 1', 'SKU-1 0.99'])
    await expect.poll(problems).toEqual(['SLOT_FAILED'])
    expect(
      await page.$$eval('[data-attune-slot=broken] li', (all) => all.map((card) => card.textContent)),
    ).toEqual(['own 0', 'own 1'])
  })

  test('too late, failed or unreachable: the page keeps its own content and is told once', async () => {
    web.server.fault = (path) =>
      path === '/v1/rank' ? { status: 503, body: { code: 'MODEL_MISSING' } } : undefined
    await open(`<ul data-attune-slot="a"><template><li>{id}</li></template>${cards(0, 2)}</ul>
      <ul data-attune-slot="b"><template><li>{id}</li></template>${cards(2, 4)}</ul>`)
    await expect.poll(problems).toEqual(['RANK_FAILED'])
    web.server.fault = async (path) => (path === '/v1/rank' ? void (await sleep(3_000)) : undefined)
    const started = Date.now()
    expect(
      await page.evaluate(() => (window.attune as Client).recommend('c', { timeoutMs: 300 })),
    ).toBeUndefined()
    expect(Date.now() - started).toBeLessThan(2_000)
    expect(await problems()).toEqual(['RANK_FAILED', 'RANK_TIMEOUT'])
    expect(await shown()).toEqual(['own-0', 'own-1', 'own-2', 'own-3'])
  })

  test('a newer request for a slot aborts the older one, which resolves to undefined at once', async () => {
    await open('')
    await client()
    let first = true
    let aborted = false
    web.server.fault = async (path, request) => {
      if (path !== '/v1/rank' || !first) return undefined
      first = false
      request.socket.once('close', () => (aborted = true))
      await sleep(1_000)
      return undefined
    }
    const [older, newer, other] = await page.evaluate(async () => {
      const attune = window.attune as Client
      const slow = attune.recommend('for-you', { k: 1 })
      await new Promise((resolve) => setTimeout(resolve, 200))
      return Promise.all([slow, attune.recommend('for-you', { k: 2 }), attune.recommend('other', { k: 3 })])
    })
    expect(older).toBeUndefined()
    expect(newer?.items).toHaveLength(2)
    expect(other?.items).toHaveLength(3)
    await expect.poll(() => aborted).toBe(true)
    expect(await page.evaluate(() => window.lists.length)).toBe(2)
    expect(await problems()).toEqual([])
  })

  test('a live slot is asked for again by a click, with the click in `recent`, and shows the newer list', async () => {
    web.server.rank = (request) => ({
      ...ranked(request),
      items: (request.recent ?? []).some((event) => event.item === 'tea')
        ? [{ id: 'kettle', score: 1 }]
        : [{ id: 'anything', score: 1 }],
    })
    await open(`<button data-attune-item="tea">tea</button>
      <ul data-attune-slot="for-you" data-attune-live data-attune-k="1"><template><li>{id}</li></template></ul>`)
    await expect.poll(shown).toEqual(['anything'])
    await page.click('text=tea')
    await expect.poll(shown).toEqual(['kettle'])
  })

  test('slots that come later are filled, actions and searches named by attributes are told', async () => {
    await open(`<main data-attune-view="sku-5"><div data-attune-item="sku-5"><button data-attune-event="add-to-cart" data-attune-value="12.5">basket</button>
      <button data-attune-ignore>zoom</button></div></main>
      <form data-attune-search="q"><input name="q" value=" green tea "></form>`)
    await client()
    await page.evaluate(() => {
      document.querySelector('form')?.addEventListener('submit', (event) => event.preventDefault())
      document.body.insertAdjacentHTML(
        'beforeend',
        '<ul data-attune-slot="late" data-attune-k="2" data-attune-strategy="similar" data-attune-like="sku-5" data-attune-exclude="a, b"><template><li>{id}</li></template></ul>',
      )
    })
    await page.click('text=zoom')
    await page.click('text=basket')
    await page.focus('input')
    await page.keyboard.press('Enter')
    await expect.poll(() => page.$$eval('[data-attune-slot=late] li', (all) => all.length)).toBe(2)
    expect(web.server.ranks.find((request) => request.slot === 'late')).toMatchObject({
      slot: 'late',
      strategy: 'similar',
      item: 'sku-5',
      k: 2,
      exclude: ['a', 'b'],
    })
    await expect
      .poll(() =>
        web.server
          .events()
          .filter((event) => event.kind !== 'impression')
          .map(({ kind, item, value, query }) => [kind, item, value, query]),
      )
      .toEqual([
        ['view', 'sku-5', undefined, undefined],
        ['add-to-cart', 'sku-5', 12.5, undefined],
        ['search', undefined, undefined, 'green tea'],
      ])
  })

  test('clicks inside open shadow roots are seen, with the slot around their host', async () => {
    await open('<div data-attune-slot="outer"><shop-card></shop-card></div>')
    await client()
    await page.evaluate(() => {
      const root = document.querySelector('shop-card')?.attachShadow({ mode: 'open' })
      if (root) root.innerHTML = '<p data-attune-item="deep"><button>deep</button></p>'
    })
    await page.click('text=deep')
    await expect
      .poll(() => web.server.events().find((event) => event.kind === 'click'))
      .toMatchObject({ item: 'deep', slot: 'outer' })
  })
})
