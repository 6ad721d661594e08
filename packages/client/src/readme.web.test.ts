import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'esbuild'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Client } from './client.ts'
import { findBrowser, startChromium, temporaryProfile, type RunningChromium } from '@attune/browsers'
import { bundleScript } from './web-testing/bundle.ts'
import { serveModel } from './web-testing/model.ts'
import { ranked, startWireServer, type WireServer } from './web-testing/wire-server.ts'

const executable = findBrowser('chromium')
const skipped = executable === undefined ? ' (skipped: no Chromium found; set ATTUNE_CHROMIUM)' : ''
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

/** The code fence that contains `mark`. */
function recipe(language: string, mark: string): string {
  const fences = [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    (match) => match[1] ?? '',
  )
  const found = fences.filter((code) => code.includes(mark))
  if (found.length !== 1)
    throw new Error(`expected one ${language} recipe with ${mark}, found ${found.length}`)
  return found[0] ?? ''
}

describe.skipIf(executable === undefined)(`the README's recipes, run as they are${skipped}`, () => {
  let server: WireServer
  let browser: RunningChromium
  let context: BrowserContext
  const profile = temporaryProfile()
  const local = (code: string) =>
    code.replaceAll('https://edge.example.com', server.endpoint).replaceAll('public-site-key', 'public-key')

  beforeAll(async () => {
    server = await startWireServer()
    server.files.set('/attune.js', { type: 'text/javascript', text: await bundleScript() })
    server.files.set('/items.json', {
      type: 'application/json',
      text: JSON.stringify([
        { id: 'sku-0', name: 'Cup', url: '/p/sku-0' },
        { id: 'sku-1', name: 'Pot', url: '/p/sku-1' },
      ]),
    })
    browser = await startChromium(profile.path, { flags: ['--disable-features=BackForwardCache'] })
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

  async function open(html: string): Promise<Page> {
    server.files.set('/', { type: 'text/html', text: `<!doctype html><title>recipe</title>${local(html)}` })
    const page = await context.newPage()
    await page.goto(server.origin)
    return page
  }
  const told = () => server.events().filter((event) => event.kind !== 'impression')

  test('script tag', async () => {
    const page = await open(recipe('html', '<ul data-attune-slot="popular">'))
    await page.click('text=Kettle')
    await expect.poll(told).toMatchObject([{ kind: 'click', item: 'sku-2', slot: 'popular', position: 1 }])
  })

  test('calls before load', async () => {
    const page = await open(recipe('html', "['track', 'purchase'"))
    const logged = page.waitForEvent('console', (message) => message.text().startsWith('stored'))
    await expect.poll(told).toMatchObject([{ kind: 'purchase', item: 'sku-2', value: 39.9 }])
    await logged
  })

  test('a slot with a template', async () => {
    const page = await open(recipe('html', '<template>'))
    await expect
      .poll(() =>
        page.$$eval('li a', (all) => all.map((link) => [link.textContent, link.getAttribute('href')])),
      )
      .toEqual([
        ['Cup', '/p/sku-0'],
        ['Pot', '/p/sku-1'],
      ])
  })

  test('a slot with a render function', async () => {
    const page = await open(recipe('html', 'render:'))
    await expect
      .poll(() => page.$$eval('li', (all) => all.map((card) => card.textContent)))
      .toEqual(['SKU-0'])
  })

  test('going back', async () => {
    await serveScript('back')
    const page = await open(recipe('html', '/attune-back.js'))
    const items = () => page.$$eval('li', (all) => all.map((card) => card.dataset['attuneItem']))
    await expect.poll(items).toEqual(['sku-2', 'sku-1'])
    await page.goto('about:blank')
    await page.goBack()
    await expect.poll(items).toEqual(['sku-2', 'sku-1'])
    expect(server.ranks).toHaveLength(1)
  })

  const serveScript = async (name: string): Promise<void> =>
    void server.files.set(`/attune-${name}.js`, {
      type: 'text/javascript',
      text: await bundleScript(`${name}.iife.ts`),
    })

  test('how long a page was looked at', async () => {
    await serveScript('dwell')
    const page = await open(recipe('html', '/attune-dwell.js'))
    await page.waitForFunction(() => window.attune && !Array.isArray(window.attune))
    await sleep(1_200)
    await page.goto('about:blank')
    await expect.poll(told).toMatchObject([
      { kind: 'view', item: 'sku-1' },
      { kind: 'custom:dwell', item: 'sku-1' },
    ])
    expect(told()[1]?.value).toBeGreaterThan(1)
  })

  test('the debug panel of a script tag, in the page that a link with ?attune-debug leads to', async () => {
    await serveScript('debug')
    const html = recipe('html', '?attune-debug')
    const page = await open(html)
    server.files.set('/p/sku-2', server.files.get('/') ?? { type: '', text: '' })
    await page.waitForFunction(() => window.attune && !Array.isArray(window.attune))
    expect(await page.locator('attune-debug').count()).toBe(0)
    await page.click('text=Kettle')
    await expect
      .poll(() => page.getByRole('region', { name: 'Attune debug' }).textContent())
      .toContain('popular')
  })

  test('the debug panel of a module', async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: local(recipe('ts', 'openDebug(client)')),
        loader: 'ts',
        resolveDir: import.meta.dirname,
      },
      alias: {
        '@attune/client/debug': `${import.meta.dirname}/debug.ts`,
        '@attune/client': `${import.meta.dirname}/index.ts`,
      },
      conditions: ['@attune/source'],
      bundle: true,
      format: 'esm',
      write: false,
    })
    server.files.set('/app.js', { type: 'text/javascript', text: outputFiles[0]?.text ?? '' })
    const page = await open('<main></main><script type="module" src="/app.js"></script>')
    await page.goto(`${server.origin}/?attune-debug`)
    await expect
      .poll(() => page.getByRole('region', { name: 'Attune debug' }).textContent())
      .toContain('granted')
  })

  test('consent banner', async () => {
    const page = await open(recipe('html', 'data-consent="pending"'))
    await page.waitForFunction(() => !Array.isArray(window.attune))
    await page.click('text=Green tea')
    await page.evaluate(() => (window.attune as Client).flush())
    expect(told()).toEqual([])
    await page.click('#accept')
    await expect.poll(told).toMatchObject([{ kind: 'click', item: 'sku-1' }])
  })

  test('Content-Security-Policy and integrity: works under a policy that forbids everything else, another file does not run', async () => {
    const hash = createHash('sha384')
      .update(server.files.get('/attune.js')?.text ?? '')
      .digest('base64')
    const code = recipe('html', 'sha384-HASH')
    const watch = `<script nonce="r4nd0m">
      window.violations = []
      addEventListener('securitypolicyviolation', ({ violatedDirective }) => violations.push(violatedDirective))
    </script>`
    const page = await open(code.replace('sha384-HASH', `sha384-${hash}`).replace('/>', `/>${watch}`))
    const loaded = () => page.evaluate(() => window.attune !== undefined && !Array.isArray(window.attune))
    await expect.poll(loaded).toBe(true)
    await page.click('text=Green tea')
    await expect.poll(told).toMatchObject([{ kind: 'click', item: 'sku-1' }])
    expect(await page.evaluate(() => (window as unknown as { violations: string[] }).violations)).toEqual([])

    const other = createHash('sha384').update('another file').digest('base64')
    server.files.set('/', {
      type: 'text/html',
      text: `<!doctype html><title>recipe</title>${local(code.replace('sha384-HASH', `sha384-${other}`))}`,
    })
    const refused = page.waitForEvent('console', (message) => message.text().includes('integrity'))
    await page.goto(server.origin)
    await refused
    expect(await loaded()).toBe(false)
  })

  test('a single-page application', async () => {
    const page = await open(recipe('html', "addEventListener('hashchange'"))
    await page.click('text=Tea')
    await expect.poll(told).toMatchObject([{ kind: 'view', item: 'sku-1' }])
    await page.click('text=Cups')
    await expect
      .poll(() => page.$$eval('li', (all) => all.map((card) => card.textContent)))
      .toEqual(['Mug', 'Cup'])
    await page.click('text=Mug')
    await expect
      .poll(told)
      .toMatchObject([{ kind: 'view' }, { kind: 'click', item: 'sku-3', slot: 'cups', position: 0 }])
  })

  test('on the device', async () => {
    const model = serveModel(server)
    const cards = ['item-1', 'item-2', 'item-3', 'item-4']
    const { outputFiles } = await build({
      stdin: { contents: local(recipe('ts', 'onDevice()')), loader: 'ts', resolveDir: import.meta.dirname },
      alias: {
        '@attune/client': `${import.meta.dirname}/index.ts`,
        '@attune/client/on-device': `${import.meta.dirname}/on-device.ts`,
      },
      conditions: ['@attune/source'],
      bundle: true,
      format: 'esm',
      write: false,
    })
    server.files.set('/app.js', { type: 'text/javascript', text: outputFiles[0]?.text ?? '' })
    const page = await open(
      `<ul data-attune-slot="mine" data-attune-rank data-attune-live>${cards
        .map((id) => `<li data-attune-item="${id}">${id}</li>`)
        .join('')}</ul><script type="module" src="/app.js"></script>`,
    )
    await page.waitForLoadState('networkidle')
    const logged = page.waitForEvent('console')
    await page.click('text=item-3')
    const [first] = await model.order(cards, [{ id: '1', kind: 'click', item: 'item-3', at: 1 }])
    expect((await logged).text()).toBe(`mine ${first}`)
  })

  test('on the device with a script tag: the next frame after a click shows the new order, with no network', async () => {
    const model = serveModel(server)
    await serveScript('on-device')
    const page = await open(recipe('html', '/attune-on-device.js').replaceAll('sku-', 'item-'))
    const cards = ['item-1', 'item-2', 'item-3']
    const items = () => page.$$eval('li', (all) => all.map((card) => card.dataset['attuneItem']))
    await expect.poll(items).toEqual(await model.order(cards, []))
    await page.waitForLoadState('networkidle')
    await context.setOffline(true)
    await page.evaluate(() => {
      addEventListener('click', () =>
        requestAnimationFrame(() => {
          const order = [...document.querySelectorAll('li')].map((card) => card.dataset['attuneItem'])
          Object.assign(window, { atFrame: order })
        }),
      )
      document.querySelector('button')?.click()
    })
    const [clicked = ''] = await model.order(cards, [])
    await expect
      .poll(() => page.evaluate(() => (window as unknown as { atFrame: unknown }).atFrame))
      .toEqual(await model.order(cards, [{ id: '1', kind: 'click', item: clicked, at: 1 }]))
  })

  test.each([
    [
      'Android',
      'Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/140.0.0.0 Mobile Safari/537.36',
    ],
    [
      'iOS',
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
    ],
  ])(
    'web view of %s with an opaque origin: storage is refused, clicks are told all the same',
    async (_, userAgent) => {
      await context.close()
      context = await browser.browser.newContext({
        userAgent,
        hasTouch: true,
        isMobile: true,
        viewport: { width: 390, height: 844 },
      })
      server.files.set('/inner', {
        type: 'text/html',
        text: `<!doctype html><meta name="viewport" content="width=device-width"><button data-attune-item="sku-1">Green tea</button>
        <script>window.attune = [['on', 'error', ({ code }) => console.log(code)]]</script>
        <script src="${server.origin}/attune.js" data-endpoint="${server.endpoint}" data-site="public-key"></script>`,
      })
      const page = await context.newPage()
      const refused = page.waitForEvent('console', (message) => message.text() === 'STORAGE_UNAVAILABLE')
      server.files.set('/', {
        type: 'text/html',
        text: '<!doctype html><title>app</title><iframe sandbox="allow-scripts" src="/inner"></iframe>',
      })
      await page.goto(server.origin)
      await refused
      await page.frameLocator('iframe').locator('button').tap()
      await expect.poll(told).toMatchObject([{ kind: 'click', item: 'sku-1' }])
    },
  )

  test('module', async () => {
    server.rank = (request) => ({
      ...ranked(request),
      ...(request.slot === 'for-you' && {
        items: [{ id: 'sku-4', score: 1, because: { item: 'sku-1', kind: 'add-to-cart' as const } }],
      }),
    })
    const { outputFiles } = await build({
      stdin: {
        contents: local(recipe('ts', "client.recommend('for-you'")),
        loader: 'ts',
        resolveDir: import.meta.dirname,
      },
      alias: { '@attune/client': `${import.meta.dirname}/index.ts` },
      conditions: ['@attune/source'],
      bundle: true,
      format: 'esm',
      write: false,
    })
    const logged: string[] = []
    const page = await open('')
    page.on('console', (message) => logged.push(message.text()))
    await page.addScriptTag({ type: 'module', content: outputFiles[0]?.text ?? '' })
    await expect.poll(() => logged).toEqual(['sku-4 sku-1', '[sku-3, sku-2, sku-1]'])
    await expect.poll(told).toMatchObject([
      { kind: 'add-to-cart', item: 'sku-1', value: 12.5 },
      { kind: 'search', query: 'green tea' },
    ])
    expect(server.ranks).toMatchObject([
      { slot: 'for-you', k: 8, recent: [{ item: 'sku-1' }, { query: 'green tea' }] },
      { slot: 'category', candidates: ['sku-1', 'sku-2', 'sku-3'] },
    ])
  })

  test('React', async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: `import { createRoot } from 'react-dom/client'\n${local(recipe('jsx', 'Object.keys(products)'))}
          createRoot(document.querySelector('main')).render(<App />)`,
        loader: 'jsx',
        resolveDir: import.meta.dirname,
      },
      alias: {
        '@attune/client': `${import.meta.dirname}/index.ts`,
        '@attune/client/react': `${import.meta.dirname}/react.ts`,
      },
      conditions: ['@attune/source'],
      define: { 'process.env.NODE_ENV': '"production"' },
      jsx: 'automatic',
      bundle: true,
      write: false,
    })
    server.files.set('/app.js', { type: 'text/javascript', text: outputFiles[0]?.text ?? '' })
    const page = await open('<main></main><script src="/app.js"></script>')
    await expect
      .poll(() => page.$$eval('li', (all) => all.map((card) => card.textContent)))
      .toEqual(['Cup', 'Kettle', 'Green tea'])
    await page.click('text=Kettle')
    await expect.poll(told).toMatchObject([{ kind: 'click', item: 'sku-2', slot: 'category', position: 1 }])
  })
})
