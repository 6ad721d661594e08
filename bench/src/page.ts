import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { startChromium, type RunningChromium } from '@attune/browsers'
import type { BrowserContext } from 'playwright-core'
import { collected } from './_collector.ts'
import { forkCollector } from './_edge-process.ts'
import { CARDS, pageFiles, TELLS, VARIANTS, type Variant } from './_page-variants.ts'
import { serveStatic } from './_static.ts'
import { until } from './_loop.ts'

// What a script costs a page of 200 cards on a slow phone's processor, beside two others; rounds are interleaved.

const SLOWDOWN = 4
const CLICKS = 10
/** Long enough for what a click sets off: handlers, queue, sending, the answer. */
const CLICK_MS = 300
/** Long enough for what scripts put off until the page is idle. */
const IDLE_MS = 2_500

interface Cost {
  /** Of the script, after gzip -9. */
  readonly gz: number
  readonly requests: number
  readonly load_script_ms: number
  readonly load_task_ms: number
  /** All that the main thread does for a click, the median of the clicks. */
  readonly click_task_ms: number
  /** The same of the dearest click: no task of any click is longer. */
  readonly click_task_max_ms: number
  readonly long_tasks: number
  readonly longest_ms: number
  readonly inp_ms: number
  readonly cls: number
}

declare global {
  interface Window {
    seen: { long: number[]; interactions: number[]; shift: number }
  }
}

/** @throws when a client does not tell of its clicks, or ours moves the page */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({ args, options: { rounds: { type: 'string' } } })
  const rounds = Number(values.rounds ?? 7)
  const folder = await mkdtemp(join(tmpdir(), 'attune-page-'))
  const file = join(folder, 'collected.jsonl')
  const collector = await forkCollector({ port: 0, file })
  const files = await pageFiles(collector.url)
  const site = await serveStatic(files)
  let chromium: RunningChromium | undefined
  try {
    chromium = await startChromium(join(folder, 'profile'))
    const browser = chromium.context.browser()
    if (browser === null) throw new Error('no browser')
    const costs = new Map<Variant, Cost[]>(VARIANTS.map((variant) => [variant, []]))
    for (let round = 0; round <= rounds; round++) {
      for (const variant of VARIANTS) {
        const context = await browser.newContext({ viewport: { width: 800, height: 900 } })
        const gz = gzipSync(files.get(`/${variant}.js`)?.[1] ?? '', { level: 9 }).length
        const cost = await measure(context, `${site.origin}/${variant}`, variant === 'none' ? 0 : gz)
        await context.close()
        // The first round warms disk and browser.
        if (round > 0) costs.get(variant)?.push(cost)
      }
      console.error(`round ${round} of ${rounds}`)
    }
    for (const path of Object.values(TELLS)) {
      await until(
        `${path} was told`,
        () => Promise.resolve(collected(file, path, /sku-\d+|visitor/g)),
        (counts) => counts.size > 0,
      )
    }
    const results = Object.fromEntries(
      VARIANTS.map((variant) => [variant, medians(costs.get(variant) ?? [])]),
    )
    const { attune, none } = results
    if (attune?.cls !== 0 || none?.cls !== 0)
      throw new Error(`expected no layout shift, received ${JSON.stringify(results)}`)
    return { bench: 'page', cards: CARDS, cpu_slowdown: SLOWDOWN, rounds, clicks: CLICKS, ...results }
  } finally {
    await chromium?.kill()
    await Promise.allSettled([site.close(), collector.close()])
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}

async function measure(context: BrowserContext, address: string, gz: number): Promise<Cost> {
  const page = await context.newPage()
  const devtools = await context.newCDPSession(page)
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: SLOWDOWN })
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
  const times = async (): Promise<{ script: number; task: number }> => {
    const { metrics } = await devtools.send('Performance.getMetrics')
    const of = (name: string) => 1_000 * (metrics.find((metric) => metric.name === name)?.value ?? 0)
    return { script: of('ScriptDuration'), task: of('TaskDuration') }
  }
  let requests = 0
  page.on('request', () => requests++)
  await page.goto(address, { waitUntil: 'load' })
  await sleep(IDLE_MS)
  const loaded = await times()
  const clicks: number[] = []
  let { task: before } = loaded
  for (let click = 0; click < CLICKS; click++) {
    await page.mouse.click(100 + 190 * (click % 4), 100 + 170 * (click % 3))
    await sleep(CLICK_MS)
    const { task } = await times()
    clicks.push(task - before)
    before = task
  }
  const { long, interactions, shift } = await page.evaluate(() => window.seen)
  return {
    gz,
    requests,
    load_script_ms: loaded.script,
    load_task_ms: loaded.task,
    click_task_ms: median(clicks),
    click_task_max_ms: Math.max(...clicks),
    long_tasks: long.length,
    longest_ms: Math.max(0, ...long),
    // Shorter ones are not told of; with so few interactions INP is the longest.
    inp_ms: Math.max(16, ...interactions),
    cls: shift,
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return Number((sorted[Math.floor(sorted.length / 2)] ?? Number.NaN).toFixed(1))
}

function medians(costs: readonly Cost[]): Cost {
  const keys = Object.keys(costs[0] ?? {}) as (keyof Cost)[]
  const middle = Object.fromEntries(keys.map((key) => [key, median(costs.map((cost) => cost[key]))]))
  const dearest = Math.max(...costs.map((cost) => cost.click_task_max_ms))
  return { ...middle, click_task_max_ms: Number(dearest.toFixed(1)) } as unknown as Cost
}
