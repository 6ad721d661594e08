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
}

const TABS = 3
const SETTLE_MS = 120_000
/** The others try again every few seconds; they get as long as they need. */
const PATIENCE_MS = 12_000
const CONTROL_CLICKS = 10
const RIVALS = ['/insights', '/posthog'] as const
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
  let faults = Promise.resolve()
  const clicks: Click[] = []
  const visitors = new Set<string>()
  const ends = new Map<string, number>()
  let lives = 0
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
      const item = `c${tab.life}-${String(tab.clicks++).padStart(4, '0')}`
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
    faults = haunt(world, stop.signal)

    while (clicks.length < wanted) {
      const index = Math.floor(random() * TABS)
      const tab = tabs[index] as Tab
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
    await sleep(PATIENCE_MS)
    return {
      ...(await judge(world, clicks, events)),
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
    case 'crash': {
      const crashed = page.waitForEvent('crash')
      const devtools = await page.context().newCDPSession(page)
      devtools.send('Page.crash').catch(() => undefined)
      await crashed
      await page.close()
      return open()
    }
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
async function haunt(world: DeliveryWorld, signal: AbortSignal): Promise<void> {
  const random = seededRandom(17)
  while (!signal.aborted) {
    await sleep(500 + random() * 3_000, undefined, { signal }).catch(() => undefined)
    if (!signal.aborted) await world.fault(random)
  }
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
  events: readonly TrackedEvent[],
): Promise<Record<string, unknown>> {
  const stored = events.map((event) => event.item ?? '')
  const known = new Set(stored)
  const lost = clicks.filter(({ queued, item }) => queued && !known.has(item))
  const unqueued = clicks.filter(({ queued, item }) => !queued && !known.has(item))
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
  const missing = await world.counter('attune_events_missing_total')
  const late = await world.counter('attune_events_late_total')
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
    /** Of these, those whose tab told of something later: a number that is missing shows between two others. */
    loss_detectable: unqueued.filter((click) =>
      clicks
        .slice(clicks.indexOf(click) + 1)
        .some((later) => later.page === click.page && known.has(later.item)),
    ).length,
    loss_reported: missing === undefined ? null : missing - (late ?? 0),
    killed: world.killed,
    search_insights: rival('/insights'),
    posthog: rival('/posthog'),
  }
  const fatal = lost.length + result.duplicated + disorder.length
  if (fatal > 0)
    throw new Error(
      `expected nothing lost, doubled or out of order: ${JSON.stringify({ ...result, which: lost.slice(0, 10), disorder: disorder.slice(0, 10) })}`,
    )
  if (unqueued.length > clicks.length / 1_000)
    throw new Error(
      `expected at most 1 click in 1,000 lost before the queue: ${JSON.stringify({ ...result, which: unqueued.slice(0, 10) })}`,
    )
  return result
}
