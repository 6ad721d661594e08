import { join } from 'node:path'
import { findBrowser, startChromium } from '@attune/browsers'
import type { RankResponse } from '@attune/core'
import { startBridge } from '@attune/trainer-bridge'
import { build } from 'esbuild'
import { afterEach, expect, test } from 'vitest'
import { startHouse, until } from './_loop.ts'
import { randomModel } from './_model.ts'
import { serveStatic } from './_static.ts'
import { models } from './_visitor.ts'

const skipped = findBrowser('chromium') === undefined
const CARDS = Array.from({ length: 16 }, (_, index) => `item-${index * 11}`)

const cleanup: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const action of cleanup.splice(0).reverse()) await action()
})

declare global {
  interface Window {
    atFrame: string[][]
    answers: RankResponse[]
    moves: number
  }
}

test.skipIf(skipped)(
  `offline clicks order the cards at the next frame, and that is the order the real edge answers with once it is back${skipped ? ' (skipped: no Chromium found; set ATTUNE_CHROMIUM)' : ''}`,
  async () => {
    const house = await startHouse(1)
    cleanup.push(() => house.close())
    const edge = house.edges[0]?.url ?? ''
    const bridge = await startBridge({
      cosmos: house.cosmos,
      edges: [{ url: edge, pushKey: house.pushKey }],
      signingKey: house.signingKey,
      folder: join(house.folder, 'bridge'),
      initial: () => Promise.resolve(randomModel(300)),
    })
    await until(
      'first epoch',
      () => models(edge, house.pushKey),
      ({ serving }) => serving?.epoch === 1,
    )
    // From here on the model stays as it is.
    await bridge.close()
    const { outputFiles } = await build({
      stdin: {
        contents: `import { createClient } from '@attune/client'
          import { onDevice } from '@attune/client/on-device'
          window.answers = []
          window.client = createClient({ endpoint: '${edge}', site: '${house.siteKey}', device: onDevice() })
          client.on('ranked', ({ response }) => answers.push(response))`,
        resolveDir: import.meta.dirname,
      },
      conditions: ['@attune/source'],
      bundle: true,
      format: 'esm',
      write: false,
    })
    const site = await serveStatic(
      new Map([
        ['/page.js', ['text/javascript', outputFiles[0]?.text ?? '']],
        [
          '/',
          [
            'text/html',
            `<!doctype html><title>shop</title><style>li { height: 30px }</style>
            <ul data-attune-slot="all" data-attune-rank data-attune-live>${CARDS.map((id) => `<li data-attune-item="${id}">${id}.</li>`).join('')}</ul>
            <script>
              window.atFrame = []; window.moves = 0
              addEventListener('click', () => requestAnimationFrame(() => atFrame.push(
                [...document.querySelectorAll('li')].map((card) => card.dataset.attuneItem))), { capture: true })
              new MutationObserver((records) => (window.moves += records.length)).observe(document.querySelector('ul'), { childList: true })
            </script><script type="module" src="/page.js"></script>`,
          ],
        ],
      ]),
    )
    cleanup.push(() => site.close())
    const chromium = await startChromium(join(house.folder, 'profile'))
    cleanup.push(() => chromium.kill())
    const page = await chromium.context.newPage()
    const weights = page.waitForResponse((response) => response.url().includes('/v1/weights/'))
    await page.goto(site.origin)
    expect((await weights).status()).toBe(200)
    await page.waitForLoadState('networkidle')
    const shown = () => page.$$eval('li', (all) => all.map((card) => card.dataset['attuneItem'] ?? ''))
    const answers = () => page.evaluate(() => window.answers)
    const before = await shown()

    await chromium.context.setOffline(true)
    for (const id of ['item-33', 'item-121', 'item-33']) await page.click(`text="${id}."`)
    await expect.poll(() => page.evaluate(() => window.atFrame)).toHaveLength(3)
    const frames = await page.evaluate(() => window.atFrame)
    expect(new Set([before, ...frames].map(String)).size).toBe(4)
    expect(await shown()).toEqual(frames[2])

    const asked = (await answers()).length
    await page.evaluate(() => (window.moves = 0))
    await chromium.context.setOffline(false)
    await page.evaluate(() =>
      (window as unknown as { client: { refresh(): Promise<void> } }).client.refresh(),
    )
    await expect.poll(async () => (await answers()).length).toBeGreaterThan(asked)
    const last = (await answers()).at(-1)
    expect(last?.epoch).toBe(1)
    expect(last?.items.map(({ id }) => id)).toEqual(frames[2])
    expect(await page.evaluate(() => window.moves)).toBe(0)
  },
  120_000,
)
