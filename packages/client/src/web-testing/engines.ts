import puppeteer from 'puppeteer-core'
import { findBrowser, startChromium, temporaryProfile } from '@attune/browsers'
import { findMiniBrowser, startWebKit } from './webkit.ts'

/** A tab of any browser. Scripts are function bodies: the browsers have different ideas of functions. */
export interface Tab {
  goto(url: string): Promise<void>
  evaluate<T>(body: string): Promise<T>
  /** As a person would, by the browser's own input. */
  click(selector: string): Promise<void>
  close(): Promise<void>
  /** Kills the renderer while the page runs `body`; undefined where the browser's driver does not survive that. */
  readonly crash: ((body: string) => Promise<void>) | undefined
}

export interface Engine {
  open(): Promise<Tab>
  close(): Promise<void>
}

export const ENGINES: Readonly<
  Record<'Chromium' | 'Firefox' | 'WebKit', () => (() => Promise<Engine>) | undefined>
> = {
  Chromium() {
    const executable = findBrowser('chromium')
    if (executable === undefined) return undefined
    return async () => {
      const profile = temporaryProfile()
      const running = await startChromium(profile.path, { flags: ['--enable-features=BackForwardCache'] })
      return {
        async open() {
          const page = await running.context.newPage()
          return {
            async goto(url) {
              await page.goto(url)
            },
            evaluate: (body) => page.evaluate(`(async () => { ${body} })()`),
            click: (selector) => page.click(selector),
            close: () => page.close(),
            async crash(body) {
              const devtools = await running.context.newCDPSession(page)
              const crashed = page.waitForEvent('crash')
              page.evaluate(`(() => { ${body}; for (;;); })()`).catch(() => {})
              await new Promise((resolve) => setTimeout(resolve, 500))
              devtools.send('Page.crash').catch(() => {})
              await crashed
              await page.close()
            },
          }
        },
        async close() {
          await running.close()
          profile.remove()
        },
      }
    }
  },
  Firefox() {
    const executable = findBrowser('firefox')
    if (executable === undefined) return undefined
    return async () => {
      const profile = temporaryProfile()
      const browser = await puppeteer.launch({
        browser: 'firefox',
        executablePath: executable,
        headless: true,
        userDataDir: profile.path,
      })
      return {
        async open() {
          const page = await browser.newPage()
          return {
            async goto(url) {
              await page.goto(url)
            },
            evaluate: (body) => page.evaluate(`(async () => { ${body} })()`) as Promise<never>,
            click: (selector) => page.click(selector),
            close: () => page.close(),
            crash: undefined,
          }
        },
        async close() {
          await browser.close().catch(() => {})
          profile.remove()
        },
      }
    }
  },
  WebKit() {
    const driver = findBrowser('webkit')
    const miniBrowser = findMiniBrowser()
    if (driver !== undefined && miniBrowser === undefined && process.env['CI'])
      throw new Error('WebKitWebDriver without MiniBrowser: set ATTUNE_MINIBROWSER')
    if (driver === undefined || miniBrowser === undefined) return undefined
    return async () => {
      const webkit = await startWebKit(driver, miniBrowser)
      /** The window it starts with: where no window is chosen, the driver opens none. */
      const home = await webkit.send<string>('GET', '/window')
      return {
        async open() {
          await webkit.send('POST', '/window', { handle: home })
          // A window: a tab that is not in front is not drawn, and nothing in it seen.
          const { handle } = await webkit.send<{ handle: string }>('POST', '/window/new', { type: 'window' })
          const here = () => webkit.send('POST', '/window', { handle })
          return {
            async goto(url) {
              await here()
              await webkit.send('POST', '/url', { url })
            },
            async evaluate(body) {
              await here()
              const script = `const done = arguments[0]; (async () => { ${body} })().then((value) => done({ value }), (error) => done({ error: String(error) }))`
              const result = await webkit.send<{ value?: never; error?: string }>('POST', '/execute/async', {
                script,
                args: [],
              })
              if (result.error !== undefined) throw new Error(result.error)
              return result.value as never
            },
            async click(selector) {
              await here()
              const found = await webkit.send<Record<string, string>>('POST', '/element', {
                using: 'css selector',
                value: selector,
              })
              await webkit.send('POST', `/element/${Object.values(found)[0]}/click`)
            },
            async close() {
              await here()
              await webkit.send('DELETE', '/window')
            },
            crash: undefined,
          }
        },
        close: webkit.close,
      }
    }
  },
}
