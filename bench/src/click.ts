import { createServer } from 'node:http'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChromium } from '@attune/browsers'
import type { EventsRequest } from '@attune/core'
import type { BrowserContext } from 'playwright-core'
import { builds } from './_client-build.ts'

// What a click costs the main thread of a page: everything Chromium does there for it, handlers, queue, IndexedDB, sending
// and the answer, less what the same click costs a page without the client.

const CLICKS = 100
/** Longer than a click waits to be sent, and its answer takes. */
const SETTLED_MS = 250

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

/** Main-thread milliseconds of each click. */
async function clicks(context: BrowserContext, url: string) {
  const page = await context.newPage()
  await page.goto(url)
  const devtools = await context.newCDPSession(page)
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
  const taskMs = async (): Promise<number> => {
    const { metrics } = await devtools.send('Performance.getMetrics')
    return 1_000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN)
  }
  // Until impressions of what is in view are told, and the first click has opened what it opens.
  await page.click('button')
  await sleep(4_000)
  const each: number[] = []
  const handlers: number[] = []
  for (let click = 0; click < CLICKS; click++) {
    const before = await taskMs()
    const handler = await page.evaluate((id) => {
      const button = document.querySelectorAll('button')[id]
      const started = performance.now()
      button?.click()
      return performance.now() - started
    }, click % 10)
    handlers.push(handler)
    await sleep(SETTLED_MS)
    each.push((await taskMs()) - before)
  }
  const longTasks = await page.evaluate(() => (window as unknown as { longTasks: number }).longTasks)
  await page.close()
  const rising = (list: number[]): number[] => list.toSorted((a, b) => a - b)
  return { sorted: rising(each), handlers: rising(handlers), longTasks }
}

const at = (sorted: readonly number[], share: number): number =>
  Math.round((sorted[Math.floor(sorted.length * share)] ?? Number.NaN) * 1_000) / 1_000

export async function run(_args: string[]): Promise<Record<string, unknown>> {
  const { origin, stored, server } = await startEdge((await builds()).get('attune.js') ?? '')
  const profile = mkdtempSync(join(tmpdir(), 'attune-click-'))
  const { context, kill } = await startChromium(profile)
  try {
    const alone = await clicks(context, `${origin}/alone`)
    const client = await clicks(context, `${origin}/client`)
    if (stored.size !== CLICKS + 1)
      throw new Error(`expected ${CLICKS + 1} clicks stored, received ${stored.size}`)
    return {
      bench: 'click',
      clicks: CLICKS,
      stored: stored.size,
      // The task of the click itself: what stands between it and the next frame.
      handler_ms: { p50: at(client.handlers, 0.5), p95: at(client.handlers, 0.95) },
      // All tasks until it is stored.
      client_ms: Math.round((at(client.sorted, 0.5) - at(alone.sorted, 0.5)) * 1_000) / 1_000,
      with_client_ms: { p50: at(client.sorted, 0.5), p95: at(client.sorted, 0.95) },
      page_alone_ms: { p50: at(alone.sorted, 0.5), p95: at(alone.sorted, 0.95) },
      long_tasks: client.longTasks,
    }
  } finally {
    await kill()
    server.closeAllConnections()
    server.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}
