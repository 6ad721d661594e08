import { countMissing } from '@attune/core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bundleScript } from './web-testing/bundle.ts'
import { ENGINES, type Engine, type Tab } from './web-testing/engines.ts'
import { ranked, startWireServer, type WireServer } from './web-testing/wire-server.ts'

// What must hold in every browser. What only one browser's driver can stage is in the files beside this one.

/** Busy machines: what is waited for comes, or the test fails. */
const PATIENCE = { timeout: 30_000, interval: 100 }

describe.each(Object.entries(ENGINES))('%s', (name, find) => {
  const start = find()
  const skipped = start === undefined ? ` (skipped: no ${name} found)` : ''

  describe.skipIf(start === undefined)(`the client in it${skipped}`, () => {
    let engine: Engine
    let server: WireServer
    let script: string
    const addOns = new Map<string, string>()
    const tabs: Tab[] = []

    beforeAll(async () => {
      script = await bundleScript()
      for (const part of ['back', 'debug', 'dwell']) addOns.set(part, await bundleScript(`${part}.iife.ts`))
      if (start) engine = await start()
    }, 120_000)
    afterAll(() => engine?.close())
    beforeEach(async () => {
      // A port, and so an origin with storage of its own, for each test.
      server = await startWireServer()
      const page = (body: string, attributes = '') => ({
        type: 'text/html',
        text: `<!doctype html><title>shop</title><script>window.attune = []; window.problems = []; window.restored = 0; addEventListener('pageshow', (event) => { if (event.persisted) restored++ })
          attune.push(['on', 'error', (error) => problems.push(error.code)])</script>
          <script async src="/attune.js" data-endpoint="${server.endpoint}" data-site="public-key" ${attributes}></script>
          <main>${body}</main>`,
      })
      server.files.set('/attune.js', { type: 'text/javascript', text: script })
      server.files.set(
        '/',
        page(
          '<ul data-attune-slot="list" data-attune-decision="d1"><li data-attune-item="tea"><button id="tea">tea</button></li><li data-attune-item="cup"><button id="cup">cup</button></li></ul><a id="away" data-attune-item="away" href="/other">other</a>',
        ),
      )
      server.files.set('/other', page('other'))
      server.files.set(
        '/slots',
        page(
          '<ul data-attune-slot="order" data-attune-rank><li data-attune-item="a">a</li><li data-attune-item="b">b</li></ul><ul data-attune-slot="filled" data-attune-k="2"><template><li>{id}</li></template></ul>',
        ),
      )
      for (const [part, text] of addOns)
        server.files.set(`/attune-${part}.js`, { type: 'text/javascript', text })
      server.files.set(
        '/item',
        page('<h1 data-attune-view="pot">pot</h1><script async src="/attune-dwell.js"></script>'),
      )
      const shelf = page(
        `<ul data-attune-slot="shelf" data-attune-rank>${[...'abcd'].map((id) => `<li data-attune-item="${id}">${id}</li>`).join('')}</ul><a href="/other">other</a>`,
      )
      server.files.set('/shelf', {
        ...shelf,
        text: shelf.text.replace(
          '<script async',
          '<script defer src="/attune-back.js"></script><script defer',
        ),
      })
      server.files.set(
        '/pending',
        page('<button id="tea" data-attune-item="tea">tea</button>', 'data-consent="pending"'),
      )
      server.files.set(
        '/denied',
        page('<button id="tea" data-attune-item="tea">tea</button>', 'data-consent="denied"'),
      )
    })
    afterEach(async () => {
      for (const tab of tabs.splice(0)) await tab.close().catch(() => {})
      await server.close()
    })

    async function open(path = '/'): Promise<Tab> {
      const tab = await engine.open()
      tabs.push(tab)
      await tab.goto(server.origin + path)
      await ready(tab)
      return tab
    }
    const ready = (tab: Tab) =>
      expect.poll(() => tab.evaluate('return !!window.attune && !Array.isArray(attune)'), PATIENCE).toBe(true)
    const items = () => server.events().flatMap((event) => (event.kind === 'click' ? [event.item] : []))
    const toldItems = (expected: string[]) => expect.poll(items, PATIENCE).toEqual(expected)

    test('capture: clicks, impressions, views and searches are stored once, with slot, place and decision', async () => {
      const tab = await open()
      await tab.click('#cup')
      await toldItems(['cup'])
      expect(server.events().find((event) => event.kind === 'click')).toMatchObject({
        slot: 'list',
        position: 1,
        decision: 'd1',
        seq: 1,
      })
      await tab.evaluate(
        `document.body.insertAdjacentHTML('beforeend', '<p data-attune-view="pot"></p><form data-attune-search="q"><input name="q" value=" green tea "></form>');
         const form = document.querySelector('form'); form.addEventListener('submit', (event) => event.preventDefault()); form.requestSubmit()`,
      )
      const kinds = () =>
        server
          .events()
          .map(({ kind, item, query }) => `${kind} ${item ?? query}`)
          .toSorted()
      await expect
        .poll(kinds, PATIENCE)
        .toEqual([
          'click cup',
          'impression away',
          'impression cup',
          'impression tea',
          'search green tea',
          'view pot',
        ])
      expect(server.visitors).toBe(1)
      expect(server.methods.filter((method) => method.startsWith('OPTIONS'))).toEqual([])
    })

    test('delivery: an answer that is lost is asked for again with the same batch id, by the next page, once', async () => {
      server.fault = (path) => (path === '/v1/events' ? 'cut-after' : undefined)
      const tab = await open()
      await tab.click('#tea')
      await expect.poll(() => server.attempts.length, PATIENCE).toBeGreaterThan(0)
      await tab.close()
      tabs.length = 0
      server.fault = () => undefined
      const before = server.attempts.length
      await open()
      await expect.poll(() => server.attempts.length, PATIENCE).toBeGreaterThan(before)
      expect(items()).toEqual(['tea'])
      expect(new Set(server.attempts.map((attempt) => attempt.batch)).size).toBe(1)
    })

    test('slots: cards of the page are put in order, a template is filled', async () => {
      const tab = await open('/slots')
      const shown = () =>
        tab.evaluate(`return [...document.querySelectorAll('li')].map((card) => card.textContent)`)
      await expect.poll(shown, PATIENCE).toEqual(['b', 'a', 'sku-0', 'sku-1'])
    })

    test('consent: pending is held and sent when granted; denied sends no event and no handle, and keeps nothing', async () => {
      const pending = await open('/pending')
      await pending.click('#tea')
      expect(server.methods).toEqual([])
      await pending.evaluate(`attune.consent('granted')`)
      await toldItems(['tea'])
      await pending.evaluate(`attune.consent('denied')`)
      await pending.close()
      tabs.length = 0
      server.reset()
      const denied = await open('/denied')
      await denied.click('#tea')
      await denied.evaluate(`await attune.recommend('more', { k: 2 })`)
      expect(server.methods).toEqual(['POST /v1/rank'])
      expect(server.ranks).toEqual([{ slot: 'more', k: 2 }])
      expect(
        await denied.evaluate('return Object.keys(localStorage).length + Object.keys(sessionStorage).length'),
      ).toBe(0)
    })

    test('a single-page app: what the next view brings is seen without a call', async () => {
      const tab = await open()
      await tab.evaluate(
        `history.pushState({}, '', '/p/pot'); document.querySelector('main').innerHTML = '<article data-attune-view="pot"><button id="pot" data-attune-item="pot">pot</button></article>'`,
      )
      await tab.click('#pot')
      const told = () =>
        server.events().flatMap(({ kind, item }) => (kind === 'impression' ? [] : [`${kind} ${item}`]))
      await expect.poll(told, PATIENCE).toEqual(['view pot', 'click pot'])
    })

    test('there and back: the click that leaves is stored, and the page that comes back, out of the cache (in Firefox anew), goes on sending', async () => {
      const tab = await open()
      await tab.click('#tea')
      await toldItems(['tea'])
      await tab.click('#away')
      await expect.poll(() => tab.evaluate('return location.pathname'), PATIENCE).toBe('/other')
      await ready(tab)
      await tab.evaluate('setTimeout(() => history.back(), 50)')
      await expect.poll(() => tab.evaluate('return location.pathname'), PATIENCE).toBe('/')
      await ready(tab)
      // Firefox keeps no page that held a Web Lock when it was left.
      if (name !== 'Firefox') expect(await tab.evaluate('return restored')).toBe(1)
      await tab.click('#cup')
      await toldItems(['tea', 'away', 'cup'])
      // One tab: its numbers go on.
      const clicks = server.events().filter((event) => event.kind === 'click')
      expect(clicks.map((event) => event.seq)).toEqual([1, 2, 3])
      expect(new Set(clicks.map((event) => event.tab)).size).toBe(1)
    })

    test('back to a page with a list: it stands as it was left, out of the cache or anew, without a request', async () => {
      let answers = 0
      const orders = ['abcd', 'cadb', 'bdca']
      server.rank = (request) => ({
        ...ranked(request),
        items: [...(orders[answers++] ?? '')].map((id) => ({ id, score: 1 })),
      })
      const tab = await open('/shelf')
      const shown = () => tab.evaluate(`return document.querySelector('ul').textContent`)
      await expect.poll(() => answers, PATIENCE).toBe(1)
      await tab.evaluate(`await attune.refresh()`)
      expect(await shown()).toBe('cadb')
      await tab.evaluate(`setTimeout(() => document.querySelector('a').click(), 50)`)
      await expect
        .poll(() => tab.evaluate('return location.pathname').catch(() => ''), PATIENCE)
        .toBe('/other')
      await ready(tab)
      await tab.evaluate('setTimeout(() => history.back(), 50)')
      await expect
        .poll(() => tab.evaluate('return location.pathname').catch(() => ''), PATIENCE)
        .toBe('/shelf')
      await ready(tab)
      expect(await shown()).toBe('cadb')
      expect([answers, await tab.evaluate('return problems')]).toEqual([2, []])
      await tab.evaluate(`await attune.refresh()`)
      expect(await shown()).toBe('bdca')
    })

    test('the debug panel opens and Escape closes it; how long a page was looked at is told when it is left', async () => {
      const tab = await open('/item?attune-debug')
      const panel = () =>
        tab.evaluate(
          `return document.querySelector('attune-debug')?.shadowRoot.textContent.includes('granted')`,
        )
      await expect.poll(panel, PATIENCE).toBe(true)
      await tab.evaluate(
        `document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))`,
      )
      expect(await tab.evaluate(`return document.querySelectorAll('attune-debug').length`)).toBe(0)
      await tab.evaluate('await new Promise((resolve) => setTimeout(resolve, 1200))')
      await tab.goto(`${server.origin}/other`)
      const told = () =>
        server.events().flatMap(({ kind, item }) => (kind === 'impression' ? [] : [`${kind} ${item}`]))
      await expect.poll(told, PATIENCE).toEqual(['view pot', 'custom:dwell pot'])
      expect(server.events().find(({ kind }) => kind === 'custom:dwell')?.value).toBeGreaterThan(1.1)
    })

    test('two tabs: one sends at a time, one visitor, each click once, numbered per tab, none missing', async () => {
      let at = 0
      let most = 0
      server.fault = async (path) => {
        if (path !== '/v1/events') return undefined
        most = Math.max(most, ++at)
        await new Promise((resolve) => setTimeout(resolve, 100))
        at--
        return undefined
      }
      const pair = [await open(), await open()]
      for (let round = 0; round < 4; round++)
        for (const tab of pair) await tab.evaluate(`document.querySelector('#tea').click()`)
      await expect.poll(() => items().length, PATIENCE).toBe(8)
      expect([most, server.visitors]).toEqual([1, 1])
      const clicks = server.events().filter((event) => event.kind === 'click')
      expect(new Set(clicks.map((event) => event.id)).size).toBe(8)
      expect(clicks.map((event) => event.seq).toSorted()).toEqual([1, 1, 2, 2, 3, 3, 4, 4])
      for (const batch of server.stored)
        expect(countMissing(batch.events, batch.after)).toEqual({ missing: 0, late: 0 })
    })

    test('no network: clicks wait, and are stored once, in order, when it is back', async () => {
      const tab = await open()
      await tab.click('#tea')
      await toldItems(['tea'])
      server.fault = () => 'cut-before'
      await tab.click('#cup')
      await tab.click('#tea')
      await expect.poll(() => tab.evaluate('return problems'), PATIENCE).toEqual(['DELIVERY_DELAYED'])
      server.fault = () => undefined
      await tab.evaluate(`dispatchEvent(new Event('online'))`)
      await toldItems(['tea', 'cup', 'tea'])
    })

    const how =
      name === 'Chromium'
        ? 'a renderer killed within the task of the click'
        : name === 'Firefox'
          ? 'a tab closed within the task of the click (killing its process ends the BiDi session, see firefox.web.test.ts for the whole browser)'
          : "a tab closed within the task of the click (WebKitWebDriver's session and its storage end with the web process)"
    test(`${how}: the next page sends it, once`, async () => {
      const tab = await open()
      await tab.click('#tea')
      await toldItems(['tea'])
      server.fault = () => 'cut-before'
      const click = `document.querySelector('#cup').click()`
      if (tab.crash) await tab.crash(click)
      else {
        await tab.evaluate(click)
        await tab.close()
      }
      tabs.length = 0
      server.fault = () => undefined
      await open()
      await toldItems(['tea', 'cup'])
    })
  })
})
