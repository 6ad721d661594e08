import { findBrowser, startChromium, temporaryProfile, type RunningChromium } from '@attune/browsers'
import type { BrowserContext, BrowserContextOptions } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest'
import { startWireServer, type WireServer } from './wire-server.ts'

/** What a test has while it runs. */
export interface Web {
  /** Its own: what the page of a test before sends as it goes does not get here. */
  readonly server: WireServer
  /** One for all tests of a suite. */
  readonly browser: RunningChromium
  /** Its own, closed after it. */
  readonly context: BrowserContext
}

export interface WebOptions {
  /** Puts the pages on a server that has just started. */
  readonly serve?: (server: WireServer) => void | Promise<void>
  readonly flags?: readonly string[]
  readonly context?: BrowserContextOptions
}

/** A suite in a real Chromium; says why where there is none. */
export function describeInChromium(
  what: string,
  { serve, flags = [], context: contextOptions }: WebOptions,
  tests: (web: Web) => void,
): void {
  const executable = findBrowser('chromium')
  const skipped = executable === undefined ? ' (skipped: no Chromium found; set ATTUNE_CHROMIUM)' : ''
  describe.skipIf(executable === undefined)(`${what} in Chromium${skipped}`, () => {
    let server: WireServer
    let browser: RunningChromium
    let context: BrowserContext
    let profile: ReturnType<typeof temporaryProfile>
    beforeAll(async () => {
      profile = temporaryProfile()
      browser = await startChromium(profile.path, { flags })
    })
    afterAll(async () => {
      await browser.close()
      profile.remove()
    })
    beforeEach(async () => {
      server = await startWireServer()
      await serve?.(server)
      context = await browser.browser.newContext(contextOptions)
    })
    afterEach(async () => {
      await context.close()
      await server.close()
    })
    tests({
      get server() {
        return server
      },
      get browser() {
        return browser
      },
      get context() {
        return context
      },
    })
  })
}
