import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sleep, until } from '../testing/stack.ts'
import { storedEvents } from '../testing/stored-events.ts'
import { PATIENCE_MS, type House } from './house.ts'

const AXE = join(import.meta.dirname, '..', '..', 'node_modules', 'axe-core', 'axe.min.js')
const PAGES = [
  '/',
  '/d/plush',
  '/p/mug-with-a-fox',
  '/search?q=fox',
  '/search?q=zzzqqq',
  '/basket',
  '/about',
  '/nothing-here',
]
/** One of each kind of layout. */
const LAYOUTS = ['/', '/d/plush', '/p/mug-with-a-fox', '/basket', '/about']

/** The shop as people use it: with a mouse, with the keyboard, on a phone, in the dark. */
export function walkTests(house: () => House): void {
  test(
    'the basket keeps what is put in, adds it up and empties at the make-believe till',
    { timeout: PATIENCE_MS },
    async () => {
      const { context, page, heard } = await house().visitor()
      await page.goto(`${house().stack.shop}/d/bakery`)
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
      const bought = await until(
        'purchases stored',
        () => storedEvents(house().stack),
        (all) => all.some(({ kind }) => kind === 'purchase'),
      )
      expect(
        bought
          .filter(({ kind }) => kind === 'purchase')
          .map(({ item, value }) => [item, value])
          .sort(),
      ).toEqual([
        ['all-butter-croissant', 2.4],
        ['long-rise-baguette', 2.9],
      ])
      expect(heard.errors).toEqual([])
      await context.close()
    },
  )

  test(
    'search finds by name and liking, forgives a slip, and says when there is nothing',
    { timeout: PATIENCE_MS },
    async () => {
      const { context, page } = await house().visitor()
      await page.goto(house().stack.shop)
      const results = async (query: string) => {
        await page.fill('#q', query)
        await page.press('#q', 'Enter')
        await page.waitForFunction(
          (text) => document.querySelector('.plain h1')?.textContent?.includes(text),
          query,
        )
        return page.locator('[data-attune-slot="search"] .name').allInnerTexts()
      }
      expect(await results('hedgehog')).toContain('Hedgehog, soft toy')
      expect(await results('telescop')).toContain('Refractor telescope')
      expect(await results('croisant')).toContain('All-butter croissant')
      expect(await results('japanese')).toContain('Uji matcha')
      expect(await results('zzzqqq')).toEqual([])
      expect(await page.innerText('.plain [role=status]')).toContain('Nothing by that name')
      await context.close()
    },
  )

  test(
    'a walk with the keyboard alone: skip link, search, product, basket, drawer and back',
    { timeout: PATIENCE_MS },
    async () => {
      const { context, page } = await house().visitor({ viewport: { width: 1280, height: 900 } })
      await house().goTo(page, '/')
      const focused = () => page.evaluate(() => document.activeElement?.outerHTML.slice(0, 200) ?? '')
      const tabTo = async (selector: string) => {
        for (let presses = 0; presses < 60; presses++) {
          if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector))
            return
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
      expect(
        await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineStyle),
      ).toBe('solid')
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
      await page.goBack()
      await page.waitForSelector('.hero')
      expect(new URL(page.url()).pathname).toBe('/')
      await context.close()
    },
  )

  test(
    'at phone width nothing scrolls sideways, on any kind of page, with the drawer open or not',
    { timeout: PATIENCE_MS },
    async () => {
      const { context, page } = await house().visitor({
        viewport: { width: 360, height: 740 },
        isMobile: true,
        hasTouch: true,
      })
      for (const path of PAGES) {
        await page.goto(`${house().stack.shop}${path}`)
        const width = () => page.evaluate(() => document.documentElement.scrollWidth)
        expect(await width(), path).toBeLessThanOrEqual(360)
        await page.tap('.drawer-button')
        expect(await width(), `${path} with the drawer`).toBeLessThanOrEqual(360)
      }
      await context.close()
    },
  )

  test.each(['light', 'dark'] as const)(
    'axe finds nothing serious in %s colours, contrast included',
    { timeout: PATIENCE_MS },
    async (colorScheme) => {
      const { context, page } = await house().visitor({
        colorScheme,
        viewport: { width: 1280, height: 900 },
        reducedMotion: 'reduce',
      })
      await house().goTo(page, '/')
      await page.click('[data-attune-slot="for-you"] [data-add]')
      await page.click('[data-attune-slot="for-you"] .card a')
      await page.waitForSelector('.product')
      const problems: string[] = []
      for (const path of LAYOUTS) {
        await page.goto(`${house().stack.shop}${path}`)
        await page.click('.drawer-button')
        // Pages are judged as they stand, not while a list is on its way.
        await page.waitForFunction(() =>
          [...document.querySelectorAll('[data-attune-k]')].every((slot) =>
            slot.hasAttribute('data-attune-decision'),
          ),
        )
        await sleep(200)
        await page.addScriptTag({ path: AXE })
        // Colours are all that the dark differs in.
        const rules = colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : {}
        const found = await page.evaluate(async (options) => {
          const { axe } = window as unknown as {
            axe: {
              run: (options: object) => Promise<{
                violations: {
                  id: string
                  impact: string
                  nodes: { html: string; failureSummary: string }[]
                }[]
              }>
            }
          }
          return (await axe.run(options)).violations
        }, rules)
        for (const { id, impact, nodes } of found) {
          if (impact === 'serious' || impact === 'critical')
            problems.push(`${path} ${id}: ${nodes[0]?.html.slice(0, 160)} ${nodes[0]?.failureSummary}`)
        }
      }
      expect(problems).toEqual([])
      await context.close()
    },
  )
}
