import { join } from 'node:path'
import { CHROMIUM_ARGS, findBrowser } from '@attune/browsers'
import { seededRandom } from '@attune/core/testing'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startNodeEdge } from '../node.ts'
import { ADMIN_KEY, type Api } from '../testing/api.ts'
import { createWorld, type World } from '../testing/worlds.ts'

const executablePath = findBrowser('chromium')
const random = seededRandom(4)
let world: World
let api: Api
let browser: Browser
let handle = ''

beforeAll(async () => {
  if (executablePath === undefined) return
  world = await createWorld(startNodeEdge)
  api = world.apis[0] as Api
  const { signer, artifact } = world
  const gate = { visits: 1_894, hr20: 0.5273, mrr20: 0.1874, coverage: { items: 0.9412 } }
  await api.pushManifest(signer, { ...artifact.manifest, epoch: 2, parent: 1, gate })
  const pins = [{ item: 'item-77', position: 0 }]
  expect((await api.admin('PUT', '/v1/slots/ruled', { pins })).status).toBe(200)
  for (let visitor = 0; visitor < 12; visitor++) handle = await visit()
  browser = await chromium.launch({ executablePath, args: [...CHROMIUM_ARGS] })
})

afterAll(async () => {
  await browser?.close()
  await world?.close()
})

/** Someone who looks at two slots a few times and clicks on some of what is shown. */
async function visit(): Promise<string> {
  const visitor = await api.visitor()
  let session: string | undefined
  for (let look = 0; look < 3; look++) {
    const known = session === undefined ? {} : { session }
    for (const slot of ['for-you', 'also-bought'] as const) {
      const { items } = (await api.rank({ visitor, slot, k: 6, ...known })).body
      const at = Date.now() - 1_000
      const seen = items.map(({ id }, position) => ({
        id: crypto.randomUUID(),
        kind: 'impression' as const,
        item: id,
        at,
        slot,
        position,
      }))
      const clicked = items
        .filter(() => random() < (slot === 'for-you' ? 0.3 : 0.1))
        // Each at its own time: what happened at once would be read back in the order of its random ids.
        .map(({ id }, nth) => ({
          id: crypto.randomUUID(),
          kind: 'click' as const,
          item: id,
          at: at + 500 + nth,
          slot,
        }))
      session = (await api.events(visitor, [...seen, ...clicked], known)).body.session
    }
  }
  return visitor
}

/** The page, with everything that went wrong in it. */
async function open(scheme: 'light' | 'dark' = 'light'): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage({ colorScheme: scheme, viewport: { width: 1_280, height: 1_500 } })
  const problems: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text())
  })
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('request', (request) => {
    if (!request.url().startsWith(`${api.url}/studio`)) problems.push(`asked ${request.url()}`)
  })
  await page.goto(`${api.url}/studio`)
  return { page, problems }
}

async function enter(page: Page, key = ADMIN_KEY): Promise<void> {
  await page.getByLabel('Key').fill(key)
  await page.getByRole('button', { name: 'Open' }).click()
}

const browserTest = test.skipIf(executablePath === undefined)

browserTest(
  'a wrong key is refused with a sentence, the right one opens and stays until the tab closes',
  async () => {
    const { page } = await open()
    await enter(page, 'not_an_admin_key_at_all')
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('expected admin key')
    await enter(page)
    await expect.poll(() => page.locator('.tile').count()).toBe(5)
    await page.reload()
    await expect.poll(() => page.locator('.tile').count()).toBe(5)
    await page.getByRole('button', { name: 'Forget key' }).click()
    expect(await page.getByLabel('Key').isVisible()).toBe(true)
    await page.reload()
    expect(await page.getByLabel('Key').isVisible()).toBe(true)
    await page.close()
  },
)

browserTest.each(['light', 'dark'] as const)(
  'in %s: slots, epochs with their gate, one visitor explained, nothing refused by the policy',
  async (scheme) => {
    const { page, problems } = await open(scheme)
    await enter(page)
    const slots = page.getByRole('region', { name: 'Slots of the last 15 minutes' })
    // 12 visitors, 3 looks, 6 cards: 216 seen in each slot.
    await expect
      .poll(() => slots.locator('tbody tr', { hasText: 'for-you' }).locator('td').nth(2).textContent())
      .toBe('216')
    expect(await page.locator('canvas').count()).toBe(2)
    expect(await page.getByRole('img', { name: /^Events and lists per second/ }).count()).toBe(1)
    const epochs = page.getByRole('region', { name: 'Epochs' })
    expect(await epochs.textContent()).toContain('2, serving')
    expect(await epochs.locator('dl').textContent()).toContain('hr200.5273')
    await page.getByLabel('Handle').fill(handle)
    await page.getByRole('button', { name: 'Explain' }).click()
    await expect.poll(() => page.locator('.shown > li').count()).toBe(20)
    expect(await page.locator('.shown .because').count()).toBeGreaterThan(0)
    expect(await page.locator('.shown .parts').first().textContent()).toContain('all others')
    await page.getByLabel('Slot', { exact: true }).fill('ruled')
    await page.getByRole('button', { name: 'Explain' }).click()
    await expect.poll(() => page.locator('.shown > li').first().textContent()).toContain('pinned here')
    expect(await page.getByText('Rules of the slot').count()).toBe(1)
    const folder = process.env['ATTUNE_SCREENSHOTS']
    if (folder !== undefined)
      await page.screenshot({ path: join(folder, `studio-${scheme}.png`), fullPage: true })
    expect(problems).toEqual([])
    await page.close()
  },
)

browserTest('it is told to a screen reader, and fits a phone', async () => {
  const { page } = await open()
  await enter(page)
  await expect.poll(() => page.locator('.tile').count()).toBe(5)
  const unnamed = await page.evaluate(
    () =>
      [...document.querySelectorAll('input, button, [role=img], [role=region]')].filter(
        (element) =>
          !(
            element.getAttribute('aria-label') ??
            (element as HTMLInputElement).labels?.[0]?.textContent ??
            element.textContent
          )?.trim(),
      ).length,
  )
  expect(unnamed).toBe(0)
  await page.setViewportSize({ width: 375, height: 800 })
  await expect
    .poll(() =>
      page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth),
    )
    .toBe(true)
  const folder = process.env['ATTUNE_SCREENSHOTS']
  if (folder !== undefined) await page.screenshot({ path: join(folder, 'studio-phone.png') })
  await page.close()
})
