import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RankRequest, RankResponse, TrackedEvent } from '@attune/core'
import { browserOrReason, CHROMIUM_ARGS } from './testing/chromium.ts'
import { sleep, startStack, until, type Stack } from './testing/stack.ts'
import { storedEvents } from './testing/stored-events.ts'

const found = browserOrReason()
const PATIENCE_MS = 240_000

interface Ranking {
  readonly request: RankRequest
  readonly response: RankResponse
}

/** What is heard of a page: its lists, as they came over the wire, and what broke in it. */
interface Heard {
  readonly rankings: Ranking[]
  readonly errors: string[]
}

describe.skipIf('reason' in found)(`the shop in Chromium${'reason' in found ? ` (skipped: ${found.reason})` : ''}`, () => {
  let stack: Stack
  let browser: Browser
  beforeAll(async () => {
    ;[stack, browser] = await Promise.all([startStack(), chromium.launch({ executablePath: 'path' in found ? found.path : '', args: [...CHROMIUM_ARGS] })])
  }, PATIENCE_MS)
  afterAll(async () => {
    await browser?.close()
    await stack?.close()
  })

  /** A visitor with a profile of their own. */
  async function visitor(options: Parameters<Browser['newContext']>[0] = {}): Promise<{ context: BrowserContext; page: Page; heard: Heard }> {
    const context = await browser.newContext(options)
    const page = await context.newPage()
    return { context, page, heard: listen(page) }
  }

  function listen(page: Page): Heard {
    const heard: Heard = { rankings: [], errors: [] }
    page.on('pageerror', (error) => heard.errors.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('ERR_INTERNET_DISCONNECTED')) heard.errors.push(message.text())
    })
    page.on('response', (response) => {
      if (!response.url().includes('/v1/rank') || response.status() !== 200) return
      const request = JSON.parse(response.request().postData() ?? '{}') as RankRequest
      void response.json().then((body: RankResponse) => heard.rankings.push({ request, response: body })).catch(() => undefined)
    })
    return heard
  }

  const ids = ({ response }: Ranking) => response.items.map(({ id }) => id)
  const forYou = (heard: Heard, counting: string | undefined): Ranking | undefined =>
    heard.rankings.find(({ request }) => request.slot === 'for-you' && (counting === undefined || (request.recent ?? []).some(({ item, kind }) => item === counting && kind === 'click')))
  const listOf = async (heard: Heard, counting?: string): Promise<Ranking> => {
    const ranking = await until(`a list counting ${counting ?? 'nothing'}`, () => forYou(heard, counting), (list) => list !== undefined)
    if (ranking === undefined) throw new Error('no list')
    return ranking
  }
  const shown = (page: Page) =>
    page.locator('[data-attune-slot="for-you"] [data-attune-item]').evaluateAll((cards) => cards.map((card) => card.getAttribute('data-attune-item') ?? ''))

  async function goTo(page: Page, path: string): Promise<void> {
    await page.goto(`${stack.shop}${path}`)
    await page.waitForSelector('[data-attune-slot="for-you"][data-attune-decision]')
  }

  /** Clicks a good of a list and waits for its page. */
  async function clickGood(page: Page, id: string): Promise<void> {
    await page.click(`[data-attune-item="${id}"] a`)
    await page.waitForFunction((path) => location.pathname === path && document.querySelector('.product') !== null, `/p/${id}`)
  }

  /** The list this very visitor would get now with other newest events. */
  async function rankAgain({ request }: Ranking, recent: readonly TrackedEvent[]): Promise<RankResponse> {
    const { site } = await stack.keys()
    const response = await fetch(`${stack.edge}/v1/rank?key=${site}`, { method: 'POST', body: JSON.stringify({ ...request, recent, history: 'recent' }) })
    expect(response.status).toBe(200)
    return (await response.json()) as RankResponse
  }

  test('a click changes the very next "For you"; without it the same visitor would get the old list at that moment', { timeout: PATIENCE_MS }, async () => {
    const { context, page, heard } = await visitor()
    await goTo(page, '/')
    const [first = '', second = ''] = ids(await listOf(heard))
    // The model stands still, so that whatever differs is the click's doing.
    process.kill(stack.pids().bridge, 'SIGSTOP')
    try {
      await clickGood(page, first)
      const old = await listOf(heard, first)
      await until('the page shows it', () => shown(page), (list) => list.join() === ids(old).join())
      const clicked = ids(old).find((id) => id !== first && id !== second) ?? ''
      await clickGood(page, clicked)
      const next = await listOf(heard, clicked)

      expect(ids(next)).not.toEqual(ids(old))
      await until('the page shows it', () => shown(page), (list) => list.join() === ids(next).join())

      const recent = next.request.recent ?? []
      const withIt = await rankAgain(next, recent)
      const withoutIt = await rankAgain(next, recent.filter(({ item }) => item !== clicked))
      const state = ({ epoch, delta }: RankResponse) => `${epoch}.${delta}`
      expect([state(withIt), state(withoutIt)]).toEqual([state(next.response), state(old.response)])
      expect(withIt.items.map(({ id }) => id)).toEqual(ids(next))
      expect(withoutIt.items.map(({ id }) => id)).toEqual(ids(old))
    } finally {
      process.kill(stack.pids().bridge, 'SIGCONT')
    }
    expect(heard.errors).toEqual([])
    await context.close()
  })

  test('two profiles with different clicks see different lists, both different from a newcomer’s', { timeout: PATIENCE_MS }, async () => {
    const lists: string[][] = []
    for (const good of ['electric-guitar', 'ridge-boot']) {
      const { context, page, heard } = await visitor()
      const { department } = { 'electric-guitar': { department: 'sound' }, 'ridge-boot': { department: 'shoes' } }[good] ?? { department: '' }
      await page.goto(`${stack.shop}/d/${department}`)
      await clickGood(page, good)
      lists.push(ids(await listOf(heard, good)))
      await context.close()
    }
    const { context, page, heard } = await visitor()
    await goTo(page, '/')
    lists.push(ids(await listOf(heard)))
    await context.close()
    const [guitar = [], boot = [], newcomer = []] = lists
    const common = (a: readonly string[], b: readonly string[]) => a.filter((id) => b.includes(id)).length
    expect(guitar).toHaveLength(12)
    expect(common(guitar, boot)).toBeLessThan(6)
    expect(common(guitar, newcomer)).toBeLessThan(6)
    expect(common(boot, newcomer)).toBeLessThan(6)
  })

  test('the drawer tells what the wire said: storing, token, epoch and delta, latency, and the change in order', { timeout: PATIENCE_MS }, async () => {
    const { context, page, heard } = await visitor({ viewport: { width: 1440, height: 900 } })
    await goTo(page, '/')
    const before = ids(await listOf(heard))
    const stored = page.waitForResponse((response) => response.url().includes('/v1/events') && (response.request().postData() ?? '').includes('"click"'))
    await clickGood(page, before[2] ?? '')
    const { session, diagnostics } = (await (await stored).json()) as { session: string; diagnostics: { cosmosMs: number; ru: number } }
    const next = await listOf(heard, before[2])
    await page.click('.drawer-button')
    const drawer = page.locator('#drawer')
    await drawer.getByText('Stored in Cosmos DB').waitFor()
    await drawer.getByText('What it changed in').waitFor()
    const text = (await drawer.innerText()).replace(/\s+/g, ' ')
    expect(text).toContain(`${diagnostics.ru.toFixed(2)} RU`)
    expect(text).toContain(session)
    expect(text).toContain(`epoch ${next.response.epoch}, delta ${next.response.delta}`)
    expect(text).toMatch(/latency [\d.]+ ms/)
    const after = ids(next)
    const fresh = after.filter((id) => !before.includes(id)).length
    const stayed = after.filter((id, place) => before[place] === id).length
    expect(text).toContain(`${fresh} new`)
    expect(text).toContain(`${stayed} stayed`)
    expect(await drawer.locator('.slope .new li').count()).toBe(after.length)
    await context.close()
  })

  test('a click made offline, then the tab killed, then the browser: stored exactly once after reconnecting', { timeout: PATIENCE_MS }, async () => {
    const profile = await mkdtemp(join(tmpdir(), 'tuppence-profile-'))
    const launch = () => chromium.launchPersistentContext(profile, { executablePath: 'path' in found ? found.path : '', args: [...CHROMIUM_ARGS] })
    const clickOffline = async (page: Page, good: string): Promise<string> => {
      await page.evaluate(() => {
        const heard: string[] = []
        Object.assign(window, { heard })
        const { attune } = window as unknown as { attune: { on: (name: string, told: (detail: { event: { id: string; kind: string } }) => void) => void } }
        attune.on('queued', ({ event }) => event.kind === 'click' && heard.push(event.id))
      })
      await page.click(`[data-attune-item="${good}"] a`)
      const queued = () => page.evaluate(() => (window as unknown as { heard: string[] }).heard)
      const [id = ''] = await until('the click queued', queued, (list) => list.length === 1)
      // The queue lies in IndexedDB once its transaction has ended.
      await sleep(500)
      return id
    }
    const timesStored = async (id: string) => (await storedEvents(stack)).filter((event) => event.id === id).length
    try {
      const one = await launch()
      const page = one.pages()[0] ?? (await one.newPage())
      await page.goto(`${stack.shop}/d/plush`)
      await page.waitForFunction(() => 'attune' in window && !Array.isArray(window.attune))
      await one.setOffline(true)
      const first = await clickOffline(page, 'owl-soft-toy')
      expect(await timesStored(first)).toBe(0)
      // The tab dies: nothing in it gets to tidy up.
      const crashed = page.waitForEvent('crash')
      const cdp = await one.newCDPSession(page)
      void cdp.send('Page.crash').catch(() => undefined)
      await crashed
      await one.setOffline(false)
      const again = await one.newPage()
      await again.goto(`${stack.shop}/d/plush`)
      await until('stored after the tab was killed', () => timesStored(first), (count) => count > 0)

      await one.setOffline(true)
      const second = await clickOffline(again, 'hedgehog-soft-toy')
      // And now the whole browser, the hard way.
      const pid = await browserPid(one)
      process.kill(pid, 'SIGKILL')
      await one.close().catch(() => undefined)
      expect(await timesStored(second)).toBe(0)

      const two = await launch()
      const back = two.pages()[0] ?? (await two.newPage())
      await back.goto(stack.shop)
      await until('stored after the browser was killed', () => timesStored(second), (count) => count > 0)
      // Going away and coming back once more sends nothing twice.
      await two.setOffline(true)
      await two.setOffline(false)
      await back.reload()
      await sleep(1_500)
      expect([await timesStored(first), await timesStored(second)]).toEqual([1, 1])
      await two.close()
    } finally {
      await rm(profile, { recursive: true, force: true })
    }
  })

  /** Process of a persistent context's browser. */
  async function browserPid(context: BrowserContext): Promise<number> {
    const session = await context.newCDPSession(context.pages()[0] ?? (await context.newPage()))
    const { processInfo } = (await session.send('SystemInfo.getProcessInfo' as never)) as { processInfo: { type: string; id: number }[] }
    return processInfo.find(({ type }) => type === 'browser')?.id ?? 0
  }

  test('the basket keeps what is put in, adds it up and empties at the make-believe till', { timeout: PATIENCE_MS }, async () => {
    const { context, page, heard } = await visitor()
    await page.goto(`${stack.shop}/d/bakery`)
    // €2.40 and twice €2.90, by hand: €8.20.
    await page.click('[data-add="all-butter-croissant"]')
    await page.click('[data-add="long-rise-baguette"]')
    await page.click('[data-add="long-rise-baguette"]')
    expect(await page.innerText('[data-basket-count]')).toBe('3')
    await page.click('.basket-link')
    await page.waitForSelector('.lines')
    expect(await page.innerText('.total p')).toBe('Together €8.20')
    await page.getByRole('button', { name: 'One less of Long-rise baguette' }).click()
    await page.waitForFunction(() => document.querySelector('.total p')?.textContent === 'Together €5.30')
    await page.getByRole('button', { name: 'Check out, make-believe' }).click()
    await page.getByText('Thank you!').waitFor()
    const bought = await until('purchases stored', () => storedEvents(stack), (all) => all.some(({ kind }) => kind === 'purchase'))
    expect(bought.filter(({ kind }) => kind === 'purchase').map(({ item, value }) => [item, value]).sort()).toEqual([['all-butter-croissant', 2.4], ['long-rise-baguette', 2.9]])
    expect(heard.errors).toEqual([])
    await context.close()
  })

  test('search finds by name and liking, forgives a slip, and says when there is nothing', { timeout: PATIENCE_MS }, async () => {
    const { context, page } = await visitor()
    await page.goto(stack.shop)
    const results = async (query: string) => {
      await page.fill('#q', query)
      await page.press('#q', 'Enter')
      await page.waitForFunction((text) => document.querySelector('.plain h1')?.textContent?.includes(text), query)
      return page.locator('[data-attune-slot="search"] .name').allInnerTexts()
    }
    expect(await results('hedgehog')).toContain('Hedgehog, soft toy')
    expect(await results('telescop')).toContain('Refractor telescope')
    expect(await results('croisant')).toContain('All-butter croissant')
    expect(await results('japanese')).toContain('Uji matcha')
    expect(await results('zzzqqq')).toEqual([])
    expect(await page.innerText('.plain [role=status]')).toContain('Nothing by that name')
    await context.close()
  })

  test('a walk with the keyboard alone: skip link, search, product, basket, drawer and back', { timeout: PATIENCE_MS }, async () => {
    const { context, page } = await visitor({ viewport: { width: 1280, height: 900 } })
    await goTo(page, '/')
    const focused = () => page.evaluate(() => document.activeElement?.outerHTML.slice(0, 200) ?? '')
    const tabTo = async (selector: string) => {
      for (let presses = 0; presses < 60; presses++) {
        if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector)) return
        await page.keyboard.press('Tab')
      }
      throw new Error(`Tab did not reach ${selector}; stopped at ${await focused()}`)
    }
    await page.keyboard.press('Tab')
    expect(await focused()).toContain('Skip to the goods')
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
    await tabTo('[data-attune-slot="for-you"] .card a')
    // What has the focus can be seen to have it.
    expect(await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineStyle)).toBe('solid')
    const path = await page.evaluate(() => document.activeElement?.getAttribute('href'))
    await page.keyboard.press('Enter')
    await page.waitForSelector('.product')
    expect(new URL(page.url()).pathname).toBe(path)
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
    await tabTo('.primary[data-add]')
    await page.keyboard.press('Enter')
    await page.waitForFunction(() => document.querySelector('[data-basket-count]')?.textContent === '1')
    await page.focus('.drawer-button')
    await page.keyboard.press('Enter')
    expect(await page.isVisible('#drawer')).toBe(true)
    expect(await page.evaluate(() => document.activeElement?.matches('[data-drawer-close]'))).toBe(true)
    await page.keyboard.press('Escape')
    expect(await page.isVisible('#drawer')).toBe(false)
    expect(await page.evaluate(() => document.activeElement?.matches('.drawer-button'))).toBe(true)
    await page.keyboard.press('Alt+ArrowLeft')
    await page.waitForSelector('.hero')
    expect(new URL(page.url()).pathname).toBe('/')
    await context.close()
  })

  const PAGES = ['/', '/d/plush', '/p/mug-with-a-fox', '/search?q=fox', '/search?q=zzzqqq', '/basket', '/about', '/nothing-here']

  test('at phone width nothing scrolls sideways, on any kind of page, with the drawer open or not', { timeout: PATIENCE_MS }, async () => {
    const { context, page } = await visitor({ viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true })
    for (const path of PAGES) {
      await page.goto(`${stack.shop}${path}`)
      const width = () => page.evaluate(() => document.documentElement.scrollWidth)
      expect(await width(), path).toBeLessThanOrEqual(360)
      await page.tap('.drawer-button')
      expect(await width(), `${path} with the drawer`).toBeLessThanOrEqual(360)
    }
    await context.close()
  })

  test.each(['light', 'dark'] as const)('axe finds nothing serious in %s colours, contrast included', { timeout: PATIENCE_MS }, async (colorScheme) => {
    const { context, page } = await visitor({ colorScheme, viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' })
    await goTo(page, '/')
    await page.click('[data-attune-slot="for-you"] [data-add]')
    await page.click('[data-attune-slot="for-you"] .card a')
    await page.waitForSelector('.product')
    const problems: string[] = []
    for (const path of PAGES) {
      await page.goto(`${stack.shop}${path}`)
      await page.click('.drawer-button')
      // Pages are judged as they stand, not while a list is on its way.
      await sleep(1_600)
      await page.addScriptTag({ path: AXE })
      const found = await page.evaluate(async () => {
        const { axe } = window as unknown as { axe: { run: () => Promise<{ violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[] }> } }
        return (await axe.run()).violations
      })
      for (const { id, impact, nodes } of found) {
        if (impact === 'serious' || impact === 'critical') problems.push(`${path} ${id}: ${nodes[0]?.html.slice(0, 160)} ${nodes[0]?.failureSummary}`)
      }
    }
    expect(problems).toEqual([])
    await context.close()
  })
})

const AXE = join(import.meta.dirname, '..', 'node_modules', 'axe-core', 'axe.min.js')
