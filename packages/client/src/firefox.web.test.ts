import puppeteer, { type Browser, type BrowserContext, type Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Client } from './client.ts'
import { STORE_CONTRACT } from './store/store.contract.ts'
import { findBrowser, temporaryProfile } from '@attune/browsers'
import { bundleModule, bundleScript } from './web-testing/bundle.ts'
import { startWireServer, type WireServer } from './web-testing/wire-server.ts'

const executable = findBrowser('firefox')
const skipped = executable === undefined ? ' (skipped: no Firefox found; set ATTUNE_FIREFOX)' : ''

describe.skipIf(executable === undefined)(`Firefox${skipped}`, () => {
  let server: WireServer
  /** For the tests that need no process of their own: each gets a context. */
  let shared: Browser
  let own: Browser | undefined
  let context: BrowserContext
  let storeScript: string
  const sharedProfile = temporaryProfile()
  let profile: ReturnType<typeof temporaryProfile>

  const launch = (userDataDir: string, preferences: Record<string, unknown> = {}): Promise<Browser> =>
    puppeteer.launch({
      browser: 'firefox',
      executablePath: executable as string,
      headless: true,
      userDataDir,
      extraPrefsFirefox: preferences,
    })

  beforeAll(async () => {
    server = await startWireServer()
    storeScript = await bundleModule(new URL('./store/idb-contract.page.ts', import.meta.url), 'storeTest')
    server.files.set('/attune.js', { type: 'text/javascript', text: await bundleScript() })
    server.files.set('/bare', { type: 'text/html', text: '<!doctype html><title>no script</title>' })
    server.files.set('/', {
      type: 'text/html',
      text: `<!doctype html><title>shop</title>
        <script async src="/attune.js" data-endpoint="${server.endpoint}" data-site="public-key"></script>
        <a data-attune-item="leave" href="/bare">leave</a>
        <ul data-attune-slot="list" data-attune-rank><li data-attune-item="a"><button>a</button></li><li data-attune-item="b"><button>b</button></li></ul>`,
    })
  })
  beforeAll(async () => {
    shared = await launch(sharedProfile.path)
  })
  afterAll(async () => {
    await shared.close()
    await server.close()
    sharedProfile.remove()
  })
  beforeEach(async () => {
    server.reset()
    profile = temporaryProfile()
    context = await shared.createBrowserContext()
  })
  afterEach(async () => {
    await context.close()
    await own?.close().catch(() => {})
    own = undefined
    profile.remove()
  })

  async function open(within: Browser | BrowserContext = context): Promise<Page> {
    const page = await within.newPage()
    await page.goto(server.origin)
    await page.waitForFunction(() => window.attune && !Array.isArray(window.attune))
    return page
  }
  const items = () =>
    server
      .events()
      .filter((event) => event.kind === 'click')
      .map((event) => event.item)

  test('slots are put in order; clicks and impressions are stored once; the token goes with the next list', async () => {
    const page = await open()
    await expect
      .poll(() => page.$$eval('li', (all) => all.map((card) => card.textContent)))
      .toEqual(['b', 'a'])
    await page.click('li button')
    await expect.poll(items).toEqual(['b'])
    expect(server.events().find((event) => event.kind === 'click')).toMatchObject({
      slot: 'list',
      position: 0,
      decision: '01900000-0000-7000-8000-000000000001',
    })
    await expect
      .poll(() => server.events().filter((event) => event.kind === 'impression').length, { timeout: 8_000 })
      .toBe(3)
    await page.evaluate(() => (window.attune as Client).recommend('next', { k: 1 }))
    expect(server.ranks.at(-1)).toMatchObject({
      slot: 'next',
      visitor: 'visitor-1.signed',
      recent: [{ item: 'b' }],
    })
    expect(server.ranks.at(-1)?.session).toMatch(/^0:-1#\d$/)
  })

  test('the edge away, the tab closed: the next page sends the click with the same batch id, once', async () => {
    server.fault = (path) => (path === '/v1/events' ? 'cut-after' : undefined)
    const page = await open()
    await page.click('li button')
    await expect.poll(() => server.attempts.length).toBeGreaterThan(0)
    await page.close()
    server.fault = () => undefined
    await open()
    await expect.poll(() => server.attempts.length).toBeGreaterThan(1)
    expect(items()).toHaveLength(1)
    expect(new Set(server.attempts.map((attempt) => attempt.batch)).size).toBe(1)
  })

  test('a click that leaves for a page without us is stored once', async () => {
    const page = await open()
    await page.click('li button')
    await expect.poll(items).toHaveLength(1)
    await page.click('a')
    await expect.poll(() => page.url()).toContain('/bare')
    await expect.poll(() => items().at(-1)).toBe('leave')
    expect(items()).toHaveLength(2)
  })

  test('the browser killed while the edge is away: sent after it is opened again, once', async () => {
    server.fault = (path) => (path === '/v1/rank' ? undefined : 'cut-before')
    own = await launch(profile.path)
    const page = await open(own)
    await page.click('li button')
    await expect
      .poll(() => server.methods.filter((method) => method === 'POST /v1/visitors').length)
      .toBeGreaterThan(0)
    const child = own.process()
    const gone = new Promise((resolve) => child?.once('exit', resolve))
    child?.kill('SIGKILL')
    await gone
    server.fault = () => undefined
    own = await launch(profile.path)
    await open(own)
    await expect.poll(items, { timeout: 10_000 }).toHaveLength(1)
  })

  test('Global Privacy Control, as the browser itself says it: lists without handle or events, nothing else', async () => {
    own = await launch(profile.path, { 'privacy.globalprivacycontrol.enabled': true })
    const page = await open(own)
    expect(await page.evaluate(() => Reflect.get(navigator, 'globalPrivacyControl') as unknown)).toBe(true)
    await page.click('li button')
    await page.evaluate(() => (window.attune as Client).recommend('next', { k: 1 }))
    expect(new Set(server.methods)).toEqual(new Set(['POST /v1/rank']))
    expect(server.ranks.at(-1)).toEqual({ slot: 'next', k: 1 })
  })

  test('IndexedDB keeps the contract of the store', async () => {
    const page = await context.newPage()
    await page.goto(`${server.origin}/bare`)
    await page.addScriptTag({ content: storeScript })
    for (const name of Object.keys(STORE_CONTRACT)) {
      const failure = await page.evaluate(
        (each) =>
          (window as unknown as { storeTest: { run(name: string): Promise<void> } }).storeTest.run(each).then(
            () => undefined,
            (error: unknown) => String(error),
          ),
        name,
      )
      expect(failure, name).toBeUndefined()
    }
  })
})
