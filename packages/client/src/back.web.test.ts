import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { Client } from './client.ts'
import { bundleScript } from './web-testing/bundle.ts'
import { startChromium, temporaryProfile } from '@attune/browsers'
import { describeInChromium, type WebOptions } from './web-testing/in-chromium.ts'
import { ranked } from './web-testing/wire-server.ts'

const pages: WebOptions = {
  async serve(server) {
    for (const name of ['', '-back'])
      server.files.set(`/attune${name}.js`, {
        type: 'text/javascript',
        text: await bundleScript(`${name.slice(1)}${name && '.'}iife.ts`),
      })
  },
  flags: ['--disable-features=BackForwardCache'],
}

describeInChromium('going back', pages, (web) => {
  let page: Page
  let fieldRequests: number
  /** Every list is another one: the n-th answer begins with the n-th item. */
  let answers: number

  beforeEach(() => {
    answers = fieldRequests = 0
    web.server.rank = (request) => {
      const { candidates = Array.from({ length: 10 }, (_, index) => `sku-${index}`).toReversed() } = request
      const turn = answers++ % candidates.length
      return ranked({
        ...request,
        candidates: [
          ...candidates.slice(candidates.length - turn),
          ...candidates.slice(0, candidates.length - turn),
        ],
      })
    }
  })

  const FILLED = `<ul data-attune-slot="for-you" data-attune-k="4" data-attune-live data-attune-items="/items.json?ids={ids}">
    <template><li><a href="#{id}">{name}</a></li></template>
    <li>one</li><li>two</li><li>three</li><li>four</li></ul>`
  const ORDERED = `<ul data-attune-slot="shelf" data-attune-rank>${['a', 'b', 'c', 'd']
    .map((id) => `<li data-attune-item="${id}"><a href="#${id}">${id}</a></li>`)
    .join('')}</ul>`

  async function serve(body: string, attributes = ''): Promise<void> {
    const html = (content: string) => ({
      type: 'text/html',
      text: `<!doctype html><title>shop</title><style>li { height: 40px } a { display: block }</style>
        <script>
          window.restored = 0; window.shifts = 0; window.problems = []
          addEventListener('pageshow', ({ persisted }) => { if (persisted) restored++ })
          new PerformanceObserver((list) => { for (const { value } of list.getEntries()) shifts += value })
            .observe({ type: 'layout-shift', buffered: true })
          window.states = []
          new MutationObserver(() => {
            const state = [...document.querySelectorAll('[data-attune-slot] li')].map((card) => card.textContent).join()
            if (state !== states.at(-1)) states.push(state)
          }).observe(document, { subtree: true, childList: true })
          window.attune = [['on', 'error', (error) => problems.push(error.code)]]
        </script>
        <script defer src="/attune-back.js"></script>
        <script defer src="/attune.js" data-endpoint="${web.server.endpoint}" data-site="public-key" ${attributes}></script>
        <main>${content}</main><button data-attune-item="tea">tea</button> <a id="away" href="/other">other</a>`,
    })
    web.server.files.set('/', html(body))
    web.server.files.set('/other', html('other'))
    web.server.files.set('/items.json', {
      type: 'application/json',
      text: JSON.stringify(
        Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`sku-${i}`, { name: `Thing ${i}` }])),
      ),
    })
  }
  async function open(body: string, within = web.context, attributes = ''): Promise<void> {
    await serve(body, attributes)
    page = await within.newPage()
    page.on('request', (request) => {
      if (request.url().includes('/items.json')) fieldRequests++
    })
    await page.goto(web.server.origin)
  }
  const shown = () => page.$$eval('[data-attune-slot] li', (all) => all.map((card) => card.textContent))
  const measured = () =>
    page.evaluate(() => {
      const { restored, shifts } = window as unknown as { restored: number; shifts: number }
      return { restored, shifts }
    })
  const states = () => page.evaluate(() => (window as unknown as { states: string[] }).states)
  const listed = () => expect.poll(() => page.$('[data-attune-decision]').then(Boolean)).toBe(true)
  const arrived = (path: string) =>
    expect
      .poll(() => page.evaluate(() => document.readyState + location.pathname).catch(() => ''))
      .toBe(`complete${path}`)
  async function leave(): Promise<void> {
    await page.evaluate(() => void setTimeout(() => document.querySelector<HTMLElement>('#away')?.click()))
    await arrived('/other')
  }
  async function back(): Promise<void> {
    await page.evaluate(() => void setTimeout(() => history.back()))
    await arrived('/')
  }
  const kept = () => page.evaluate(() => Object.keys(sessionStorage).filter((key) => key.endsWith('-lists')))

  test('without the back/forward cache: the list that was there, at once and without a request; an action asks anew', async () => {
    await open(FILLED)
    await page.click('text=tea')
    const list = ['Thing 1', 'Thing 2', 'Thing 3', 'Thing 4']
    await expect.poll(shown).toEqual(list)
    await leave()
    const asked = web.server.ranks.length
    const fields = fieldRequests
    await back()
    expect(await shown()).toEqual(list)
    expect(await page.$$eval('[data-attune-slot] li', (all) => all.map((card) => card.dataset))).toEqual(
      [1, 2, 3, 4].map((id, index) => ({ attuneItem: `sku-${id}`, attunePosition: `${index}` })),
    )
    await sleep(300)
    expect([web.server.ranks.length - asked, fieldRequests - fields]).toEqual([0, 0])
    expect(await measured()).toEqual({ restored: 0, shifts: 0 })
    // What the page says itself while it is read, then the list, and nothing in between.
    expect((await states()).at(-1)).toBe(list.join())
    expect((await states()).filter((state) => state.includes('Thing'))).toHaveLength(1)

    await page.click('text=tea')
    await expect.poll(shown).toEqual(['Thing 2', 'Thing 3', 'Thing 4', 'Thing 5'])
    expect(web.server.ranks.length - asked).toBe(1)
    await page.evaluate(() => (window.attune as Client).refresh('for-you'))
    expect(await shown()).toEqual(['Thing 3', 'Thing 4', 'Thing 5', 'Thing 6'])
  })

  test("the page's own cards, one held by the focus: the order on the screen is kept, not that of the answer", async () => {
    await open(ORDERED)
    await expect.poll(shown).toEqual(['d', 'c', 'b', 'a'])
    // Asked for d c b a, the second answer is b c d a; "d" has the focus and stays first.
    await page.focus('text=/^d$/')
    await page.evaluate(() => (window.attune as Client).refresh())
    const order = ['d', 'b', 'c', 'a']
    expect(await shown()).toEqual(order)
    await leave()
    await back()
    expect(await shown()).toEqual(order)
    expect(web.server.ranks).toHaveLength(2)
  })

  test('a reload, a new visit, and a page with other cards ask anew', async () => {
    await open(`${ORDERED}<script>
      if (localStorage.changed) document.querySelector('[data-attune-item=a]').dataset.attuneItem = 'e'
    </script>`)
    await expect.poll(shown).toEqual(['d', 'c', 'b', 'a'])
    await page.reload()
    await expect.poll(shown).toEqual(['c', 'b', 'a', 'd'])
    await page.goto(`${web.server.origin}/other`)
    await page.goto(web.server.origin)
    await expect.poll(() => web.server.ranks.length).toBe(3)
    await listed()
    await leave()
    await page.evaluate(() => (localStorage['changed'] = 'yes'))
    await back()
    await expect.poll(() => web.server.ranks.length).toBe(4)
    expect(web.server.ranks.at(-1)?.candidates).toEqual(['e', 'b', 'c', 'd'])
  })

  test('a view of the page that one has come back to is no reason for another list', async () => {
    await open(`<article data-attune-view="sku-9"></article>${FILLED}`)
    await listed()
    const list = await shown()
    await leave()
    await back()
    await expect.poll(() => web.server.events().filter(({ kind }) => kind === 'view').length).toBe(2)
    await sleep(200)
    expect(await shown()).toEqual(list)
    expect(web.server.ranks).toHaveLength(1)
  })

  test('out of the back/forward cache: what is on its way when the page is left changes nothing', async () => {
    const keeping = temporaryProfile()
    const other = await startChromium(keeping.path, { flags: ['--enable-features=BackForwardCache'] })
    onTestFinished(async () => {
      await other.close()
      keeping.remove()
    })
    await open(FILLED, other.context)
    await listed()
    const list = await shown()
    let held = 0
    web.server.fault = async (path) => {
      if (path === '/v1/rank') {
        held++
        await sleep(700)
      }
      return undefined
    }
    await page.click('text=tea')
    await expect.poll(() => held).toBe(1)
    // Without a client: while a batch is on its way the page holds the lock, and the browser keeps no page whose lock another wants.
    web.server.files.set('/other', { type: 'text/html', text: '<!doctype html><title>other</title>other' })
    await leave()
    await back()
    expect((await measured()).restored).toBe(1)
    await sleep(1_000)
    expect(await shown()).toEqual(list)
    expect((await measured()).shifts).toBe(0)
    await page.click('text=tea')
    await expect.poll(shown).not.toEqual(list)
  })

  test('an app that changes its content: back shows the list of that view, forward of the other; a new view asks', async () => {
    await open('')
    await page.evaluate((slot) => {
      const main = document.querySelector('main') as HTMLElement
      const draw = (): void => {
        main.innerHTML = location.pathname === '/' ? '' : `<h1>${location.pathname}</h1>${slot}`
      }
      Object.assign(window, {
        go(path: string) {
          history.pushState({}, '', path)
          draw()
        },
      })
      addEventListener('popstate', draw)
    }, FILLED)
    const go = async (path: string): Promise<void> => {
      await page.evaluate((to) => (window as unknown as { go(to: string): void }).go(to), path)
      await listed()
    }
    await go('/tea')
    const tea = await shown()
    await go('/cups')
    const cups = await shown()
    expect(tea).not.toEqual(cups)
    const move = async (by: number, title: string): Promise<void> => {
      await page.evaluate((steps) => history.go(steps), by)
      await expect.poll(() => page.textContent('h1')).toBe(title)
    }
    await move(-1, '/tea')
    expect(await shown()).toEqual(tea)
    await move(1, '/cups')
    expect(await shown()).toEqual(cups)
    expect(web.server.ranks).toHaveLength(2)
    // The same address, but a new place in the history.
    await go('/tea')
    expect(await shown()).not.toEqual(tea)
    expect(web.server.ranks).toHaveLength(3)
  })

  test('without consent, and once the visitor is forgotten, no list is kept', async () => {
    await open(FILLED, web.context, 'data-consent="denied"')
    await listed()
    await leave()
    expect(await kept()).toEqual([])
    await back()
    await expect.poll(() => web.server.ranks.length).toBe(2)

    await open(FILLED)
    await listed()
    await leave()
    expect(await kept()).toEqual(['attune-public-key-lists'])
    await back()
    await page.evaluate(() => (window.attune as Client).forget())
    expect(await kept()).toEqual([])
    await leave()
    await back()
    await expect.poll(() => web.server.ranks.length).toBe(4)
  })

  test('more than 30 minutes later the list is a new one; storage that is full or holds nonsense is no reason to fail', async () => {
    await open(FILLED)
    await listed()
    await leave()
    await page.evaluate(() => {
      const key = 'attune-public-key-lists'
      const lists = JSON.parse(sessionStorage[key] as string) as [string, object, number][]
      const older = lists.map(([place, list, at]) => [place, list, at - 31 * 60_000])
      sessionStorage[key] = JSON.stringify(older)
    })
    await back()
    await expect.poll(() => web.server.ranks.length).toBe(2)
    await listed()
    await leave()
    await page.evaluate(() => (sessionStorage['attune-public-key-lists'] = '{"no":'))
    await back()
    await expect.poll(() => web.server.ranks.length).toBe(3)
    await listed()
    expect(await page.evaluate(() => (window as unknown as { problems: string[] }).problems)).toEqual([])
  })
})
