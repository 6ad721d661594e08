import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { ConsistencyLevel } from '../../src/index.ts'
import { Client, PARTITIONS, request } from './client.ts'
import { CONTAINER, Cluster } from './cluster.ts'
import { FeedReader } from './feed.ts'
import { History } from './history.ts'
import { strike, type Toll } from './nemesis.ts'

const CLIENTS = 10
const STRIKE_EVERY_MS = 350
const SETTLE_MS = 20_000
/** Longer than any lag that is left after a restart. */
const SEA_LEVEL_MS = 400
/** At most; it ends with the first violation. */
const PLANTED_SECONDS = 30

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** mulberry32: the same seed, the same choices. */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface Outcome {
  readonly operations: number
  readonly toll: Toll
  readonly stale: number
  readonly unknown: number
  readonly violations: readonly { property: string; detail: string }[]
}

/** One run: clients, feed readers and a nemesis for some seconds, then peace and the last checks. */
export async function check(
  seconds: number,
  seed: number,
  level: ConsistencyLevel,
  planted: boolean,
): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'cosmos-check-'))
  const cluster = new Cluster(folder, level, planted)
  const history = new History()
  const toll: Toll = { kills: 0, splits: 0, merges: 0, failovers: 0, pauses: 0, faults: 0 }
  const random = seeded(seed)
  try {
    await cluster.start()
    await request(cluster, 0, 'POST', '/dbs', {}, { id: 'check' })
    const partitionKey = { paths: ['/pk'], kind: 'Hash', version: 2 }
    await request(
      cluster,
      0,
      'POST',
      '/dbs/check/colls',
      { 'x-ms-offer-throughput': '20000' },
      { id: 'registers', partitionKey },
    )
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => new Client(i, cluster, history, random, level === 'Strong'),
    )
    const readers = [new FeedReader(cluster, history, false), new FeedReader(cluster, history, true)]
    const run = { on: true }
    const work = clients.map(async (client) => {
      while (run.on) {
        await client.step(clients)
        if (random() < 0.05) await sleep(1)
      }
    })
    const reading = readers.map(async (reader) => {
      while (run.on) {
        await reader.pass(Math.floor(random() * cluster.endpoints.length))
        await sleep(20)
      }
    })
    const end = Date.now() + seconds * 1000
    // A planted bug needs to be found once.
    const enough = (): boolean => planted && history.violations.length > 0
    while (Date.now() < end && !enough()) {
      await sleep(STRIKE_EVERY_MS)
      await strike(cluster, toll, random, !planted)
    }
    run.on = false
    await Promise.all([...work, ...reading])
    await peace(cluster, history, readers)
    return {
      operations: history.operations,
      toll,
      stale: history.stale,
      unknown: history.unknown,
      violations: history.violations,
    }
  } finally {
    await cluster.kill()
    await rm(folder, { recursive: true })
  }
}

/** A last kill, everything healed; then every acknowledged write must be there, in the store and in both feeds. */
async function peace(cluster: Cluster, history: History, readers: readonly FeedReader[]): Promise<void> {
  await cluster.kill()
  await cluster.start()
  const deadline = Date.now() + SETTLE_MS
  for (const reader of readers) while (!(await reader.pass(0)) && Date.now() < deadline) await sleep(5)
  await converged(cluster, history)
  const [latest, versions] = readers
  for (const [register, attempted] of history.attempted) {
    const [partition, id] = register.split('/')
    const headers = { 'x-ms-documentdb-partitionkey': JSON.stringify([partition]) }
    const answer = await request(cluster, 0, 'GET', `${CONTAINER}/docs/${id ?? ''}`, headers)
    const value = answer?.status === 200 ? (answer.json as { n: number }).n : 0
    const due = history.acknowledged.get(register) ?? 0
    if (value < due)
      history.violate('no-lost-write', `${register} is ${value} at the end, ${due} was acknowledged`)
    if (value > attempted) history.violate('only-what-was-written', `${register} is ${value} at the end`)
    if ((latest?.newest.get(register) ?? 0) !== value) {
      history.violate(
        'feed-complete',
        `${register}: ${latest?.newest.get(register) ?? 0} in the feed, ${value} stored`,
      )
    }
    const missing =
      history.values.get(register)?.filter((one) => versions?.all.get(register)?.has(one) !== true) ?? []
    if (missing.length > 0)
      history.violate('feed-complete', `${register}: ${missing.join(', ')} not among all versions`)
  }
}

/** With time and no more writes every region has the same data. */
async function converged(cluster: Cluster, history: History): Promise<void> {
  await sleep(SEA_LEVEL_MS)
  for (let i = 0; i < PARTITIONS; i++) {
    const headers = {
      'x-ms-documentdb-partitionkey': JSON.stringify([`p${i}`]),
      'x-ms-documentdb-isquery': 'True',
      'x-ms-max-item-count': '1000',
    }
    const query = { query: 'SELECT VALUE {id: c.id, n: c.n} FROM c' }
    const found = await Promise.all(
      cluster.endpoints.map((_, region) =>
        request(cluster, region, 'POST', `${CONTAINER}/docs`, headers, query),
      ),
    )
    const texts = new Set(
      found.map((answer) => JSON.stringify((answer?.json as { Documents?: unknown })?.Documents)),
    )
    if (texts.size !== 1 || texts.has(undefined as never))
      history.violate('convergence', `p${i} is not the same in every region`)
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } })
  const seconds = Number(values.seconds ?? 60)
  const seed = Number(values.seed ?? Date.now() % 1_000_000)
  process.stderr.write(`seed ${seed}\n`)
  const session = await check(seconds * 0.75, seed, 'Session', false)
  const strong = await check(seconds * 0.25, seed + 1, 'Strong', false)
  const planted = await check(PLANTED_SECONDS, seed + 2, 'Session', true)
  const sum = (name: keyof Toll): number => session.toll[name] + strong.toll[name]
  const violations = [...session.violations, ...strong.violations]
  const result = {
    operations: session.operations + strong.operations,
    kills: sum('kills'),
    splits: sum('splits'),
    merges: sum('merges'),
    failovers: sum('failovers'),
    pauses: sum('pauses'),
    faults: sum('faults'),
    stale_reads_refused: session.stale + strong.stale,
    unknown_outcomes: session.unknown + strong.unknown,
    violations: violations.length,
    ...(violations.length > 0 && { first_violations: violations.slice(0, 10) }),
    planted_bug_violations: planted.violations.length,
    planted_bug_caught: planted.violations.length > 0,
    seed,
  }
  process.stdout.write(`${JSON.stringify(result)}\n`)
  process.exit(violations.length === 0 && planted.violations.length > 0 ? 0 : 1)
}

if (process.argv[1] === import.meta.filename) await main()
