import { expect, test } from 'vitest'
import type { RankResponse } from '@attune/core'
import { until } from '../testing/stack.ts'
import { ids, listOf, PATIENCE_MS, shown, type House } from './house.ts'

/** Lists that react, and the drawer that tells of it. */
export function listTests(house: () => House): void {
  test(
    'a click changes the very next "For you"; without it the same visitor would get the old list at that moment',
    { timeout: PATIENCE_MS },
    async () => {
      const { context, page, heard } = await house().visitor()
      await house().goTo(page, '/')
      const [first = '', second = ''] = ids(await listOf(heard))
      // The model stands still, so that whatever differs is the click's doing.
      process.kill(house().stack.pids().bridge, 'SIGSTOP')
      try {
        await house().clickGood(page, first)
        const old = await listOf(heard, first)
        await until(
          'the page shows it',
          () => shown(page),
          (list) => list.join() === ids(old).join(),
        )
        const clicked = ids(old).find((id) => id !== first && id !== second) ?? ''
        await house().clickGood(page, clicked)
        const next = await listOf(heard, clicked)

        expect(ids(next)).not.toEqual(ids(old))
        await until(
          'the page shows it',
          () => shown(page),
          (list) => list.join() === ids(next).join(),
        )

        const recent = next.request.recent ?? []
        const withIt = await house().rankAgain(next, recent)
        const withoutIt = await house().rankAgain(
          next,
          recent.filter(({ item }) => item !== clicked),
        )
        const state = ({ epoch, delta }: RankResponse) => `${epoch}.${delta}`
        expect([state(withIt), state(withoutIt)]).toEqual([state(next.response), state(old.response)])
        expect(withIt.items.map(({ id }) => id)).toEqual(ids(next))
        expect(withoutIt.items.map(({ id }) => id)).toEqual(ids(old))
      } finally {
        process.kill(house().stack.pids().bridge, 'SIGCONT')
      }
      expect(heard.errors).toEqual([])
      await context.close()
    },
  )

  test(
    'two profiles with different clicks see different lists, both different from a newcomer’s',
    { timeout: PATIENCE_MS },
    async () => {
      const lists: string[][] = []
      for (const good of ['electric-guitar', 'ridge-boot']) {
        const { context, page, heard } = await house().visitor()
        const { department } = {
          'electric-guitar': { department: 'sound' },
          'ridge-boot': { department: 'shoes' },
        }[good] ?? { department: '' }
        await page.goto(`${house().stack.shop}/d/${department}`)
        await house().clickGood(page, good)
        lists.push(ids(await listOf(heard, good)))
        await context.close()
      }
      const { context, page, heard } = await house().visitor()
      await house().goTo(page, '/')
      lists.push(ids(await listOf(heard)))
      await context.close()
      const [guitar = [], boot = [], newcomer = []] = lists
      const common = (a: readonly string[], b: readonly string[]) => a.filter((id) => b.includes(id)).length
      expect(guitar).toHaveLength(12)
      expect(common(guitar, boot)).toBeLessThan(6)
      expect(common(guitar, newcomer)).toBeLessThan(6)
      expect(common(boot, newcomer)).toBeLessThan(6)
    },
  )

  test(
    'the drawer tells what the wire said: storing, token, epoch and delta, latency, and the change in order',
    { timeout: PATIENCE_MS },
    async () => {
      const { context, page, heard } = await house().visitor({ viewport: { width: 1440, height: 900 } })
      await house().goTo(page, '/')
      const before = ids(await listOf(heard))
      const stored = page.waitForResponse(
        (response) =>
          response.url().includes('/v1/events') && (response.request().postData() ?? '').includes('"click"'),
      )
      await house().clickGood(page, before[2] ?? '')
      const { session, diagnostics } = (await (await stored).json()) as {
        session: string
        diagnostics: { cosmosMs: number; ru: number }
      }
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
    },
  )
}
