import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { findBrowser, startChromium, temporaryProfile, type RunningChromium } from '@attune/browsers'
import { startWireServer, type WireServer } from './web-testing/wire-server.ts'

const executable = findBrowser('chromium')
const skipped = executable === undefined ? ' (skipped: no Chromium found; set ATTUNE_CHROMIUM)' : ''
const ROOT = new URL('../../../', import.meta.url).pathname
const APP = join(ROOT, 'examples/next')
const NEXT = join(APP, 'node_modules/next/dist/bin/next')
const run = promisify(execFile)

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

describe.skipIf(executable === undefined)(
  `the Next.js recipe, built for production, in Chromium${skipped}`,
  () => {
    let server: WireServer
    let next: ChildProcess | undefined
    let origin: string
    let browser: RunningChromium | undefined
    let context: BrowserContext
    let page: Page
    let problems: string[]
    const profile = temporaryProfile()

    beforeAll(async () => {
      server = await startWireServer()
      if (!existsSync(join(ROOT, 'packages/client/dist/index.js')))
        await run(process.execPath, [join(ROOT, 'scripts/build.ts')], { cwd: ROOT })
      const env = {
        ...process.env,
        NODE_ENV: 'production' as const,
        NODE_OPTIONS: '',
        NEXT_TELEMETRY_DISABLED: '1',
        NEXT_PUBLIC_ATTUNE_ENDPOINT: server.endpoint,
        NEXT_PUBLIC_ATTUNE_SITE: 'public-key',
      }
      await run(process.execPath, [NEXT, 'build'], { cwd: APP, env })
      const port = await freePort()
      origin = `http://127.0.0.1:${port}`
      next = spawn(process.execPath, [NEXT, 'start', '-H', '127.0.0.1', '-p', String(port)], {
        cwd: APP,
        env,
        stdio: 'ignore',
      })
      const deadline = Date.now() + 60_000
      while (
        !(await fetch(origin).then(
          ({ ok }) => ok,
          () => false,
        ))
      ) {
        if (Date.now() > deadline || next.exitCode !== null) throw new Error('next did not start within 60 s')
        await sleep(100)
      }
      browser = await startChromium(profile.path)
    }, 300_000)
    afterAll(async () => {
      next?.kill()
      await browser?.close()
      await server.close()
      profile.remove()
    })
    beforeEach(async () => {
      server.reset()
      problems = []
      context = await (browser as RunningChromium).browser.newContext()
      page = await context.newPage()
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text())
      })
      page.on('pageerror', (error) => problems.push(String(error)))
    })
    afterEach(() => context.close())
    const shown = () => page.$$eval('li', (all) => all.map((card) => card.textContent))

    test('the README shows these files', () => {
      const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
      for (const file of ['attune.jsx', 'layout.jsx', 'page.jsx'])
        expect(readme).toContain(readFileSync(join(APP, 'src/app', file), 'utf8'))
    })

    test("the server renders the page's own order; it hydrates without a complaint and then follows the visitor", async () => {
      const html = await (await fetch(origin)).text()
      expect(html).toContain(
        '<ul data-attune-slot="home"><li data-attune-item="sku-1" data-attune-position="0"><button>Green tea</button></li>',
      )
      let answer = (): void => undefined
      const held = new Promise<void>((resolve) => (answer = resolve))
      server.fault = async (path) => (path === '/v1/rank' ? void (await held) : undefined)
      await page.goto(origin)
      expect(await shown()).toEqual(['Green tea', 'Kettle', 'Cup'])
      answer()
      await expect.poll(shown).toEqual(['Cup', 'Kettle', 'Green tea'])
      await page.click('text=Kettle')
      await expect
        .poll(() => server.events().filter((event) => event.kind === 'click'))
        .toMatchObject([{ item: 'sku-2', slot: 'home', position: 1, decision: expect.any(String) as string }])
      expect(problems).toEqual([])
    })

    test('pages changed by next/link: views and clicks of the next page are seen, by the same client', async () => {
      await page.goto(origin)
      await expect.poll(shown).toEqual(['Cup', 'Kettle', 'Green tea'])
      await page.evaluate(() => Object.assign(window, { mark: true }))
      await page.click('text=About')
      await page.waitForURL('**/about')
      await expect
        .poll(() => server.events().filter((event) => event.kind === 'view'))
        .toMatchObject([{ item: 'about-tea' }])
      await page.click('text=Home')
      await expect.poll(shown).toEqual(['Cup', 'Kettle', 'Green tea'])
      await page.click('text=Cup')
      await expect
        .poll(() => server.events().filter((event) => event.kind === 'click'))
        .toMatchObject([{ item: 'sku-3', slot: 'home' }])
      expect(await page.evaluate(() => 'mark' in window)).toBe(true)
      expect(new Set(server.stored.map((batch) => batch.visitor)).size).toBe(1)
      expect(problems).toEqual([])
    })
  },
)
