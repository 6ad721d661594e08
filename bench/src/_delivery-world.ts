import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '@attune/core'
import { provision } from '@attune/edge'
import { generateSigningKey, publicJwk } from '@attune/trainer-bridge'
import { build } from 'esbuild'
import { builds } from './_client-build.ts'
import { forkCosmos } from './_cosmos-process.ts'
import { forkCollector, forkNodeEdge } from './_edge-process.ts'
import { serveStatic } from './_static.ts'

export const SITE_KEY = 'pk_bench_delivery'

/** Page, edge, Cosmos and a plain collector, each in a process of its own; all but the page's host are killed. */
export interface DeliveryWorld {
  readonly origin: string
  readonly edge: string
  readonly profile: string
  /** What the collector has taken. */
  readonly collected: string
  /** Sum of a counter over all lives of the edge. */
  counter(name: string): Promise<number | undefined>
  /** Kills something for up to two seconds; resolves when it is back. Edge and collector go together. */
  fault(random: Random): Promise<void>
  readonly killed: { edge: number; cosmos: number }
  close(): Promise<void>
}

export async function startDeliveryWorld(): Promise<DeliveryWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'attune-delivery-'))
  const { x = '', kid } = publicJwk(await generateSigningKey())
  const pushKey = randomBytes(24).toString('base64url')
  let cosmos = await forkCosmos(join(folder, 'cosmos'))
  const { endpoint, key } = cosmos
  await provision({ endpoints: [endpoint], key, database: 'attune' }, { fetch, now: Date.now })
  const edgeOptions = {
    persist: join(folder, 'edge'),
    cosmos: { endpoint, key },
    site: { id: 'bench', key: SITE_KEY },
    pushKey,
    visitorSecret: randomBytes(24).toString('base64url'),
    verifyKeys: [{ kty: 'OKP' as const, crv: 'Ed25519' as const, x, ...(kid !== undefined && { kid }) }],
  }
  const file = join(folder, 'collected.jsonl')
  let edge = await forkNodeEdge({ ...edgeOptions, port: 0 })
  let collector = await forkCollector({ port: 0, file })
  const { url } = edge
  const { url: collectorUrl } = collector
  const page = await servePage(url, collectorUrl)
  const portOf = (address: string): number => Number(new URL(address).port)
  const killed = { edge: 0, cosmos: 0 }

  /** Counters of former lives of the edge. */
  const before = new Map<string, number>()
  const counters = async (): Promise<Map<string, number>> => {
    const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${pushKey}` } })
    const sums = new Map<string, number>()
    for (const line of (await answer.text()).split('\n')) {
      const [, name, value] = /^([a-z_]+)(?:\{[^}]*\})? ([\d.e+]+)$/.exec(line) ?? []
      if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + Number(value))
    }
    return sums
  }
  return {
    origin: page.origin,
    edge: url,
    profile: join(folder, 'profile'),
    collected: file,
    killed,
    async counter(name) {
      const now = (await counters()).get(name)
      const earlier = before.get(name)
      return now === undefined && earlier === undefined ? undefined : (now ?? 0) + (earlier ?? 0)
    },
    async fault(random) {
      const downMs = 100 + random() * 1_900
      if (random() < 0.5) {
        killed.edge++
        for (const [name, value] of await counters()) before.set(name, (before.get(name) ?? 0) + value)
        await Promise.all([edge.kill(), collector.kill()])
        await sleep(downMs)
        edge = await forkNodeEdge({ ...edgeOptions, port: portOf(url) })
        collector = await forkCollector({ port: portOf(collectorUrl), file })
      } else {
        killed.cosmos++
        await cosmos.kill()
        await sleep(downMs)
        cosmos = await forkCosmos(join(folder, 'cosmos'), portOf(endpoint))
      }
    },
    async close() {
      await Promise.allSettled([edge.close(), collector.close(), page.close()])
      await cosmos.close()
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    },
  }
}

/** A shop's page with three clients that are told the same clicks, and one without any. */
async function servePage(
  edge: string,
  collector: string,
): Promise<{ origin: string; close: () => Promise<void> }> {
  const files = new Map<string, readonly [string, string]>([
    ['/attune.js', ['text/javascript', (await builds()).get('attune.js') ?? '']],
    ['/rivals.js', ['text/javascript', await rivals(collector)]],
    ['/bare', ['text/html', '<!doctype html><title>no script</title>']],
    [
      '/',
      [
        'text/html',
        `<!doctype html><title>shop</title><button>card</button>
        <script>
          const stored = new Set()
          let last
          window.attune = [
            ['on', 'queued', ({ event }) => { if (event.kind === 'click') last = event.id }],
            ['on', 'stored', ({ events }) => { for (const { id } of events) stored.add(id) }],
          ]
          /** One click by hand on a card of this item; the id of its event. */
          function press(item) {
            const card = document.querySelector('button')
            card.dataset.attuneItem = item
            last = undefined
            card.click()
            return last
          }
          /** A click that has its number when the page stops for ever: before it is queued, or as nothing takes what is queued. */
          function lose(item, full) {
            if (full) {
              IDBObjectStore.prototype.put = () => { throw new DOMException('refused', 'QuotaExceededError') }
              for (let size = 4_000_000; size >= 1; size = Math.floor(size / 2)) {
                try { for (let at = 0; ; at++) localStorage['filler-' + size + '-' + at] = 'x'.repeat(size) } catch {}
              }
            } else attune.on('seen', stop)
            press(item)
            stop()
          }
          function stop() {
            console.log('stopped')
            for (;;);
          }
          for (const key of Object.keys(localStorage)) if (key.startsWith('filler-')) delete localStorage[key]
          /** Whether an event can be read back from where the browser keeps it, or has been stored already. */
          async function isKept(id) {
            if (stored.has(id) || Object.values(localStorage).some((text) => text.includes(id))) return true
            for (const { name } of await indexedDB.databases()) {
              const db = await new Promise((resolve, reject) => {
                const request = indexedDB.open(name)
                request.onsuccess = () => resolve(request.result)
                request.onerror = () => reject(request.error)
              })
              try {
                for (const table of db.objectStoreNames) {
                  const all = await new Promise((resolve, reject) => {
                    const request = db.transaction(table).objectStore(table).getAll()
                    request.onsuccess = () => resolve(request.result)
                    request.onerror = () => reject(request.error)
                  })
                  if (JSON.stringify(all).includes(id)) return true
                }
              } finally { db.close() }
            }
            return stored.has(id)
          }
        </script>
        <script src="/rivals.js"></script>
        <script>document.querySelector('button').addEventListener('click', ({ target }) => rivals(target.dataset.attuneItem))</script>
        <script async src="/attune.js" data-endpoint="${edge}" data-site="${SITE_KEY}"></script>`,
      ],
    ],
  ])
  return serveStatic(files)
}

/** search-insights and posthog-js as their manuals set them up, with nothing but the click to tell. */
async function rivals(collector: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import aa from 'search-insights'
        import posthog from 'posthog-js'
        aa('init', { appId: 'BENCH', apiKey: 'bench', host: '${collector}/insights', userToken: 'bench' })
        posthog.init('phc_bench', {
          api_host: '${collector}/posthog', autocapture: false, capture_pageview: false, capture_pageleave: false,
          disable_session_recording: true, disable_surveys: true, advanced_disable_flags: true,
          disable_external_dependency_loading: true,
          // A headless browser counts as a bot.
          opt_out_useragent_filter: true,
        })
        window.rivals = (item) => {
          aa('clickedObjectIDs', { index: 'shop', eventName: 'Click', objectIDs: [item] })
          posthog.capture('click', { item })
        }`,
      resolveDir: import.meta.dirname,
    },
    bundle: true,
    minify: true,
    write: false,
  })
  return outputFiles[0]?.text ?? ''
}
