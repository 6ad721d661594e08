import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findBrowser, startChromium, temporaryProfile, type RunningChromium } from '@attune/browsers'
import { bundleScript } from './web-testing/bundle.ts'
import { startWireServer, type WireServer } from './web-testing/wire-server.ts'

const executable = findBrowser('chromium')
const skipped = executable === undefined ? ' (skipped: no Chromium found; set ATTUNE_CHROMIUM)' : ''

interface Spied {
  readonly listeners: { type: string; passive: boolean }[]
  /** What came to the page's own handlers of errors. */
  readonly thrown: string[]
  readonly told: string[]
}

describe.skipIf(executable === undefined)(`manners in Chromium${skipped}`, () => {
  let server: WireServer
  let browser: RunningChromium
  const profile = temporaryProfile()

  beforeAll(async () => {
    server = await startWireServer()
    server.files.set('/attune.js', { type: 'text/javascript', text: await bundleScript() })
    server.files.set('/', {
      type: 'text/html',
      text: `<!doctype html><title>shop</title><script>
        window.spied = { listeners: [], thrown: [], told: [] }
        addEventListener('error', ({ message }) => spied.thrown.push(message))
        addEventListener('unhandledrejection', ({ reason }) => spied.thrown.push(String(reason)))
        const add = EventTarget.prototype.addEventListener
        EventTarget.prototype.addEventListener = function (type, listener, options) {
          if ((this === document || this === window) && /attune\\.js/.test(new Error().stack)) spied.listeners.push({ type, passive: options?.passive === true })
          return add.call(this, type, listener, options)
        }
        window.attune = [['on', 'error', ({ code }) => spied.told.push(code)]]
        const refuse = () => { throw new DOMException('refused', 'SecurityError') }
        if (location.hash === '#refused') {
          for (const name of ['indexedDB', 'localStorage', 'sessionStorage', 'BroadcastChannel', 'fetchLater'])
            Object.defineProperty(window, name, { get: refuse })
          Object.defineProperty(navigator, 'locks', { get: refuse })
        }
        if (location.hash === '#unreachable') window.fetch = refuse
        </script><script async src="/attune.js" data-endpoint="${server.endpoint}" data-site="public-key"></script>
        <form data-attune-search="q"><input name="q" value="tea"></form>
        <button data-attune-item="sku-1">one</button><button data-attune-item="${'x'.repeat(257)}">two</button>`,
    })
    browser = await startChromium(profile.path)
  })
  afterAll(async () => {
    await browser.close()
    await server.close()
    profile.remove()
  })

  async function visit(hash: string) {
    server.reset()
    const context = await browser.browser.newContext()
    const page = await context.newPage()
    await page.goto(`${server.origin}/${hash}`)
    await page.waitForFunction(() => !Array.isArray((window as { attune?: unknown }).attune))
    const spied = () => page.evaluate(() => (window as unknown as { spied: Spied }).spied)
    return { page, spied, close: () => context.close() }
  }

  test('what listens to clicks and forms is passive, and nothing listens to scrolling, touch, wheel or unload', async () => {
    const { spied, close } = await visit('')
    const { listeners } = await spied()
    const passive = (type: string) =>
      listeners.filter((each) => each.type === type).map((each) => each.passive)
    expect([passive('click'), passive('auxclick'), passive('submit')]).toEqual([[true], [true], [true]])
    expect(
      listeners.map(({ type }) => type).filter((type) => /scroll|touch|wheel|unload/.test(type)),
    ).toEqual([])
    await close()
  })

  test.each(['#refused', '#unreachable'])(
    'everything %s, plug-ins, listeners and onError that throw: nothing reaches the page, each cause is told once',
    async (hash) => {
      const { page, spied, close } = await visit(hash)
      await page.evaluate(() => {
        const boom = () => {
          throw new Error('the page is wrong')
        }
        const attune = (window as unknown as { attune: Record<string, (...args: unknown[]) => unknown> })
          .attune
        attune['on']?.('queued', boom)
        attune['on']?.('error', boom)
      })
      for (let round = 0; round < 3; round++) {
        await page.click('text=one')
        await page.click('text=two')
        await page.evaluate(() =>
          document.querySelector('form')?.dispatchEvent(new Event('submit', { bubbles: true })),
        )
      }
      await page.evaluate(() => {
        window.dispatchEvent(new Event('pagehide'))
        window.dispatchEvent(new Event('pageshow'))
        window.dispatchEvent(new Event('online'))
        return (window as unknown as { attune: { visitor(): Promise<unknown> } }).attune.visitor()
      })
      await expect
        .poll(async () => (await spied()).told.toSorted())
        .toEqual(
          [
            'EVENT_INVALID',
            'PAGE_CODE_FAILED',
            hash === '#refused' ? 'STORAGE_UNAVAILABLE' : 'DELIVERY_DELAYED',
          ].toSorted(),
        )
      if (hash === '#refused')
        await expect.poll(() => server.events().filter(({ kind }) => kind === 'click').length).toBe(3)
      expect((await spied()).thrown).toEqual([])
      await close()
    },
  )
})
