import { countMissing } from '@attune/core'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { findBrowser, startChromium, temporaryProfile, type RunningChromium } from '@attune/browsers'
import { bundleScript } from './web-testing/bundle.ts'
import { startWireServer, type WireServer } from './web-testing/wire-server.ts'

const executable = findBrowser('chromium')

const skipped = executable === undefined ? ' (skipped: no Chromium found; set ATTUNE_CHROMIUM)' : ''

describe.skipIf(executable === undefined)(`delivery in Chromium${skipped}`, () => {
  let server: WireServer
  let browser: RunningChromium
  let context: BrowserContext
  const profile = temporaryProfile()

  beforeAll(async () => {
    server = await startWireServer()
    server.files.set('/attune.js', { type: 'text/javascript', text: await bundleScript() })
    const cards = [1, 2, 3, 4, 5]
      .map((id) => `<li data-attune-item="sku-${id}"><button>buy ${id}</button></li>`)
      .join('')
    const page = (links: string) => `<!doctype html><title>shop</title>
      <script async src="/attune.js" data-endpoint="${server.endpoint}" data-site="public-key"></script>
      <script>window.attune = window.attune || []; window.seen = []; window.problems = []
        attune.push(['on', 'stored', (detail) => seen.push(detail)], ['on', 'error', (error) => problems.push(error.code)])
      </script>
      <ul data-attune-slot="list" data-attune-decision="01900000-0000-7000-8000-00000000000a">${cards}</ul>${links}`
    server.files.set('/', {
      type: 'text/html',
      text: page('<a data-attune-item="sku-9" href="/next">next</a>'),
    })
    server.files.set('/next', { type: 'text/html', text: page('') })
    server.files.set('/bare', { type: 'text/html', text: '<!doctype html><title>no script</title>' })
  })
  beforeAll(async () => {
    browser = await startChromium(profile.path, {
      flags: [
        // Plain http on a name that is not local: no secure context, hence no Web Locks.
        `--host-resolver-rules=MAP shop.test 127.0.0.1`,
      ],
    })
  })
  afterAll(async () => {
    await browser.close()
    await server.close()
    profile.remove()
  })
  beforeEach(async () => {
    server.reset()
    context = await browser.browser.newContext()
  })
  afterEach(() => context.close())

  async function open(path = '/', origin = server.origin, within = context): Promise<Page> {
    const page = await within.newPage()
    await page.goto(origin + path)
    await page.waitForFunction(() => !Array.isArray((window as { attune?: unknown }).attune))
    return page
  }
  const clicks = () => server.events().filter((event) => event.kind === 'click')
  const items = () => clicks().map((event) => event.item)
  const queued = (page: Page) =>
    page.evaluate(
      () =>
        new Promise<number>((resolve, reject) => {
          const request = indexedDB.open('attune-public-key', 2)
          request.addEventListener('error', () => reject(request.error))
          request.addEventListener('success', () => {
            const db = request.result
            const keys = db.transaction('kept').objectStore('kept').getAllKeys()
            keys.addEventListener('success', () => {
              db.close()
              resolve(keys.result.filter((key) => /^[eb]:/.test(String(key))).length)
            })
          })
        }),
    )

  test('a click is stored once, with its slot, position and decision, without a preflight', async () => {
    const page = await open()
    await page.click('text=buy 3')
    await expect.poll(items).toEqual(['sku-3'])
    expect(clicks()[0]).toMatchObject({
      kind: 'click',
      slot: 'list',
      position: 2,
      decision: '01900000-0000-7000-8000-00000000000a',
    })
    expect(server.visitors).toBe(1)
    expect(server.methods).not.toContain('OPTIONS /v1/events')
    await expect.poll(() => queued(page)).toBe(0)
    const stored = await page.evaluate(() => (window as unknown as { seen: { response: object }[] }).seen[0])
    expect(stored?.response).toMatchObject({ session: '0:-1#1', diagnostics: { ru: 6.29 } })
  })

  test('a click and the view it opens travel together, and so do clicks within a second of a batch', async () => {
    const page = await open()
    await page.click('text=buy 1')
    await expect.poll(items).toEqual(['sku-1'])
    await expect.poll(() => queued(page)).toBe(0)
    await page.evaluate(() => {
      const { track } = (window as unknown as { attune: { track(kind: string, item: string): void } }).attune
      track('click', 'a')
      track('view', 'a')
      setTimeout(() => track('click', 'b'), 100)
    })
    const told = (kind: string) =>
      server.stored.map(({ events }) => events.filter((each) => each.kind === kind).map(({ item }) => item))
    await expect.poll(() => told('click').filter((each) => each.length > 0)).toEqual([['sku-1'], ['a', 'b']])
    expect(told('view').filter((each) => each.length > 0)).toEqual([['a']])
    await expect.poll(() => queued(page)).toBe(0)
  })

  test('keyboard and middle button count as clicks, the right button does not', async () => {
    const page = await open()
    await page.focus('text=buy 1')
    await page.keyboard.press('Enter')
    await page.click('text=buy 2', { button: 'middle' })
    await page.click('text=buy 4', { button: 'right' })
    await page.click('text=buy 5')
    await expect.poll(items).toEqual(['sku-1', 'sku-2', 'sku-5'])
  })

  test('calls made before the script has loaded are kept', async () => {
    server.files.set('/early', {
      type: 'text/html',
      text: `<!doctype html><script>window.attune = [['track', 'click', 'early']]</script>
        <script async src="/attune.js" data-endpoint="${server.endpoint}" data-site="public-key"></script>`,
    })
    await open('/early')
    await expect.poll(items).toEqual(['early'])
  })

  test('clicks made offline are stored exactly once, in order, after reconnecting', async () => {
    const page = await open()
    await page.click('text=buy 1')
    await expect.poll(items).toEqual(['sku-1'])
    await context.setOffline(true)
    for (const id of [2, 3, 4]) await page.click(`text=buy ${id}`)
    await expect
      .poll(() => page.evaluate(() => (window as unknown as { problems: string[] }).problems))
      .toEqual(['DELIVERY_DELAYED'])
    expect(items()).toEqual(['sku-1'])
    await context.setOffline(false)
    await expect.poll(items).toEqual(['sku-1', 'sku-2', 'sku-3', 'sku-4'])
    await expect.poll(() => queued(page)).toBe(0)
  })

  test('a tab closed while offline loses nothing: the next one sends it, once', async () => {
    const page = await open()
    await context.setOffline(true)
    await page.click('text=buy 2')
    await expect.poll(() => queued(page)).toBe(1)
    await page.close({ runBeforeUnload: false })
    await context.setOffline(false)
    expect(clicks()).toEqual([])
    const again = await open()
    await expect.poll(items).toEqual(['sku-2'])
    await expect.poll(() => queued(again)).toBe(0)
  })

  test('every process of the browser killed right after a click: sent after it is opened again, once', async () => {
    const own = temporaryProfile()
    let victim = await startChromium(own.path)
    try {
      // The edge is away, so the click can only survive on disk.
      server.fault = () => 'cut-before'
      const page = await open('/', server.origin, victim.context)
      await page.click('text=buy 4')
      await expect.poll(() => queued(page)).toBe(1)
      await victim.kill()
      expect(clicks()).toEqual([])
      server.fault = () => undefined
      victim = await startChromium(own.path)
      const again = await open('/', server.origin, victim.context)
      await expect.poll(items).toEqual(['sku-4'])
      await expect.poll(() => queued(again)).toBe(0)
    } finally {
      await victim.close()
      own.remove()
    }
  })

  test('a renderer killed within the task of the click: sent by the next page, once', async () => {
    const page = await open()
    await page.click('text=buy 1')
    await expect.poll(items).toEqual(['sku-1'])
    await expect.poll(() => queued(page)).toBe(0)
    const devtools = await context.newCDPSession(page)
    const crashed = page.waitForEvent('crash')
    // Nothing of this page runs after the click: no callback, no timer, no pagehide.
    page
      .evaluate(() => {
        document.querySelectorAll('button')[1]?.click()
        for (;;);
      })
      .catch(() => {})
    await sleep(300)
    devtools.send('Page.crash').catch(() => {})
    await crashed
    expect(items()).toEqual(['sku-1'])
    await open()
    await expect.poll(items).toEqual(['sku-1', 'sku-2'])
  })

  test('a renderer killed in the task of a click that nothing could keep: the tab goes on, and the edge counts exactly that one as missing', async () => {
    server.files.set('/forgetful', {
      type: 'text/html',
      // In its first life neither database nor localStorage takes anything from then on; later lives click by themselves.
      text: `<!doctype html><title>shop</title><script>
        const life = (sessionStorage.life = 1 + Number(sessionStorage.life || 0))
        const refuse = () => { throw new DOMException('refused', 'QuotaExceededError') }
        window.break = () => {
          IDBObjectStore.prototype.put = refuse
          Object.defineProperty(window, 'localStorage', { value: new Proxy({}, { get: refuse, set: refuse, ownKeys: refuse }) })
        }
        if (life > 1) addEventListener('attune:ready', () => document.querySelector('button').click())
        </script><script async src="/attune.js" data-endpoint="${server.endpoint}" data-site="public-key"></script>
        <button data-attune-item="tea">tea</button>`,
    })
    const page = await open('/forgetful')
    await page.click('text=tea')
    await expect.poll(items).toEqual(['tea'])
    await expect.poll(() => queued(page)).toBe(0)
    const devtools = await context.newCDPSession(page)
    const crashed = page.waitForEvent('crash')
    page
      .evaluate(() => {
        ;(window as unknown as { break(): void }).break()
        document.querySelector('button')?.click()
        for (;;);
      })
      .catch(() => {})
    await sleep(500)
    devtools.send('Page.crash').catch(() => {})
    await crashed
    devtools.send('Page.reload').catch(() => {})
    await expect.poll(items).toEqual(['tea', 'tea'])
    expect(clicks().map((event) => event.seq)).toEqual([1, 3])
    expect(new Set(clicks().map((event) => event.tab)).size).toBe(1)
    const counted = server.stored.map((batch) => countMissing(batch.events, batch.after))
    expect(counted.reduce((sum, { missing, late }) => sum + missing - late, 0)).toBe(1)
  })

  test('the page has used up the 64 KB of keepalive that all of it shares: the click goes without, once', async () => {
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    server.fault = async (path) => (path === '/v1/hold' ? void (await held) : undefined)
    const page = await open()
    await page.evaluate(() => {
      fetch('/v1/hold', { method: 'POST', keepalive: true, body: 'x'.repeat(65_500) }).catch(() => {})
    })
    await expect.poll(() => server.methods).toContain('POST /v1/hold')
    await page.click('text=buy 3')
    await expect.poll(items).toEqual(['sku-3'])
    expect(server.attempts).toHaveLength(1)
    expect(await page.evaluate(() => (window as unknown as { problems: string[] }).problems)).toEqual([
      'DELIVERY_DELAYED',
    ])
    release()
  })

  test('an answer that is lost is asked for again with the same batch id, also by the next page', async () => {
    let lost = 0
    server.fault = (path) => (path === '/v1/events' && lost++ < 2 ? 'cut-after' : undefined)
    const page = await open()
    await page.click('text=buy 1')
    await expect.poll(() => server.attempts.length).toBeGreaterThanOrEqual(2)
    await page.close()
    const again = await open()
    await expect.poll(() => queued(again)).toBe(0)
    expect(items()).toEqual(['sku-1'])
    // On a busy machine impressions are told meanwhile, in a batch of their own.
    const attempts = server.attempts.filter(({ events }) => events.some(({ kind }) => kind === 'click'))
    expect(new Set(attempts.map((attempt) => attempt.batch)).size).toBe(1)
    expect(attempts.length).toBeGreaterThanOrEqual(3)
  })

  test('503 with Retry-After: 2 is not asked again before 2 s have passed, by this page or a reloaded one', async () => {
    const times: number[] = []
    server.fault = (path) => {
      if (path !== '/v1/events') return undefined
      times.push(Date.now())
      return times.length === 1
        ? { status: 503, headers: { 'retry-after': '2' }, body: { code: 'STORE_UNAVAILABLE' } }
        : undefined
    }
    const page = await open()
    await page.click('text=buy 1')
    await expect.poll(() => times.length).toBe(1)
    await sleep(200)
    await page.reload()
    await expect.poll(() => items(), { timeout: 10_000 }).toEqual(['sku-1'])
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(2_000)
  })

  test('a click that leaves the page is stored once, even when the next page does not know us', async () => {
    server.files.set('/leave', {
      type: 'text/html',
      text: (server.files.get('/')?.text ?? '').replace('href="/next"', 'href="/bare"'),
    })
    const page = await open('/leave')
    await page.click('text=buy 1')
    await expect.poll(items).toEqual(['sku-1'])
    await page.click('text=next')
    await page.waitForURL('**/bare')
    await expect.poll(items).toEqual(['sku-1', 'sku-9'])
    await open()
    await sleep(500)
    expect(items()).toEqual(['sku-1', 'sku-9'])
  })

  test('a click in the last moment before the page goes is sent by keepalive, once', async () => {
    const page = await open()
    await page.click('text=buy 1')
    await expect.poll(items).toEqual(['sku-1'])
    // Click and leave at once: the 50 ms within which clicks are gathered have not passed.
    await page.evaluate(async () => {
      const click = (index: number) => document.querySelectorAll('button')[index]?.click()
      click(1)
      await new Promise((resolve) => setTimeout(resolve, 20))
      click(2)
      window.dispatchEvent(new Event('pagehide'))
      // What pagehide cannot start it cannot do: the page is stopped here.
      const blockUntil = Date.now() + 1_000
      while (Date.now() < blockUntil);
    })
    await page.goto(`${server.origin}/bare`)
    await expect.poll(items).toEqual(['sku-1', 'sku-2', 'sku-3'])
    await open()
    await sleep(500)
    expect(items()).toEqual(['sku-1', 'sku-2', 'sku-3'])
  })

  test.each(['as the browser has it', 'its quota spent'])(
    'fetchLater, %s: a click in the last moment of a page is stored once, and not again by the next page',
    async (how) => {
      const page = await open()
      await page.click('text=buy 1')
      await expect.poll(items).toEqual(['sku-1'])
      await expect.poll(() => queued(page)).toBe(0)
      await page.evaluate((spent) => {
        const target = window as unknown as { fetchLater?: unknown }
        const real = target.fetchLater as ((url: string, init: RequestInit) => unknown) | undefined
        target.fetchLater = (url: string, init: RequestInit) => {
          sessionStorage['later'] = `${Number(sessionStorage['later'] ?? 0) + 1}`
          if (spent) throw new DOMException('no room', 'QuotaExceededError')
          return real ? real(url, init) : (void fetch(url, { ...init, keepalive: true }), { activated: true })
        }
      }, how === 'its quota spent')
      await page.evaluate(() => {
        document.querySelectorAll('button')[1]?.click()
        location.href = '/bare'
      })
      await page.waitForURL('**/bare')
      await expect.poll(items).toEqual(['sku-1', 'sku-2'])
      expect(await page.evaluate(() => Number(sessionStorage['later'] ?? 0))).toBeLessThanOrEqual(1)
      const again = await open()
      await expect.poll(() => queued(again)).toBe(0)
      expect(items()).toEqual(['sku-1', 'sku-2'])
      expect(new Set(server.attempts.map(({ batch }) => batch)).size).toBe(2)
    },
  )

  test('a duplicated tab, whose sessionStorage is a copy, is a tab of its own: no number is given twice, none is missing', async () => {
    const page = await open()
    await page.click('text=buy 1')
    await expect.poll(items).toEqual(['sku-1'])
    const [copy] = await Promise.all([
      context.waitForEvent('page'),
      // A window that is opened by another starts with a copy of its sessionStorage, as a duplicated tab does.
      page.evaluate(() => void window.open('/')),
    ])
    await copy.waitForFunction(() => !Array.isArray((window as { attune?: unknown }).attune))
    expect(await copy.evaluate(() => sessionStorage['attune-public-key'])).toContain('"seq":1}')
    await copy.evaluate(() => document.querySelectorAll('button')[1]?.click())
    // The first one has heard of it.
    await expect.poll(() => page.evaluate(() => sessionStorage['attune-public-key'])).toBeUndefined()
    await page.evaluate(() => document.querySelectorAll('button')[2]?.click())
    await copy.evaluate(() => document.querySelectorAll('button')[3]?.click())
    await expect.poll(() => items().toSorted()).toEqual(['sku-1', 'sku-2', 'sku-3', 'sku-4'])
    const numbers = new Map(clicks().map(({ item, tab, seq }) => [item, [tab, seq]]))
    const [first, second] = [numbers.get('sku-1')?.[0], numbers.get('sku-3')?.[0]]
    expect(first).not.toBe(second)
    expect(['sku-1', 'sku-2', 'sku-3', 'sku-4'].map((item) => numbers.get(item))).toEqual([
      [first, 1],
      [first, 2],
      [second, 1],
      [first, 3],
    ])
    const counted = server.stored.map((batch) => countMissing(batch.events, batch.after))
    expect(counted.every(({ missing, late }) => missing === 0 && late === 0)).toBe(true)
  })

  test('of two tabs one sends at a time, both get the answer, and there is one visitor', async () => {
    let at = 0
    let most = 0
    server.fault = async (path) => {
      if (path !== '/v1/events') return undefined
      most = Math.max(most, ++at)
      await sleep(100)
      at--
      return undefined
    }
    const tabs = [await open(), await open()]
    for (let round = 0; round < 5; round++) {
      await Promise.all(
        tabs.map((tab, index) =>
          tab.evaluate((id) => document.querySelectorAll('button')[id]?.click(), (round % 4) + index),
        ),
      )
      await sleep(60)
    }
    await expect.poll(() => clicks().length, { timeout: 10_000 }).toBe(10)
    expect(most).toBe(1)
    expect(server.visitors).toBe(1)
    const ids = clicks().map((event) => event.id)
    expect(new Set(ids).size).toBe(10)
    for (const tab of tabs) {
      await expect
        .poll(() =>
          tab.evaluate(
            () =>
              (window as unknown as { seen: { events: { kind: string }[] }[] }).seen
                .flatMap((each) => each.events)
                .filter((event) => event.kind === 'click').length,
          ),
        )
        .toBe(10)
    }
  })

  test('two tabs that wait for a third ask it once each, and not each other without end (it starved the renderers)', async () => {
    const holder = await open()
    await holder.click('text=buy 1')
    await expect.poll(items).toEqual(['sku-1'])
    const spy = await context.newPage()
    await spy.goto(`${server.origin}/bare`)
    await spy.evaluate(() => {
      const heard: string[] = []
      const channel = new BroadcastChannel('attune-public-key')
      channel.addEventListener('message', (event) => heard.push(event.data.type))
      Object.assign(window, { heard, channel })
    })
    const waiting = [await open(), await open()]
    // The tab whose turn it is cannot send: what the others have stays due.
    server.fault = () => 'cut-before'
    for (const tab of waiting) await tab.evaluate(() => document.querySelectorAll('button')[1]?.click())
    await sleep(1_500)
    const heard = await spy.evaluate(() => (window as unknown as { heard: string[] }).heard)
    expect(heard.filter((type) => type === 'nudge').length).toBeLessThan(12)
    server.fault = () => undefined
    await holder.evaluate(() => window.dispatchEvent(new Event('online')))
    await expect.poll(items).toEqual(['sku-1', 'sku-2', 'sku-2'])
  })

  test('without Web Locks (plain http) a lease keeps two tabs from sending at once', async () => {
    const origin = server.origin.replace('127.0.0.1', 'shop.test')
    let at = 0
    let most = 0
    server.fault = async (path) => {
      if (path !== '/v1/events') return undefined
      most = Math.max(most, ++at)
      await sleep(100)
      at--
      return undefined
    }
    const tabs = [await open('/', origin), await open('/', origin)]
    expect(await tabs[0]?.evaluate(() => navigator.locks === undefined)).toBe(true)
    for (let round = 0; round < 3; round++) {
      await Promise.all(tabs.map((tab) => tab.evaluate(() => document.querySelector('button')?.click())))
      await sleep(60)
    }
    await expect.poll(() => clicks().length, { timeout: 10_000 }).toBe(6)
    expect(most).toBe(1)
    expect(server.visitors).toBe(1)
    expect(new Set(clicks().map((event) => event.id)).size).toBe(6)
  })

  test('the session token of a stored click goes with the next list and the next batch', async () => {
    const page = await open()
    await page.click('text=buy 1')
    await expect.poll(items).toEqual(['sku-1'])
    await expect.poll(() => queued(page)).toBe(0)
    const other = await open()
    await other.evaluate(() =>
      (window as unknown as { attune: { recommend(slot: string): Promise<unknown> } }).attune.recommend(
        'for-you',
      ),
    )
    expect(server.ranks.at(-1)).toMatchObject({
      slot: 'for-you',
      // Impressions may have been stored since: then their token.
      session: expect.stringMatching(/^0:-1#[12]$/),
      visitor: 'visitor-1.signed',
    })
    expect(server.ranks.at(-1)?.recent?.map((event) => event.item)).toEqual(['sku-1'])
    await other.click('text=buy 2')
    await expect.poll(() => server.attempts.at(-1)?.session).toMatch(/^0:-1#\d$/)
  })

  test('a click made offline is in the very next list', async () => {
    const page = await open()
    await page.evaluate(async () => {
      document.querySelectorAll('button')[3]?.click()
      await (window as unknown as { attune: { recommend(slot: string): Promise<unknown> } }).attune.recommend(
        'for-you',
      )
    })
    expect(server.ranks.at(-1)?.recent?.map((event) => event.item)).toEqual(['sku-4'])
  })

  test('impressions: half in view for a second, once; not what is below the fold', async () => {
    server.files.set('/tall', {
      type: 'text/html',
      text: `<!doctype html><style>div{height:300px}section{height:3000px}</style>
        <script async src="/attune.js" data-endpoint="${server.endpoint}" data-site="public-key"></script>
        <main data-attune-slot="tall"><div data-attune-item="top"></div><section></section><div data-attune-item="below"></div></main>`,
    })
    const page = await open('/tall')
    const impressions = () =>
      server
        .events()
        .filter((event) => event.kind === 'impression')
        .map((event) => [event.item, event.position])
    await expect.poll(impressions, { timeout: 8_000 }).toEqual([['top', 0]])
    await page.evaluate(() => document.querySelector('[data-attune-item=below]')?.scrollIntoView())
    await expect.poll(impressions, { timeout: 8_000 }).toEqual([
      ['top', 0],
      ['below', 1],
    ])
    await page.evaluate(() => window.scrollTo(0, 0))
    await sleep(1_500)
    await page.evaluate(() => (window as unknown as { attune: { flush(): Promise<void> } }).attune.flush())
    expect(impressions()).toHaveLength(2)
  })

  test('forget() leaves nothing on the device, and the next click has another handle', async () => {
    const page = await open()
    await page.click('text=buy 1')
    await expect.poll(items).toEqual(['sku-1'])
    await page.evaluate(() => (window as unknown as { attune: { forget(): Promise<void> } }).attune.forget())
    await page.click('text=buy 2')
    await expect.poll(items).toEqual(['sku-1', 'sku-2'])
    // Impressions may have been stored before, too.
    const told = server.stored.filter(({ events }) => events.some(({ kind }) => kind === 'click'))
    expect(told.map((batch) => batch.visitor)).toEqual(['visitor-1.signed', 'visitor-2.signed'])
    expect(told[1]).not.toHaveProperty('session')
  })

  test('another page deletes the database: it is opened anew, and the next page sends what was clicked meanwhile, once', async () => {
    const page = await open()
    await page.click('text=buy 1')
    await expect.poll(items).toEqual(['sku-1'])
    const other = await open('/bare')
    await other.evaluate(
      () =>
        new Promise((resolve) => {
          indexedDB.deleteDatabase('attune-public-key').addEventListener('success', resolve)
        }),
    )
    server.fault = () => 'cut-before'
    await page.click('text=buy 2')
    await page.click('text=buy 3')
    await expect.poll(() => queued(page)).toBeGreaterThan(0)
    expect(await page.evaluate(() => (window as unknown as { problems: string[] }).problems)).toContain(
      'STORAGE_FAILED',
    )
    await page.close()
    server.fault = () => undefined
    await open()
    await expect.poll(items, { timeout: 10_000 }).toEqual(['sku-1', 'sku-2', 'sku-3'])
  })

  test('no room left on the device: told once; clicks wait in memory and localStorage, and are stored once, in order', async () => {
    const page = await context.newPage()
    const devtools = await context.newCDPSession(page)
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: server.origin, quotaSize: 1 })
    server.fault = () => 'cut-before'
    await page.goto(server.origin)
    await page.waitForFunction(() => !Array.isArray((window as { attune?: unknown }).attune))
    for (const id of [1, 2, 3]) await page.click(`text=buy ${id}`)
    const problems = () => page.evaluate(() => (window as unknown as { problems: string[] }).problems)
    await expect
      .poll(async () => (await problems()).toSorted())
      .toEqual(['DELIVERY_DELAYED', 'STORAGE_FAILED'])
    // The next page of the tab has as little room.
    server.fault = () => undefined
    await page.reload()
    await expect.poll(items, { timeout: 20_000 }).toEqual(['sku-1', 'sku-2', 'sku-3'])
    await page.click('text=buy 4')
    await expect.poll(items).toEqual(['sku-1', 'sku-2', 'sku-3', 'sku-4'])
    expect(new Set(clicks().map(({ id }) => id)).size).toBe(4)
  })

  test('storage refused: told once, and clicks are sent all the same', async () => {
    const page = await context.newPage()
    await page.addInitScript(() => {
      Object.defineProperty(window, 'indexedDB', {
        value: {
          open: () => {
            throw new DOMException('denied', 'SecurityError')
          },
        },
      })
    })
    await page.goto(server.origin)
    await page.waitForFunction(() => !Array.isArray((window as { attune?: unknown }).attune))
    await page.click('text=buy 1')
    await page.click('text=buy 2')
    await expect.poll(items).toEqual(['sku-1', 'sku-2'])
    expect(await page.evaluate(() => (window as unknown as { problems: string[] }).problems)).toEqual([
      'STORAGE_UNAVAILABLE',
    ])
  })
})
