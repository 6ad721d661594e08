import { createServer } from 'node:http'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChromium } from '@attune/browsers'
import type { EventsRequest } from '@attune/core'
import { builds } from './_client-build.ts'
import { openRawPage } from './_raw-page.ts'

// What a click costs the main thread of a page: the CPU time of every task that Chromium runs there from the click until the
// next one: the click's own task, IndexedDB's callbacks, timers, the request and its answer; less what the same click costs the
// same page without the client. Nothing but these clicks and readings is asked of the page meanwhile.
//
// `alone`: each click long after the one before, so that each is sent by itself. `burst`: four a second, as somebody does who
// tries sizes; those within a second of a batch are sent together. `request`: a bare `fetch` of such a batch, as a measure of
// what part of it no client can spare.

const CLICKS = 60
const ALONE_MS = 1_400
const BURST_MS = 250

/** An edge that answers at once, so that its own time is not in the way. */
async function startEdge(script: string) {
  const stored = new Set<string>()
  const page = (head: string): string =>
    `<!doctype html><title>cards</title>${head}<script>
      window.longTasks = 0
      new PerformanceObserver((list) => { longTasks += list.getEntries().length }).observe({ type: 'longtask' })
      </script><ul data-attune-slot="list">${Array.from({ length: 200 }, (_, id) => `<li data-attune-item="sku-${id}"><button>${id}</button></li>`).join('')}</ul>`
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const url = request.url ?? ''
      const json = (status: number, body: object): void =>
        void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      if (url === '/alone') response.writeHead(200, { 'content-type': 'text/html' }).end(page(''))
      else if (url === '/client')
        response
          .writeHead(200, { 'content-type': 'text/html' })
          .end(page('<script async src="/attune.js" data-endpoint="" data-site="key"></script>'))
      else if (url === '/attune.js')
        response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
      else if (url.startsWith('/v1/visitors')) json(201, { visitor: 'v.s' })
      else if (url.startsWith('/v1/events')) {
        const { batch, events } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as EventsRequest
        for (const event of events) if (event.kind === 'click') stored.add(event.id)
        json(202, { batch, accepted: events.length, rejected: [], duplicate: false, session: '0:-1#1' })
      } else json(404, {})
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stored, server }
}

/** What a page without the client does in place of a click. */
const ACTIONS = {
  click: `document.querySelectorAll('button')[N].click()`,
  request: `void fetch('/v1/events?key=key', { method: 'POST', credentials: 'omit', keepalive: true, body: JSON.stringify({ batch: '', events: [
    { id: '01900000-0000-7000-8000-000000000001', kind: 'view', item: 'sku-1', at: Date.now(), slot: 'list', position: 1, tab: 'b3546156c064', seq: N } ] }) }).then((answer) => answer.json())`,
} as const

interface Cost {
  /** CPU milliseconds of all tasks, each time, rising. */
  readonly total: number[]
  /** Milliseconds by the clock in which the click's own task held the page. */
  readonly own: number[]
  readonly longTasks: number
}

/** @param everyMs - from click to click */
async function measure(
  profile: string,
  url: string,
  action: keyof typeof ACTIONS,
  everyMs: number,
): Promise<Cost> {
  const page = await openRawPage(profile, url)
  try {
    await page.send('Performance.enable', { timeDomain: 'threadTicks' })
    const taskMs = async (): Promise<number> => {
      const { metrics } = await page.send<{ metrics: { name: string; value: number }[] }>(
        'Performance.getMetrics',
      )
      return 1_000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN)
    }
    // Until impressions of what is in view are told, and the first click has opened what it opens.
    await sleep(1_000)
    await page.evaluate(ACTIONS[action].replace(/\bN\b/, '0'))
    await sleep(4_000)
    const total: number[] = []
    const own: number[] = []
    for (let click = 0; click < CLICKS; click++) {
      const before = await taskMs()
      const work = ACTIONS[action].replace(/\bN\b/, String(click % 10))
      own.push(
        await page.evaluate<number>(
          `(() => { const started = performance.now(); ${work}; return performance.now() - started })()`,
        ),
      )
      await sleep(everyMs)
      total.push((await taskMs()) - before)
    }
    // What is gathered from the last ones.
    await sleep(ALONE_MS)
    const rising = (list: number[]): number[] => list.toSorted((a, b) => a - b)
    return { total: rising(total), own: rising(own), longTasks: await page.evaluate('longTasks') }
  } finally {
    await page.close()
  }
}

const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000
const at = (sorted: readonly number[], share: number): number =>
  rounded(sorted[Math.floor(sorted.length * share)] ?? Number.NaN)
const mean = (list: readonly number[]): number => list.reduce((sum, each) => sum + each, 0) / list.length

/** What the client adds to a click of the page. */
const added = (client: Cost, page: Cost): Record<string, number> => ({
  p50: rounded(at(client.total, 0.5) - at(page.total, 0.5)),
  mean: rounded(mean(client.total) - mean(page.total)),
  p95: rounded(at(client.total, 0.95) - at(page.total, 0.95)),
  own_task_p50: at(client.own, 0.5),
  own_task_highest: at(client.own, 0.999),
})

export async function run(_args: string[]): Promise<Record<string, unknown>> {
  const { origin, stored, server } = await startEdge((await builds()).get('attune.js') ?? '')
  const profile = mkdtempSync(join(tmpdir(), 'attune-click-'))
  const { kill } = await startChromium(profile)
  try {
    const page = await measure(profile, `${origin}/alone`, 'click', BURST_MS)
    const request = await measure(profile, `${origin}/alone`, 'request', BURST_MS)
    const burst = await measure(profile, `${origin}/client`, 'click', BURST_MS)
    const alone = await measure(profile, `${origin}/client`, 'click', ALONE_MS)
    const clicked = 2 * (CLICKS + 1)
    if (stored.size !== clicked) throw new Error(`expected ${clicked} clicks stored, received ${stored.size}`)
    return {
      bench: 'click',
      clicks: clicked,
      stored: stored.size,
      burst_ms: added(burst, page),
      alone_ms: added(alone, page),
      request_ms: { p50: rounded(at(request.total, 0.5) - at(page.total, 0.5)) },
      page_alone_ms: { p50: at(page.total, 0.5), p95: at(page.total, 0.95) },
      long_tasks: burst.longTasks + alone.longTasks,
    }
  } finally {
    await kill()
    server.closeAllConnections()
    server.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}
