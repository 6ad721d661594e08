import type { Page } from 'playwright-core'
import { beforeEach, expect, test } from 'vitest'
import type { Client } from './client.ts'
import { bundleScript } from './web-testing/bundle.ts'
import { describeInChromium, type WebOptions } from './web-testing/in-chromium.ts'
import { ranked } from './web-testing/wire-server.ts'

const pages: WebOptions = {
  async serve(server) {
    for (const [name, entry] of [
      ['attune', 'iife.ts'],
      ['attune-debug', 'debug.iife.ts'],
    ] as const)
      server.files.set(`/${name}.js`, { type: 'text/javascript', text: await bundleScript(entry) })
  },
}

describeInChromium('the debug panel', pages, (web) => {
  let page: Page
  let violations: string[]

  beforeEach(() => {
    violations = []
  })

  /** A page whose style would hide and repaint everything, and whose policy forbids everything else. */
  async function open(query = '?attune-debug', attributes = ''): Promise<void> {
    web.server.files.set('/', {
      type: 'text/html',
      text: `<!doctype html><html lang="en"><title>shop</title>
        <meta http-equiv="content-security-policy" content="default-src 'none'; script-src 'nonce-a';
          style-src 'nonce-a'; connect-src ${web.server.endpoint}; require-trusted-types-for 'script'; trusted-types 'none'">
        <style nonce="a">
          * { color: rgb(255, 0, 0) !important; font-size: 40px !important }
          attune-debug, section, table { display: none !important }
        </style>
        <script nonce="a" async src="/attune.js" data-endpoint="${web.server.endpoint}" data-site="public-key" ${attributes}></script>
        <button data-attune-item="tea">tea</button>
        <ul data-attune-slot="shelf" data-attune-rank data-attune-live>
          <li data-attune-item="cup">cup</li><li data-attune-item="pot">pot</li>
        </ul><ul data-attune-slot="mine"><li data-attune-item="jug">jug</li></ul>`,
    })
    page = await web.context.newPage()
    page.on('console', (message) => {
      if (/Content.Security.Policy|TrustedHTML/i.test(message.text())) violations.push(message.text())
    })
    await page.goto(web.server.origin + query)
    await page.waitForFunction(() => window.attune && !Array.isArray(window.attune))
  }
  const panel = () => page.getByRole('region', { name: 'Attune debug' })
  const line = (name: string) => panel().locator('dt', { hasText: name }).locator('+ dd')
  const rows = async (slot: string) => {
    const cells = await panel()
      .locator('table', { has: page.locator('b', { hasText: slot }) })
      .locator('tbody tr')
      .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)))
    return cells
  }

  test('shows consent, queue, batches with their answers, slots with decision, place and reason, under a strict policy', async () => {
    web.server.rank = (request) => ({
      ...ranked(request),
      items: [
        { id: 'pot', score: 2.5, because: { item: 'tea', kind: 'click' } },
        { id: 'cup', score: 1.25, propensity: 0.5 },
      ],
    })
    await open()
    await panel().waitFor()
    await expect
      .poll(() => rows('shelf'))
      .toEqual([
        ['0', 'pot', '2.500', 'click of tea'],
        ['1', 'cup', '1.250', 'chance 0.500'],
      ])
    expect(await rows('mine')).toEqual([['0', 'jug', '', '']])
    expect(await panel().locator('caption', { hasText: 'shelf' }).textContent()).toContain(
      'for-you · epoch 1.2',
    )
    expect(await panel().locator('caption', { hasText: 'shelf' }).textContent()).toContain(
      'decision 01900000-0000-7000-8000-000000000001',
    )
    expect(await line('Consent').textContent()).toBe('granted')
    expect(await line('Visitor').textContent()).toBe('no handle yet')

    // The edge fails: what is clicked waits, and is seen to wait.
    web.server.fault = (path) =>
      path === '/v1/events' ? { status: 503, body: { code: 'STORE_UNAVAILABLE' } } : undefined
    await page.click('text=tea')
    await expect
      .poll(() => line('Queue').textContent())
      .toMatch(/^[1-9]\d* events? waiting, in [1-9]\d* batch/)
    await expect.poll(() => panel().textContent()).toContain('DELIVERY_DELAYED')
    web.server.fault = () => undefined
    await page.evaluate(() => window.dispatchEvent(new Event('online')))
    await expect.poll(() => line('Queue').textContent()).toBe('0 events waiting, in 0 batches')
    await expect.poll(() => panel().textContent()).toMatch(/1 accepted, \d+ ms, 6\.29 RU/)
    expect(await line('Visitor').textContent()).toMatch(/^visitor-1/)
    expect(violations).toEqual([])
  })

  test("the page's style does not reach it; the keyboard does: Tab to the close button, Escape closes", async () => {
    await open()
    await panel().waitFor()
    // Lines are drawn anew now and then: the one that is looked at may be gone.
    const style = () =>
      panel()
        .locator('dd')
        .first()
        .evaluate((element) => {
          const { color, fontSize } = getComputedStyle(element)
          return [color, fontSize]
        })
    await expect.poll(style).toEqual(['rgb(22, 32, 42)', '12px'])
    const close = page.getByRole('button', { name: 'Close Attune debug' })
    await close.focus()
    await page.keyboard.press('Enter')
    await expect.poll(() => page.locator('attune-debug').count()).toBe(0)

    await page.reload()
    await panel().waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(() => page.locator('attune-debug').count()).toBe(0)
    // Nothing of it is left behind: the page goes on, and clicks in the panel were nobody's clicks.
    await page.click('text=tea')
    await expect.poll(() => web.server.events().filter(({ kind }) => kind === 'click').length).toBe(1)
  })

  test('is not loaded unless it is asked for; pending and denied consent are named, with what the browser says', async () => {
    const loaded: string[] = []
    web.context.on('request', (request) => loaded.push(new URL(request.url()).pathname))
    await open('')
    await page.click('text=tea')
    await expect.poll(() => web.server.events().length).toBeGreaterThan(0)
    expect(loaded).not.toContain('/attune-debug.js')

    await open('?attune-debug', 'data-consent="pending"')
    await expect.poll(() => line('Consent').textContent()).toBe('pending')
    await page.click('text=tea')
    await expect.poll(() => line('Queue').textContent()).toMatch(/^[1-9]\d* events? waiting/)
    await page.evaluate(() => (window.attune as Client).consent('denied'))
    await page.click('text=tea')
    await expect.poll(() => line('Consent').textContent()).toBe('denied')
    await expect.poll(() => line('Queue').textContent()).toBe('0 events waiting, in 0 batches')

    await web.context.addInitScript(
      'Object.defineProperty(navigator, "globalPrivacyControl", { value: true })',
    )
    await open()
    await expect.poll(() => line('Consent').textContent()).toBe('denied, Global Privacy Control')
  })

  test('light and dark: every text stands out at 4.5 to 1 or more', async () => {
    await open()
    await page.click('text=tea')
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await panel().waitFor()
      const worst = await panel().evaluate((element) => {
        const luminance = (color: string): number => {
          const [r = 0, g = 0, b = 0] = (color.match(/[\d.]+/g) ?? []).map((part) => {
            const share = Number(part) / 255
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
          })
          return 0.2126 * r + 0.7152 * g + 0.0722 * b
        }
        const ground = luminance(getComputedStyle(element).backgroundColor)
        const ratios = [...element.querySelectorAll('*')].map((each) => {
          const text = luminance(getComputedStyle(each).color)
          return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05)
        })
        return Math.min(...ratios)
      })
      expect(worst).toBeGreaterThanOrEqual(4.5)
      if (process.env['ATTUNE_SCREENSHOTS'])
        await page.screenshot({ path: `${process.env['ATTUNE_SCREENSHOTS']}/debug-${colorScheme}.png` })
    }
  })
})
