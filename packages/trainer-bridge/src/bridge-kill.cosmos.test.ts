import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Container } from '@azure/cosmos'
import type { BatchDocument, TrackedEvent } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LiveModel } from './refresh/live-model.ts'
import { StateFolder } from './state/folder.ts'
import { startBridgeWorld, type BridgeWorld } from './testing/bridge-world.ts'
import type { ProcessOptions } from './testing/bridge-process.ts'
import { randomTrainedModel } from './testing/random-model.ts'
import type { TrainedModel } from './train/trained-model.ts'
import { UNITS_PER_PAIR, Windows } from './windows.ts'

const ITEMS = 60
const KILLS = 5
/** Each life of the bridge is a new process, which takes its time on a busy machine. */
const TIMEOUT_MS = 240_000
const SEED = Number(process.env['ATTUNE_SEED'] ?? 1)

function kindOf(dice: number): TrackedEvent['kind'] {
  if (dice < 0.5) return 'click'
  return dice < 0.7 ? 'view' : dice < 0.9 ? 'add-to-cart' : 'purchase'
}

/** Writes batches until told to stop; events come twice now and then, and late. */
async function write(
  container: Container,
  random: () => number,
  signal: AbortSignal,
): Promise<{ documents: BatchDocument[]; session: string }> {
  const documents: BatchDocument[] = []
  let session = ''
  let last: TrackedEvent | undefined
  while (!signal.aborted) {
    const at = Date.now()
    const events: TrackedEvent[] = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, index) => ({
      id: `event-${documents.length}-${index}`,
      kind: kindOf(random()),
      item: random() < 0.1 ? `new-${Math.floor(random() * 20)}` : `item-${Math.floor(random() * ITEMS)}`,
      at: at - Math.floor(random() * 60_000),
    }))
    const visitor = `shop:v${Math.floor(random() * 25)}`
    if (last !== undefined && random() < 0.1) events.push(last)
    last = events[0]
    const document: BatchDocument = {
      id: `batch-${documents.length}`,
      visitor,
      site: 'shop',
      at,
      received: at,
      events,
    }
    const { headers } = await container.items.create(document)
    session = String(headers['x-ms-session-token'])
    documents.push(document)
    await new Promise((resolve) => setTimeout(resolve, random() * 12))
  }
  return { documents, session }
}

interface Recount {
  readonly pairs: ReadonlyMap<string, number>
  readonly steps: ReadonlyMap<string, number>
  readonly baskets: ReadonlyMap<string, number>
}

/** Counts of all documents, once each, in the order they were stored: pairs as `a>b`, steps, and baskets as `a+b`. */
function recount(documents: readonly BatchDocument[]): Recount {
  const pairs = new Map<string, number>()
  const baskets = new Map<string, number>()
  const steps = new Map<string, number>()
  const windows = new Windows()
  for (const document of documents) {
    windows.apply(document, {
      step: (item, sign) => steps.set(item, (steps.get(item) ?? 0) + sign),
      pair: (source, target, units, sign) =>
        pairs.set(`${source}>${target}`, (pairs.get(`${source}>${target}`) ?? 0) + sign * units),
      together: (one, other, visits) => {
        const key = [one, other].sort().join('+')
        baskets.set(key, (baskets.get(key) ?? 0) + visits)
      },
    })
  }
  for (const map of [pairs, steps, baskets]) for (const [key, count] of map) if (count === 0) map.delete(key)
  return { pairs, steps, baskets }
}

/** Epochs, as delta 0, and deltas that the edge took, in order. */
function takenBy({ edge }: BridgeWorld): (readonly [epoch: number, delta: number])[] {
  return edge.log.flatMap((line) => {
    const [, epoch, , delta] = /^PUT \/v1\/models\/(\d+)(\/deltas\/(\d+))? 200$/.exec(line) ?? []
    return epoch === undefined ? [] : [[Number(epoch), Number(delta ?? 0)] as const]
  })
}

/** A bridge killed at random while clicks are stored, until the edge took enough, and ended in order once it has them all. */
async function killedAtRandom(
  world: BridgeWorld,
  random: () => number,
  kills: number,
  limits: ProcessOptions['limits'],
  enough: (taken: ReturnType<typeof takenBy>) => boolean,
): Promise<BatchDocument[]> {
  const { cosmos, container, edge, signingKey, folder } = world
  const options: ProcessOptions = {
    cosmos: { endpoint: cosmos.endpoint, key: cosmos.key },
    edges: [{ url: edge.url, pushKey: edge.pushKey }],
    signingKey,
    folder,
    items: ITEMS,
    deltaIntervalMs: 30,
    limits: { journalBytes: 20_000, ...limits },
  }
  const launch = async (): Promise<ChildProcess> => {
    const child = fork(join(import.meta.dirname, 'testing', 'bridge-process.ts'), {
      env: { ...process.env, BRIDGE_OPTIONS: JSON.stringify(options) },
      execArgv: ['--conditions=@attune/source', '--no-warnings'],
    })
    world.later(() => child.kill('SIGKILL'))
    await once(child, 'message')
    return child
  }
  const stop = new AbortController()
  const writing = write(container, random, stop.signal)
  for (let kill = 0; kill < kills; kill++) {
    const child = await launch()
    await new Promise((resolve) => setTimeout(resolve, 20 + random() * 700))
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const last = await launch()
  await vi.waitFor(() => expect(enough(takenBy(world))).toBe(true), 60_000)
  stop.abort()
  const { documents, session } = await writing
  let newest = session
  // An epoch says nothing of how far it reaches: after one, it takes a click more to know.
  for (let more = 0; more < 30 && !world.contains(newest); more++) {
    const found = await vi
      .waitFor(() => expect(world.contains(newest)).toBe(true), 2_000)
      .catch(() => undefined)
    if (found === undefined && !world.contains(newest)) {
      const at = Date.now()
      const id = `more-${more}`
      const event: TrackedEvent = { id, kind: 'click', item: 'item-1', at }
      const document = { id, visitor: `shop:${id}`, site: 'shop', at, received: at, events: [event] }
      const { headers } = await container.items.create(document)
      newest = String(headers['x-ms-session-token'])
      documents.push(document)
    }
  }
  expect(world.contains(newest)).toBe(true)
  last.kill('SIGTERM')
  await once(last, 'exit')
  return documents
}

/** The edge holds what was counted, in the numbers it was sent: popularity, and how often something followed. */
function expectCounts({ edge: { model } }: BridgeWorld, base: TrainedModel, expected: Recount): void {
  for (const [id, count] of expected.steps) {
    const row = model?.rowOf(id) ?? -1
    expect(model?.popularity[row]).toBeCloseTo((base.tables.popularity[row] ?? 0) + count, 3)
    let sum = base.tables.srSums[row] ?? 0
    for (const [pair, units] of expected.pairs) if (pair.startsWith(`${id}>`)) sum += units / UNITS_PER_PAIR
    expect(model?.srSums[row]).toBeCloseTo(sum, 2)
  }
}

/** In the order of arrival: epochs only rise, deltas of an epoch follow one another, nothing was refused. @returns epochs */
function expectOrder(world: BridgeWorld): number[] {
  const taken = takenBy(world)
  taken.reduce(([epoch, delta], [nextEpoch, nextDelta]) => {
    expect(nextEpoch > epoch ? nextDelta === 0 : nextEpoch === epoch && nextDelta <= delta + 1).toBe(true)
    return [nextEpoch, Math.max(nextDelta, nextEpoch === epoch ? delta : 0)] as const
  })
  expect(taken.length).toBeGreaterThan(3)
  expect(world.edge.log.filter((line) => / 4\d\d$/.test(line) && !line.endsWith('422'))).toEqual([])
  return [...new Set(taken.map(([epoch]) => epoch))]
}

let world: BridgeWorld
beforeEach(async () => {
  world = await startBridgeWorld()
})
afterEach(() => world.close())

test(
  `a bridge killed ${KILLS} times at random ends with the counts of a single pass, and its edge never saw a gap`,
  { timeout: TIMEOUT_MS },
  async () => {
    const documents = await killedAtRandom(
      world,
      seededRandom(SEED),
      KILLS,
      { deltas: 60 },
      ({ length }) => length > 3,
    )
    const expected = recount(documents)
    const folder = await StateFolder.open(world.folder)
    const state = await folder.load()
    await folder.close()
    const base = randomTrainedModel(ITEMS)
    const live = new LiveModel(base, state?.snapshot.live)
    for (const batch of state?.batches ?? []) live.apply(batch)
    const counted = live.counts.state()
    const name = (row: number | undefined) => live.ids[row ?? -1] ?? ''
    const pairs = new Map<string, number>()
    for (let at = 0; at < counted.pairs.length; at += 3) {
      pairs.set(`${name(counted.pairs[at])}>${name(counted.pairs[at + 1])}`, counted.pairs[at + 2] ?? 0)
    }
    const steps = new Map(
      live.ids.map((id, row) => [id, live.counts.steps(row)] as const).filter(([, count]) => count > 0),
    )
    const sorted = (map: ReadonlyMap<string, number>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))
    expect(documents.length).toBeGreaterThan(200)
    expect(sorted(steps)).toEqual(sorted(expected.steps))
    expect(sorted(pairs)).toEqual(sorted(expected.pairs))
    const baskets = new Map<string, number>()
    const bought = live.baskets.state()
    for (let at = 0; at < bought.length; at += 3)
      baskets.set([name(bought[at]), name(bought[at + 1])].sort().join('+'), bought[at + 2] ?? 0)
    expect(baskets.size).toBeGreaterThan(20)
    expect(sorted(baskets)).toEqual(sorted(expected.baskets))

    expectCounts(world, base, expected)
    for (const [id] of expected.steps) {
      const { model } = world.edge
      const most = Math.max(
        0,
        ...[...expected.baskets].map(([pair, visits]) => (pair.split('+').includes(id) ? visits : 0)),
      )
      expect(model?.together?.scales[model.rowOf(id) ?? -1] ?? 0).toBe(most)
    }
    expectOrder(world)
  },
)

test(
  'one that also folds its counts into a base now and then, killed 3 times: every step is counted once, whichever base it is in',
  { timeout: TIMEOUT_MS },
  async () => {
    const manyEpochs = (taken: ReturnType<typeof takenBy>) => new Set(taken.map(([epoch]) => epoch)).size > 3
    const documents = await killedAtRandom(world, seededRandom(SEED + 1), 3, { pairs: 150 }, manyEpochs)
    expectCounts(world, randomTrainedModel(ITEMS), recount(documents))
    expect(expectOrder(world).length).toBeGreaterThan(3)
  },
)
