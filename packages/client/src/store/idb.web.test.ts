import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findBrowser, startChromium, temporaryProfile, type RunningChromium } from '@attune/browsers'
import { bundleModule } from '../web-testing/bundle.ts'
import { startWireServer, type WireServer } from '../web-testing/wire-server.ts'
import { STORE_CONTRACT } from './store.contract.ts'

const executable = findBrowser('chromium')
const skipped = executable === undefined ? ' (skipped: no Chromium found; set ATTUNE_CHROMIUM)' : ''

describe.skipIf(executable === undefined)(`IndexedDB in Chromium${skipped}`, () => {
  let server: WireServer
  let browser: RunningChromium
  let script: string
  const profile = temporaryProfile()

  beforeAll(async () => {
    server = await startWireServer()
    server.files.set('/', { type: 'text/html', text: '<!doctype html><title>store</title>' })
    script = await bundleModule(new URL('./idb-contract.page.ts', import.meta.url), 'storeTest')
    browser = await startChromium(profile.path)
  })
  afterAll(async () => {
    await browser.close()
    await server.close()
    profile.remove()
  })

  test.each(Object.keys(STORE_CONTRACT))('%s', async (name) => {
    const page = await browser.context.newPage()
    await page.goto(server.origin)
    await page.addScriptTag({ content: script })
    const failure = await page.evaluate(
      (each) =>
        (window as unknown as { storeTest: { run(name: string): Promise<void> } }).storeTest.run(each).then(
          () => undefined,
          (error: unknown) => String(error),
        ),
      name,
    )
    expect(failure).toBeUndefined()
    await page.close()
  })
})
