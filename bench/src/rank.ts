import { readdir, readFile } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { EventsResponse, RankRequest, RankResponse, TrackedEvent, VisitorResponse } from '@attune/core'
import { CandidateSet, coreEngine, rankHistory } from '@attune/core/rank'
import { seededRandom } from '@attune/core/testing'
import { startWorkerdEdge } from '@attune/edge/workerd'
import { nodeScanner, servingModel } from '@attune/trainer-bridge'
import { forkCosmos } from './_cosmos-process.ts'
import { forkEmptyNode, forkNodeEdge, startEmptyWorkerd, type ServerProcess } from './_edge-process.ts'
import { JsonPoster } from './_http.ts'
import { startHouse } from './_loop.ts'
import { pushModel, randomModel } from './_model.ts'
import { cpuMicroseconds, residentMegabytes } from './_process.ts'

const MODES = ['candidates-100', 'retrieve-20', 'retrieve-20-with-history-read'] as const
type Mode = (typeof MODES)[number]

interface Row {
  readonly mode: Mode
  readonly p50_ms: number
  readonly p99_ms: number
  readonly rps: number
  readonly cpu_us_per_request: number
  readonly cpu_us_empty_handler: number
  readonly rss_mb: number
}

/** Different requests that are asked in turn. */
const REQUESTS = 200
const CHECKED = 20
const NEIGHBOURS = 100
const CONCURRENCY = 4
/** Scores of ORT and core agree to this; within it two items may stand either way round. */
const TIE = 1e-4
const MINUTE_MS = 60_000

/**
 * `npm run bench -- rank --host node|workerd [--items 43000] [--requests 3000]`: ranking over HTTP against one server
 * process that has loaded its epoch from its store, as after a restart. Load comes from this process; CPU is read from
 * the server's threads; answers are checked against core.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      host: { type: 'string', default: 'workerd' },
      items: { type: 'string', default: '43000' },
      requests: { type: 'string', default: '3000' },
    },
  })
  const { host } = values
  if (host !== 'node' && host !== 'workerd')
    throw new Error(`--host: expected node or workerd, received ${host}`)
  const items = Number(values.items)
  const requests = Number(values.requests)
  const house = await startHouse(0, startWorkerdEdge, forkCosmos)
  const poster = new JsonPoster(CONCURRENCY)
  const start = (): Promise<ServerProcess> =>
    host === 'node'
      ? forkNodeEdge(house.edgeOptions(0))
      : startWorkerdEdge({ ...house.edgeOptions(0), direct: true })
  try {
    const model = randomModel(items, 7, NEIGHBOURS)
    console.error(`artifact of ${items} items`)
    const first = await start()
    try {
      await pushModel(first.url, house, model)
    } finally {
      await first.close()
    }
    const edge = await start()
    try {
      const ask = async (body: unknown): Promise<RankResponse> =>
        poster.post(`${edge.url}/v1/rank?key=${house.siteKey}`, body)
      await warm(ask)
      const warmMb = Math.round(await residentMegabytes(edge.pid))
      const emptyUs = await measureEmpty(host, requests)
      const rows: Row[] = []
      for (const mode of MODES) {
        const bodies = await requestsOf(mode, items, (path, body) =>
          poster.post(`${edge.url}${path}?key=${house.siteKey}`, body),
        )
        await check(model, bodies, ask)
        rows.push({
          mode,
          ...(await measure(edge.pid, bodies, requests, ask)),
          cpu_us_empty_handler: emptyUs,
          rss_mb: warmMb,
        })
        console.error(
          `${mode}: ${rows.at(-1)?.cpu_us_per_request} µs of CPU a request, ${emptyUs} of them for any answer`,
        )
      }
      // Warm: epoch loaded, ORT sessions made. After load a process also holds garbage its host has not collected:
      // workerd's own empty handler goes from 53 to 217 MB in 15,000 requests.
      return {
        bench: 'rank',
        host,
        items,
        rows,
        rss_after_load_mb: Math.round(await residentMegabytes(edge.pid)),
      }
    } finally {
      await edge.close()
    }
  } finally {
    poster.close()
    await house.close()
  }
}

/** Until the server has loaded the epoch and made its ORT sessions. */
async function warm(ask: (body: RankRequest) => Promise<RankResponse>): Promise<void> {
  const deadline = Date.now() + MINUTE_MS
  for (;;) {
    const recent = [click('item-1', Date.now())]
    const engine = await ask({ slot: 'bench', recent, history: 'recent' }).then(
      (answer) => answer.diagnostics?.engine,
      (error: unknown) => String(error),
    )
    if (engine === 'ort') return
    if (Date.now() > deadline) throw new Error(`the edge did not become warm: ${engine ?? 'no diagnostics'}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Visits of one to five clicks, always the same for one number of items. */
async function requestsOf(
  mode: Mode,
  items: number,
  post: <Answer>(path: string, body: unknown) => Promise<Answer>,
): Promise<{ body: RankRequest; events: TrackedEvent[] }[]> {
  const random = seededRandom(11)
  const id = () => `item-${Math.floor(random() * items)}`
  const now = Date.now()
  const made: { body: RankRequest; events: TrackedEvent[] }[] = []
  for (let request = 0; request < REQUESTS; request++) {
    const length = 1 + (request % 5)
    const events = Array.from({ length }, (_, step) => click(id(), now - (length - step) * 20_000))
    if (mode === 'candidates-100') {
      const candidates = Array.from({ length: 100 }, id)
      made.push({ body: { slot: 'bench', recent: events, candidates, k: 100, history: 'recent' }, events })
    } else if (mode === 'retrieve-20') {
      made.push({ body: { slot: 'bench', recent: events, k: 20, history: 'recent' }, events })
    } else {
      const { visitor } = await post<VisitorResponse>('/v1/visitors', {})
      const { session } = await post<EventsResponse>('/v1/events', { batch: randomUUID(), visitor, events })
      made.push({ body: { slot: 'bench', visitor, session, k: 20 }, events })
    }
  }
  return made
}

function click(item: string, at: number): TrackedEvent {
  return { id: randomUUID(), kind: 'click', item, at }
}

/** The first lists are those of core's own TypeScript, to within ties. */
async function check(
  model: ReturnType<typeof randomModel>,
  requests: readonly { body: RankRequest; events: TrackedEvent[] }[],
  ask: (body: RankRequest) => Promise<RankResponse>,
): Promise<void> {
  const reference = servingModel(model, nodeScanner)
  if (reference.weights === undefined) throw new Error('a random model has weights')
  const engine = coreEngine(reference.weights)
  const scratch = new CandidateSet()
  for (const { body, events } of requests.slice(0, CHECKED)) {
    const answer = await ask(body)
    const history = events.map(({ item = '', at }) => ({ item, kind: 'click' as const, at }))
    const candidates = body.candidates?.map((id) => reference.rowOf(id) ?? -1)
    const expected = await rankHistory(
      reference,
      { history, ...(candidates && { candidates }), k: body.k ?? 20 },
      engine,
      scratch,
    )
    const same =
      answer.fresh &&
      answer.items.length === expected.rows.length &&
      answer.items.every(
        ({ score }, place) => Math.abs((score ?? NaN) - (expected.scores[place] ?? NaN)) <= TIE,
      )
    if (!same) throw new Error(`another list than core's for ${JSON.stringify(body)}`)
  }
}

async function measure(
  pid: number,
  requests: readonly { body: RankRequest }[],
  count: number,
  ask: (body: RankRequest) => Promise<RankResponse>,
): Promise<Pick<Row, 'p50_ms' | 'p99_ms' | 'rps' | 'cpu_us_per_request'>> {
  await load(requests, Math.min(1_000, count), CONCURRENCY, ask)
  const times = await load(requests, Math.min(1_000, count), 1, ask)
  const before = await cpuMicroseconds(pid)
  const started = performance.now()
  await load(requests, count, CONCURRENCY, ask)
  const seconds = (performance.now() - started) / 1_000
  const cpu = (await cpuMicroseconds(pid)) - before
  times.sort((a, b) => a - b)
  return {
    p50_ms: round(times[Math.floor(times.length / 2)] ?? NaN),
    p99_ms: round(times[Math.floor(times.length * 0.99)] ?? NaN),
    rps: Math.round(count / seconds),
    cpu_us_per_request: Math.round(cpu / count),
  }
}

/** @returns milliseconds of each request */
async function load(
  requests: readonly { body: RankRequest }[],
  count: number,
  concurrency: number,
  ask: (body: RankRequest) => Promise<unknown>,
): Promise<number[]> {
  const times: number[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (next < count) {
        const request = requests[next++ % requests.length]
        const started = performance.now()
        await ask(request?.body ?? { slot: 'bench' })
        times.push(performance.now() - started)
      }
    }),
  )
  return times
}

/** CPU of a server on this host that only reads JSON and answers. */
async function measureEmpty(host: 'node' | 'workerd', count: number): Promise<number> {
  const known = new Set(await workerds())
  const server = host === 'node' ? await forkEmptyNode() : await startEmptyWorkerd(true)
  const poster = new JsonPoster(CONCURRENCY)
  try {
    const started = (await workerds()).find((one) => !known.has(one))
    const pid = host === 'node' ? (server as ServerProcess).pid : (started ?? 0)
    const bodies = await requestsOf('retrieve-20', 1_000, () => Promise.reject(new Error('reads nothing')))
    const ask = (body: RankRequest): Promise<unknown> => poster.post(`${server.url}/v1/rank`, body)
    await load(bodies, Math.min(1_000, count), CONCURRENCY, ask)
    const before = await cpuMicroseconds(pid)
    await load(bodies, count, CONCURRENCY, ask)
    return Math.round(((await cpuMicroseconds(pid)) - before) / count)
  } finally {
    poster.close()
    await server.close()
  }
}

/** workerd processes this one has started. */
async function workerds(): Promise<number[]> {
  const found: number[] = []
  for (const task of await readdir('/proc/self/task')) {
    const text = await readFile(`/proc/self/task/${task}/children`, 'utf8').catch(() => '')
    for (const child of text.split(' ').filter(Boolean)) {
      const name = await readFile(`/proc/${child}/comm`, 'utf8').catch(() => '')
      if (name.trim() === 'workerd') found.push(Number(child))
    }
  }
  return found
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000
}
