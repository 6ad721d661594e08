import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChromium } from '@attune/browsers'
import type { TrackedEvent } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import type { Page } from 'playwright-core'
import { collected } from './_collector.ts'
import { SITE_KEY, startDeliveryWorld, type DeliveryWorld } from './_delivery-world.ts'
import { until } from './_loop.ts'

// Clicks in tabs that are reloaded, left, closed, crashed, killed and offline, while edge and Cosmos are killed: which of
// them are stored, how often and in what order; beside two other clients that are told the same clicks.

declare global {
  interface Window {
    attune?: unknown
  }
  function press(item: string): string | undefined
  function isKept(id: string): Promise<boolean>
  function lose(item: string, full: boolean): void
}

const TABS = 3
const SETTLE_MS = 120_000
/** The others try again every few seconds; they get as long as they need. */
const PATIENCE_MS = 12_000
const CONTROL_CLICKS = 10
const RIVALS = ['/insights', '/posthog'] as const
/** Of so many things that happen to tabs one is a click that is numbered and never queued. */
const LOSE_EVERY = 10
const ITEM = /c\d+-\d{4}/g

interface Click {
  readonly item: string
  /** Which tab: it goes on through reloads and pages, and ends when it is closed, crashed or killed. */
  readonly page: Page
  /** Read back from where the browser keeps it before anything was done to its tab. */
  queued: boolean
  readonly end: string
}

interface Tab {
  page: Page
  life: number
  clicks: number
}

const ENDS = [
  ['stay', 0.72],
  ['reload', 0.82],
  ['leave', 0.88],
  ['close', 0.92],
  ['crash', 0.95],
  ['offline', 0.98],
  ['kill', 1],
] as const

/** @throws when a click that was in the queue is missing, one is stored twice, or two of a tab are out of order */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({ args, options: { clicks: { type: 'string' }, seed: { type: 'string' } } })
  const wanted = Number(values.clicks ?? 2_000)
  const random = seededRandom(Number(values.seed ?? 5))
  const world = await startDeliveryWorld()
  let chromium = await startChromium(world.profile)
  const stop = new AbortController()
  /** Nothing is killed meanwhile. */
  const calm = { now: false }
  let faults = Promise.resolve()
  const clicks: Click[] = []
  /** Clicks that were numbered and, on purpose, never queued. */
  const provoked: string[] = []
  const visitors = new Set<string>()
  const ends = new Map<string, number>()
  let lives = 0
  let steps = 0
  try {
    const load = async (page: Page): Promise<Tab> => {
      await page.goto(world.origin)
      await page.waitForFunction(() => window.attune !== undefined && !Array.isArray(window.attune))
      // The queue is open, and whoever has a handle by now is known.
      const handle = await page.evaluate(() =>
        (window.attune as { visitor(): Promise<string | undefined> }).visitor(),
      )
      if (handle !== undefined) visitors.add(handle)
      return { page, life: ++lives, clicks: 0 }
    }
    const open = async (): Promise<Tab> => load(await chromium.context.newPage())
    const click = async (tab: Tab, end: string, check: boolean): Promise<void> => {
      const item = itemOf(tab)
      const id = await tab.page.evaluate((name) => press(name), item)
      if (id === undefined) throw new Error(`click ${item}: the page told of no event`)
      const one: Click = { item, page: tab.page, queued: false, end }
      clicks.push(one)
      if (check) one.queued = await tab.page.evaluate((event) => isKept(event), id)
    }
    const tabs: Tab[] = []
    for (let count = 0; count < TABS; count++) tabs.push(await open())
    for (let count = 0; count < CONTROL_CLICKS; count++) await click(tabs[0] as Tab, 'stay', true)
    await control(world, clicks)
    faults = haunt(world, stop.signal, calm)

    while (clicks.length < wanted) {
      const index = Math.floor(random() * TABS)
      const tab = tabs[index] as Tab
      if (++steps % LOSE_EVERY === 0) {
        const full = steps % (2 * LOSE_EVERY) === 0
        // A tab that has told of nothing is not among the 200 a visitor's page remembers, nor has it a mark, for which a full
        // storage has no room: decision 24.
        if (tab.clicks === 0) await click(tab, 'stay', true)
        const item = itemOf(tab)
        provoked.push(item)
        await lose(tab.page, item, full)
        const next = (tabs[index] = await open())
        // A server that is killed as it counts takes the count with it, and a browser what its tabs put down in the last seconds.
        await reported(world, provoked.length, next.page, calm)
        continue
      }
      const luck = random()
      const [end] = ENDS.find(([, limit]) => luck < limit) ?? ENDS[0]
      ends.set(end, (ends.get(end) ?? 0) + 1)
      for (let burst = Math.floor(random() * 8); burst > 0; burst--) await click(tab, end, true)
      // Half of the ends come in the moment the click's handler has returned, with no look at the queue.
      await click(tab, end, end === 'stay' || random() < 0.5)
      tabs[index] = await finish(end, tab, { open, load, restart })
      async function restart(): Promise<void> {
        await chromium.kill()
        chromium = await startChromium(world.profile)
        for (let again = 0; again < TABS; again++) if (again !== index) tabs[again] = await open()
      }
      if (end === 'stay') await sleep(random() * 40)
      if (clicks.length % 200 < 3) console.error(`${clicks.length} of ${wanted} clicks`)
    }
    stop.abort()
    await faults
    const last = await open()
    const events = await settled(world, last.page, visitors, clicks)
    await reported(world, provoked.length, last.page, calm)
    await sleep(PATIENCE_MS)
    return {
      ...(await judge(world, clicks, provoked, events)),
      visitors: visitors.size,
      lives,
      ends: Object.fromEntries(ends),
    }
  } finally {
    stop.abort()
    await faults.catch(() => undefined)
    await chromium.kill()
    await world.close()
  }
}

/** While nothing is killed everybody delivers: else what follows would compare a client that was set up wrongly. */
async function control(world: DeliveryWorld, clicks: readonly Click[]): Promise<void> {
  for (const path of RIVALS) {
    await until(
      `${path} delivers while nothing is killed`,
      () => Promise.resolve(collected(world.collected, path, ITEM)),
      (counts) => clicks.every(({ item }) => counts.has(item)),
      PATIENCE_MS,
      100,
    )
  }
}

const itemOf = (tab: Tab): string => `c${tab.life}-${String(tab.clicks++).padStart(4, '0')}`

/** @param stuck - makes the page run for ever before */
async function crash(page: Page, stuck?: () => Promise<unknown>): Promise<void> {
  const crashed = page.waitForEvent('crash')
  const devtools = await page.context().newCDPSession(page)
  if (stuck) {
    const stopped = page.waitForEvent('console', (message) => message.text() === 'stopped')
    stuck().catch(() => undefined)
    await stopped
    // What the page has written to localStorage is on its way to the browser.
    await sleep(100)
  }
  devtools.send('Page.crash').catch(() => undefined)
  await crashed
  await page.close()
}

/** Ends a tab for good in the task of a click: between its number and the queue, or as no storage takes it. */
async function lose(page: Page, item: string, full: boolean): Promise<void> {
  await crash(page, () => page.evaluate(([name, how]) => window.lose(name, how), [item, full] as const))
}

interface Ways {
  open(): Promise<Tab>
  load(page: Page): Promise<Tab>
  restart(): Promise<void>
}

/** What happens to a tab after a click; the tab that takes its place. */
async function finish(end: (typeof ENDS)[number][0], tab: Tab, { open, load, restart }: Ways): Promise<Tab> {
  const { page } = tab
  switch (end) {
    case 'stay':
      return tab
    case 'reload':
      return load(page)
    case 'leave':
      await page.goto(new URL('/bare', page.url()).href)
      return load(page)
    case 'close':
      await page.close()
      return open()
    case 'crash':
      await crash(page)
      return open()
    case 'offline': {
      const devtools = await page.context().newCDPSession(page)
      const offline = (is: boolean) =>
        devtools.send('Network.emulateNetworkConditions', {
          offline: is,
          latency: 0,
          downloadThroughput: -1,
          uploadThroughput: -1,
        })
      await offline(true)
      await sleep(500)
      await offline(false)
      await devtools.detach()
      return tab
    }
    case 'kill':
      await restart()
      return open()
  }
}

/** Kills edge and Cosmos, now and then, until it is told to stop; both are up afterwards. */
async function haunt(
  world: DeliveryWorld,
  signal: AbortSignal,
  calm: { readonly now: boolean },
): Promise<void> {
  const random = seededRandom(17)
  while (!signal.aborted) {
    await sleep(500 + random() * 3_000, undefined, { signal }).catch(() => undefined)
    if (!signal.aborted && !calm.now) await world.fault(random)
  }
}

/** What the edge counts as lost, over all its lives. */
async function lossOf(world: DeliveryWorld): Promise<number> {
  const missing = await world.counter('attune_events_missing_total')
  const late = await world.counter('attune_events_late_total')
  return (missing ?? 0) - (late ?? 0)
}

/** Waits until the edge has heard of so many losses; whether there are more is judged at the end. */
async function reported(
  world: DeliveryWorld,
  wanted: number,
  page: Page,
  calm: { now: boolean },
): Promise<void> {
  calm.now = true
  const waiting = until(
    `${wanted} losses are reported`,
    async () => {
      // Tries again at once what it would try later.
      await page.evaluate(() => window.dispatchEvent(new Event('online')))
      // It may be down still.
      return lossOf(world).catch(() => 0)
    },
    (loss) => loss >= wanted,
    SETTLE_MS,
    1_000,
  )
  await waiting.catch((error: unknown) => console.error(error))
  calm.now = false
}

/** Waits until everything that was in a queue is stored; all events in the order in which the edge received them. */
async function settled(
  world: DeliveryWorld,
  page: Page,
  visitors: Set<string>,
  clicks: readonly Click[],
): Promise<TrackedEvent[]> {
  const read = async (): Promise<TrackedEvent[]> => {
    const handle = await page.evaluate(() =>
      (window.attune as { visitor(): Promise<string | undefined> }).visitor(),
    )
    if (handle !== undefined) visitors.add(handle)
    const events: TrackedEvent[] = []
    for (const visitor of visitors) {
      const answer = await fetch(`${world.edge}/v1/visitors/export?key=${SITE_KEY}`, {
        method: 'POST',
        body: JSON.stringify({ visitor }),
      })
      const { batches } = (await answer.json()) as { batches?: { events: TrackedEvent[] }[] }
      events.push(...(batches ?? []).flatMap((batch) => batch.events))
    }
    return events.filter((event) => event.kind === 'click')
  }
  const missing = (events: readonly TrackedEvent[]) => {
    const stored = new Set(events.map((event) => event.item))
    return clicks.filter((click) => click.queued && !stored.has(click.item))
  }
  try {
    await until(
      'clicks in the queue are stored',
      async () => missing(await read()),
      (left) => left.length === 0,
      SETTLE_MS,
      500,
    )
  } catch (error) {
    console.error(error)
  }
  return read()
}

async function judge(
  world: DeliveryWorld,
  clicks: readonly Click[],
  provoked: readonly string[],
  events: readonly TrackedEvent[],
): Promise<Record<string, unknown>> {
  const stored = events.map((event) => event.item ?? '')
  const known = new Set(stored)
  const lost = clicks.filter(({ queued, item }) => queued && !known.has(item))
  const unqueued = clicks.filter(({ queued, item }) => !queued && !known.has(item))
  /** A browser that is killed brings back what was in `localStorage` some time before, and with it what tabs had numbered. */
  const forgotten = unqueued.filter(({ end }) => end === 'kill').length
  const newest = new Map<string, string>()
  const disorder = stored.filter((item) => {
    const life = item.split('-')[0] ?? ''
    const before = newest.get(life) ?? ''
    newest.set(life, item > before ? item : before)
    return item < before
  })
  const rival = (path: (typeof RIVALS)[number]): Record<string, number> => {
    const counts = collected(world.collected, path, ITEM)
    const received = clicks.filter(({ item }) => counts.has(item)).length
    const again = [...counts.values()].filter((count) => count > 1).length
    return { received, lost: clicks.length - received, duplicated: again }
  }
  const result = {
    bench: 'delivery',
    clicked: clicks.length,
    /** Read back from the browser's storage, or known to be stored, before anything happened to the tab. */
    queued: clicks.filter(({ queued }) => queued).length,
    stored: clicks.filter(({ item }) => known.has(item)).length,
    lost: lost.length,
    duplicated: stored.length - known.size,
    out_of_order: disorder.length,
    lost_before_queue: unqueued.length,
    /** Numbered and never queued, on purpose: the page stopped in between, or no storage took it. */
    loss_provoked: provoked.length,
    /** By the edge: missing less late. */
    loss_reported: await lossOf(world),
    killed: world.killed,
    search_insights: rival('/insights'),
    posthog: rival('/posthog'),
  }
  const fatal = lost.length + result.duplicated + disorder.length
  if (fatal > 0)
    throw new Error(
      `expected nothing lost, doubled or out of order: ${JSON.stringify({ ...result, which: lost.slice(0, 10), disorder: disorder.slice(0, 10) })}`,
    )
  const arrived = provoked.filter((item) => known.has(item))
  if (arrived.length > 0)
    throw new Error(
      `expected clicks that were never queued not to be stored, received ${JSON.stringify(arrived)}`,
    )
  const expected = unqueued.length + provoked.length
  if (result.loss_reported > expected || result.loss_reported < expected - forgotten)
    throw new Error(`expected ${expected} clicks reported as missing: ${JSON.stringify(result)}`)
  if (unqueued.length > clicks.length / 1_000)
    throw new Error(
      `expected at most 1 click in 1,000 lost before the queue: ${JSON.stringify({ ...result, which: unqueued.slice(0, 10) })}`,
    )
  return result
}
