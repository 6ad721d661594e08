import { join } from 'node:path'
import { CosmosClient } from '@azure/cosmos'
import {
  covers,
  DATABASE,
  EVENTS_CONTAINER,
  mergeSessionTokens,
  parseSessionToken,
  type BatchDocument,
  type SessionToken,
  type TrackedEvent,
} from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import { forkMember, type MemberProcess } from './_bridge-process.ts'
import { forkCosmos } from './_cosmos-process.ts'
import { differenceOf, recount } from './_counts.ts'
import { servedModel } from './_edge-folder.ts'
import { forkNodeEdge, type ServerProcess } from './_edge-process.ts'
import { startHouse, until } from './_loop.ts'
import { randomModel } from './_model.ts'
import { residentMegabytes } from './_process.ts'
import { models } from './_visitor.ts'

export interface SustainedOptions {
  readonly bridges: number
  readonly edges: number
  readonly events: number
  /** Events a second offered, at most; as fast as they can be stored when absent. */
  readonly perSecond?: number
  /** Called once everything runs, and while events are stored. */
  readonly meanwhile?: (world: SustainedWorld) => Promise<void>
}

export interface SustainedWorld {
  readonly members: MemberProcess[]
  readonly adminEndpoint: string
  /** Starts another bridge of the same cluster. */
  readonly start: () => Promise<MemberProcess>
  readonly signal: AbortSignal
}

export interface Sustained {
  readonly events: number
  /** From the first event stored to the last one in a delta of every edge. */
  readonly seconds: number
  readonly perSecond: number
  /** Age of the oldest event that waited, over all looks at all bridges. */
  readonly lagP95: number
  readonly rssMb: number
  /** Epoch and number of deltas every edge ended with, and how often one was seen to go back. */
  readonly stale: number
}

const ITEMS = 3_000
const EVENTS_PER_BATCH = 10
const VISITORS = 2_000
const CONNECTIONS = 16

/**
 * Cosmos, edges and bridges in processes of their own; events are stored, ten a batch, and the clock stops when every edge
 * serves a delta that contains all of them.
 */
export async function sustain(options: SustainedOptions): Promise<Sustained> {
  let adminEndpoint = ''
  const house = await startHouse(0, undefined, async (folder) => {
    const cosmos = await forkCosmos(folder)
    ;({ adminEndpoint } = cosmos)
    return cosmos
  })
  const { cosmos, signingKey, pushKey, folder } = house
  const edges: ServerProcess[] = []
  const members: MemberProcess[] = []
  const stop = new AbortController()
  try {
    for (let index = 0; index < options.edges; index++)
      edges.push(await forkNodeEdge(house.edgeOptions(index)))
    const start = () =>
      forkMember({
        cosmos,
        edges: edges.map(({ url }) => ({ url, pushKey })),
        signingKey,
        folder: join(folder, 'bridges'),
        initial: ITEMS,
        cluster: { host: '127.0.0.1', ttlMs: 10_000, roundMs: 300 },
      })
    for (let index = 0; index < options.bridges; index++) members.push(await start())
    const served = (url: string) => models(url, pushKey).then(({ serving }) => serving)
    for (const { url } of edges)
      await until(
        'first epoch',
        () => served(url),
        (serving) => serving?.epoch === 1,
        120_000,
      )
    await until(
      'ranges shared',
      () => Promise.resolve(members.map(({ report }) => report?.ranges ?? 0)),
      (ranges) => ranges.reduce((sum, count) => sum + count, 0) > 0,
      30_000,
    )
    const lags: number[] = []
    const looking = setInterval(() => {
      lags.push(Math.max(...members.map(({ report }) => report?.lagSeconds ?? 0)))
    }, 200)
    const watching = edges.map(({ url }) => watchEpochs(() => served(url), stop.signal))
    const disturbing = options.meanwhile?.({ members, adminEndpoint, start, signal: stop.signal })
    const started = performance.now()
    const events = new CosmosClient(cosmos).database(DATABASE).container(EVENTS_CONTAINER.id)
    const { token: wanted, documents } = await store((document) => events.items.create(document), options)
    const stored = performance.now()
    await disturbing
    const base = randomModel(ITEMS)
    const expected = recount(documents)
    const difference = async (edge: number): Promise<string | undefined> => {
      const model = await servedModel(house.edgeOptions(edge).persist ?? '').catch(String)
      if (model === undefined || typeof model === 'string') return model ?? 'no model'
      return differenceOf(model, base, expected, new Map())
    }
    for (const [edge, { url }] of edges.entries()) {
      // A session token says nothing of ranges that have been split: then the counts themselves are looked at.
      await until(
        'all events on an edge',
        async () => {
          if (options.meanwhile !== undefined) return difference(edge)
          const through = (await served(url))?.through
          const all = through != null && covers(parseSessionToken(through), wanted)
          return all ? undefined : `through ${through}`
        },
        (found) => found === undefined,
        180_000,
        options.meanwhile === undefined ? 20 : 500,
      )
    }
    const seconds = (performance.now() - started) / 1_000
    console.error(
      `${options.events} events: stored in ${((stored - started) / 1_000).toFixed(1)} s, on every edge after ${seconds.toFixed(1)} s`,
    )
    clearInterval(looking)
    for (const edge of edges.keys()) {
      const found = await difference(edge)
      if (found !== undefined) throw new Error(`edge ${edge}: ${found}`)
    }
    const rss = await Promise.all(members.map(({ pid }) => residentMegabytes(pid)))
    stop.abort()
    const stale = (await Promise.all(watching)).reduce((sum, count) => sum + count, 0)
    const sorted = lags.sort((a, b) => a - b)
    return {
      events: options.events,
      seconds,
      perSecond: Math.round(options.events / seconds),
      lagP95: Number((sorted[Math.ceil(0.95 * sorted.length) - 1] ?? 0).toFixed(2)),
      rssMb: Math.round(Math.max(...rss)),
      stale,
    }
  } catch (error) {
    for (const member of members) for (const line of member.errors.slice(-5)) console.error(line)
    throw error
  } finally {
    stop.abort()
    await Promise.allSettled(members.map((member) => member.close()))
    await Promise.allSettled(edges.map((edge) => edge.close()))
    await house.close()
  }
}

/** How often an edge was seen to serve less than before. */
async function watchEpochs(
  ask: () => Promise<{ readonly epoch: number; readonly delta: number } | null>,
  signal: AbortSignal,
): Promise<number> {
  let [epoch, delta, back] = [0, 0, 0]
  while (!signal.aborted) {
    const serving = await ask().catch(() => null)
    if (serving !== null) {
      if (serving.epoch < epoch || (serving.epoch === epoch && serving.delta < delta)) back++
      ;({ epoch, delta } = serving)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return back
}

/** Stores the events, several batches at a time. @returns what was stored, and the session token of all writes */
async function store(
  create: (document: BatchDocument) => Promise<{ headers: Readonly<Record<string, unknown>> }>,
  { events, perSecond = Infinity }: SustainedOptions,
): Promise<{ token: SessionToken; documents: BatchDocument[] }> {
  const random = seededRandom(23)
  const documents: BatchDocument[] = []
  let token: SessionToken = new Map()
  let next = 0
  const batches = Math.ceil(events / EVENTS_PER_BATCH)
  const started = performance.now()
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (next < batches) {
        const batch = next++
        const due = started + (batch * EVENTS_PER_BATCH * 1_000) / perSecond
        const early = due - performance.now()
        if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
        const document = batchOf(batch, random)
        const { headers } = await create(document)
        documents.push(document)
        token = mergeSessionTokens(token, parseSessionToken(String(headers['x-ms-session-token'])))
      }
    }),
  )
  return { token, documents }
}

function batchOf(batch: number, random: () => number): BatchDocument {
  const at = Date.now()
  return {
    id: `batch-${batch}`,
    // Each connection has other visitors at a time: batches of one come one after the other.
    visitor: `bench:v${batch % VISITORS}`,
    site: 'bench',
    at,
    received: at,
    events: Array.from({ length: EVENTS_PER_BATCH }, (_, index): TrackedEvent => ({
      id: `event-${batch}-${index}`,
      kind: 'click',
      item: `item-${Math.floor(random() ** 2 * ITEMS)}`,
      at: at - (EVENTS_PER_BATCH - index) * 10,
    })),
  }
}
