import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { createGunzip } from 'node:zlib'
import { uuidv7, type EventsResponse, type RankResponse, type VisitorResponse } from '@attune/core'
import { addQuery, emptyTotals, metrics } from '@attune/core/evaluate'
import { seededRandom } from '@attune/core/testing'
import { startWorkerdEdge } from '@attune/edge/workerd'
import {
  createSigner,
  deliver,
  evaluateModel,
  manifestBytes,
  modelOf,
  type Artifact,
} from '@attune/trainer-bridge'
import { forkCosmos } from './_cosmos-process.ts'
import { JsonPoster } from './_http.ts'
import { startHouse, type House } from './_loop.ts'
import { datasetOf, trainedArtifact } from './_train.ts'

const K = 20
const VISITORS_AT_A_TIME = 4
const MAX_DIFFERENCE = 0.002

/**
 * `npm run bench -- replay --data DIR [--sample N]`: the test sessions of a click log as visitors of a real workerd edge:
 * each click is stored, then the next list is asked for with the session token, and held against the click that came
 * next. The same artifact is evaluated offline on the same prefixes; both must agree to 0.002.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      data: { type: 'string' },
      sample: { type: 'string' },
      visitors: { type: 'string', default: String(VISITORS_AT_A_TIME) },
    },
  })
  const { data } = values
  if (data === undefined)
    throw new Error('replay: --data DIR is missing; DIR has train.txt.gz and test-sessions.txt.gz')
  const sample = values.sample === undefined ? Infinity : Number(values.sample)
  if (!(sample >= 1)) throw new Error(`replay: --sample ${values.sample}: expected a number from 1`)
  const sessions = chosen(await readSessions(data), sample)
  const { artifact, trainS } = await trainedArtifact(data)

  const house = await startHouse(1, startWorkerdEdge, forkCosmos)
  let replayed: Replayed
  try {
    await push(house, artifact)
    replayed = await replay(house, sessions, Number(values.visitors))
  } finally {
    await house.close()
  }
  console.error('offline evaluation of the same artifact on the same prefixes')
  const offline = await evaluateModel(modelOf(artifact), {
    histories: sessions.flatMap(({ items, prefixes }) =>
      Array.from({ length: prefixes }, (_, n) => items.slice(0, n + 1)),
    ),
    targets: sessions.flatMap(({ items, prefixes }) => items.slice(1, prefixes + 1)),
  })
  const { hr, mrr, queries } = metrics(replayed.totals)
  for (const [name, online, other] of [
    ['HR@20', hr, offline.hr],
    ['MRR@20', mrr, offline.mrr],
  ] as const) {
    if (!(Math.abs(online - other) <= MAX_DIFFERENCE)) {
      throw new Error(
        `replay: ${name} over HTTP is ${online}, offline ${other}: expected at most ${MAX_DIFFERENCE} apart`,
      )
    }
  }
  const times = replayed.rankMs.sort((a, b) => a - b)
  const at = (share: number) =>
    round(times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? NaN, 2)
  return {
    bench: 'replay',
    dataset: datasetOf(data),
    prefixes: queries,
    hr20: round(hr, 4),
    mrr20: round(mrr, 4),
    hr20_offline: round(offline.hr, 4),
    mrr20_offline: round(offline.mrr, 4),
    p50_ms: at(0.5),
    p99_ms: at(0.99),
    rps: Math.round(replayed.requests / replayed.seconds),
    train_s: Math.round(trainS),
    epoch: replayed.epoch,
  }
}

interface Session {
  readonly items: readonly string[]
  /** How many of its prefixes are replayed, from the shortest on. */
  readonly prefixes: number
}

async function readSessions(data: string): Promise<string[][]> {
  const sessions: string[][] = []
  const source = createReadStream(join(data, 'test-sessions.txt.gz'))
  const text = source.pipe(createGunzip())
  source.on('error', (error) => text.destroy(error))
  for await (const line of createInterface({ input: text })) if (line !== '') sessions.push(line.split(' '))
  return sessions
}

/** All sessions, or a seeded draw of them with `sample` prefixes together. */
function chosen(sessions: readonly (readonly string[])[], sample: number): Session[] {
  const order = [...sessions]
  if (sample !== Infinity) {
    const random = seededRandom(20)
    for (let at = order.length - 1; at > 0; at--) {
      const other = Math.floor(random() * (at + 1))
      const one = order[at] ?? []
      order[at] = order[other] ?? []
      order[other] = one
    }
  }
  let left = sample
  return order.flatMap((items) => {
    const prefixes = Math.min(items.length - 1, left)
    left -= Math.max(0, prefixes)
    return prefixes > 0 ? [{ items, prefixes }] : []
  })
}

async function push({ edges, pushKey, signingKey }: House, { manifest, files }: Artifact): Promise<void> {
  const signer = await createSigner(signingKey)
  const jws = await signer.sign(manifestBytes(manifest), 'attune-manifest+jws')
  const file = (sha256: string) => Promise.resolve(files.get(sha256) ?? new Uint8Array())
  const targets = edges.map(({ url }) => ({ url, pushKey }))
  await deliver(targets, { manifest, jws, file }, { fetch, signal: new AbortController().signal })
}

interface Replayed {
  readonly totals: ReturnType<typeof emptyTotals>
  readonly rankMs: number[]
  readonly requests: number
  readonly seconds: number
  readonly epoch: number
}

async function replay(
  { edges, siteKey }: House,
  sessions: readonly Session[],
  visitors: number,
): Promise<Replayed> {
  const poster = new JsonPoster(visitors)
  const base = edges[0]?.url ?? ''
  const urls = {
    visitors: `${base}/v1/visitors?key=${siteKey}`,
    events: `${base}/v1/events?key=${siteKey}`,
    rank: `${base}/v1/rank?key=${siteKey}`,
  }
  const totals = emptyTotals()
  const rankMs: number[] = []
  const random = seededRandom(5)
  const total = sessions.reduce((sum, { prefixes }) => sum + prefixes, 0)
  let requests = 0
  let epoch = 0
  let next = 0
  let shown = performance.now()
  const one = async ({ items, prefixes }: Session): Promise<void> => {
    const { visitor } = await poster.post<VisitorResponse>(urls.visitors, {})
    requests++
    // The log has only an order: clicks a millisecond apart are as good as at once for ages, and still in order.
    const start = Date.now()
    let session: string | undefined
    for (let step = 0; step < prefixes; step++) {
      const at = start + step
      const events = [{ id: uuidv7(at, random), kind: 'click', item: items[step], at }]
      const body = { batch: uuidv7(at, random), visitor, ...(session !== undefined && { session }), events }
      ;({ session } = await poster.post<EventsResponse>(urls.events, body))
      const asked = performance.now()
      const list = await poster.post<RankResponse>(urls.rank, {
        slot: 'replay',
        visitor,
        session,
        history: 'full',
        k: K,
      })
      rankMs.push(performance.now() - asked)
      requests += 2
      if (!list.fresh) throw new Error(`replay: a list was not fresh, session ${session}`)
      epoch = list.epoch
      session = list.session ?? session
      addQuery(
        totals,
        list.items.map(({ id }) => id),
        items[step + 1] ?? '',
        K,
      )
    }
  }
  const started = performance.now()
  const worker = async (): Promise<void> => {
    for (let session = sessions[next++]; session !== undefined; session = sessions[next++]) {
      await one(session)
      if (performance.now() - shown < 5_000) continue
      shown = performance.now()
      const { hr } = metrics(totals)
      console.error(`replay ${totals.queries} of ${total} prefixes, HR@20 so far ${hr.toFixed(4)}`)
    }
  }
  await Promise.all(Array.from({ length: visitors }, worker))
  poster.close()
  return { totals, rankMs, requests, seconds: (performance.now() - started) / 1_000, epoch }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
