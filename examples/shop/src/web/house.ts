import { CHROMIUM_ARGS } from '@attune/browsers'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import type { RankRequest, RankResponse, TrackedEvent } from '@attune/core'
import { startStack, until, type Stack } from '../testing/stack.ts'

/** For a busy machine; on a free one a test takes a few seconds. */
export const PATIENCE_MS = 240_000

export interface Ranking {
  readonly request: RankRequest
  readonly response: RankResponse
}

/** What is heard of a page: its lists, as they came over the wire, and what broke in it. */
export interface Heard {
  readonly rankings: Ranking[]
  readonly errors: string[]
}

/** The whole stack, and a browser to visit its shop with. */
export class House {
  readonly stack: Stack
  readonly browserPath: string
  readonly #browser: Browser

  private constructor(stack: Stack, browser: Browser, browserPath: string) {
    this.stack = stack
    this.#browser = browser
    this.browserPath = browserPath
  }

  static async open(browserPath: string): Promise<House> {
    const stack = await startStack()
    try {
      const browser = await chromium.launch({ executablePath: browserPath, args: [...CHROMIUM_ARGS] })
      return new House(stack, browser, browserPath)
    } catch (error) {
      await stack.close()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#browser.close()
    await this.stack.close()
  }

  /** A visitor with a profile of their own. */
  async visitor(
    options: Parameters<Browser['newContext']>[0] = {},
  ): Promise<{ context: BrowserContext; page: Page; heard: Heard }> {
    const context = await this.#browser.newContext(options)
    const page = await context.newPage()
    return { context, page, heard: listen(page) }
  }

  async goTo(page: Page, path: string): Promise<void> {
    await page.goto(`${this.stack.shop}${path}`)
    await page.waitForSelector('[data-attune-slot="for-you"][data-attune-decision]')
  }

  /** Clicks a good of a list and waits for its page. */
  async clickGood(page: Page, id: string): Promise<void> {
    await page.click(`[data-attune-item="${id}"] a`)
    await page.waitForFunction(
      (path) => location.pathname === path && document.querySelector('.product') !== null,
      `/p/${id}`,
    )
  }

  /** The list this very visitor would get now with other newest events. @throws when there is none */
  async rankAgain({ request }: Ranking, recent: readonly TrackedEvent[]): Promise<RankResponse> {
    const { site } = await this.stack.keys()
    const response = await fetch(`${this.stack.edge}/v1/rank?key=${site}`, {
      method: 'POST',
      body: JSON.stringify({ ...request, recent, history: 'recent' }),
    })
    if (response.status !== 200) throw new Error(`rank: expected 200, received ${response.status}`)
    return (await response.json()) as RankResponse
  }
}

function listen(page: Page): Heard {
  const heard: Heard = { rankings: [], errors: [] }
  page.on('pageerror', (error) => heard.errors.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') heard.errors.push(message.text())
  })
  page.on('response', (response) => {
    if (!response.url().includes('/v1/rank') || response.status() !== 200) return
    const request = JSON.parse(response.request().postData() ?? '{}') as RankRequest
    void response
      .json()
      .then((body: RankResponse) => heard.rankings.push({ request, response: body }))
      .catch(() => undefined)
  })
  return heard
}

export const ids = ({ response }: Ranking): string[] => response.items.map(({ id }) => id)

/** The first "For you" that was told of a click on `counting`; without it, the first of all. @throws when none comes */
export async function listOf(heard: Heard, counting?: string): Promise<Ranking> {
  const find = () =>
    heard.rankings.find(
      ({ request }) =>
        request.slot === 'for-you' &&
        (counting === undefined ||
          (request.recent ?? []).some(({ item, kind }) => item === counting && kind === 'click')),
    )
  const ranking = await until(`a list counting ${counting ?? 'nothing'}`, find, (list) => list !== undefined)
  if (ranking === undefined) throw new Error('no list')
  return ranking
}

/** What the page shows in "For you", in order. */
export function shown(page: Page): Promise<string[]> {
  return page
    .locator('[data-attune-slot="for-you"] [data-attune-item]')
    .evaluateAll((cards) => cards.map((card) => card.getAttribute('data-attune-item') ?? ''))
}
