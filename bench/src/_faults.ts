import { join } from 'node:path'
import { CosmosClient, type Container } from '@azure/cosmos'
import { DATABASE, EVENTS_CONTAINER, ITEMS_CONTAINER } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import { createSigner, generateSigningKey, readState, type LiveModel } from '@attune/trainer-bridge'
import { forkMember, type MemberProcess, type MemberProcessOptions } from './_bridge-process.ts'
import { forkCosmos } from './_cosmos-process.ts'
import { differenceOf, recount, type Counts } from './_counts.ts'
import { servedModel } from './_edge-folder.ts'
import { writeAll, writeItems } from './_fault-writers.ts'
import { KillableEdge } from './_killable-edge.ts'
import { startHouse, until } from './_loop.ts'
import { randomModel } from './_model.ts'
import { pause } from './_pause.ts'
import { models } from './_visitor.ts'

export interface FaultOptions {
  readonly seconds: number
  readonly seed: number
  readonly bridges: number
  readonly edges: number
  /** Batches stored each second, at most. */
  readonly perSecond: number
}

/** What was done to the house, and what came of it. */
export interface FaultResult {
  readonly kills: number
  readonly leader_kills: number
  readonly stalls: number
  readonly edge_kills: number
  readonly splits: number
  readonly merges: number
  readonly throttles: number
  readonly documents: number
  readonly events: number
  readonly pairs: number
  readonly epochs: number
  readonly generations: number
  readonly looks_at_edges: number
  readonly forged_refused: number
  readonly settled_s: number
}

const ITEMS = 60
const TTL_MS = 2_000
const SETTLE_MS = 240_000

/**
 * Several bridges, edges and a Cosmos of their own processes; visitors click while bridges, leaders and edges are killed
 * and stopped, ranges split and merge, and Cosmos refuses. In the end the counts of the state and of every edge must equal
 * a single pass over all stored events, and no edge was ever seen to go back.
 *
 * @throws when anything is lost, counted twice, or taken from somebody it should not have been
 */
export async function runFaults(options: FaultOptions): Promise<FaultResult> {
  const random = seededRandom(options.seed)
  let adminEndpoint = ''
  const house = await startHouse(0, undefined, async (folder) => {
    const cosmos = await forkCosmos(folder)
    ;({ adminEndpoint } = cosmos)
    return cosmos
  })
  const { cosmos, signingKey, pushKey, folder } = house
  const stop = new AbortController()
  const children = new Set<{ kill: () => Promise<unknown> }>()
  try {
    const database = new CosmosClient(cosmos).database(DATABASE)
    const edges = await Promise.all(
      Array.from({ length: options.edges }, (_, index) => KillableEdge.start(house.edgeOptions(index))),
    )
    edges.forEach((edge) => children.add(edge))
    const settings = (index: number): MemberProcessOptions => ({
      cosmos,
      edges: edges.map(({ url }) => ({ url, pushKey })),
      signingKey,
      folder: join(folder, 'bridges'),
      initial: ITEMS,
      deltaIntervalMs: 50,
      limits: { journalBytes: 50_000, deltas: 150 },
      cluster: {
        instance: `bridge-${index}-${Math.floor(random() * 1e9)}`,
        host: '127.0.0.1',
        ttlMs: TTL_MS,
        roundMs: 200,
      },
    })
    const members = await Promise.all(
      Array.from({ length: options.bridges }, (_, index) => forkMember(settings(index))),
    )
    const toll = {
      kills: 0,
      leader_kills: 0,
      stalls: 0,
      edge_kills: 0,
      splits: 0,
      merges: 0,
      throttles: 0,
      forged_refused: 0,
      looks_at_edges: 0,
    }
    const watching = Promise.all(edges.map((edge) => watch(edge, pushKey, toll, stop.signal)))
    const forging = forge(edges, pushKey, toll, stop.signal)
    watching.catch(() => stop.abort())
    forging.catch(() => stop.abort())
    const end = new AbortController()
    setTimeout(() => {
      end.abort()
    }, options.seconds * 1_000)
    const writing = writeAll(
      database.container(EVENTS_CONTAINER.id),
      { ...options, items: ITEMS },
      end.signal,
    )
    const cataloguing = writeItems(database.container(ITEMS_CONTAINER.id), ITEMS, random, end.signal)
    const replace = async (index: number) => {
      members[index] = await forkMember(settings(index))
    }
    await disturb({ members, edges, adminEndpoint, random, toll, replace }, end.signal)
    const documents = await writing
    const attributes = await cataloguing
    const settling = performance.now()
    const expected = recount(documents)
    const base = randomModel(ITEMS)
    await until(
      'edges with all counts',
      async () => {
        if (stop.signal.aborted) await Promise.all([watching, forging])
        const served = await Promise.all(
          edges.map(({ folder: at }) => servedModel(at).catch(() => undefined)),
        )
        return served.map((model) =>
          model === undefined ? 'no model' : differenceOf(model, base, expected, attributes),
        )
      },
      (found) => found.every((one) => one === undefined),
      SETTLE_MS,
      500,
    )
    const settled = performance.now() - settling
    stop.abort()
    await Promise.all([watching, forging])
    const last = await models(edges[0]?.url ?? '', pushKey)
    await Promise.all(members.map((member) => member.close()))
    const kept = await readState(join(folder, 'bridges'))
    if (kept === undefined) throw new Error('no state was kept')
    compareState(kept.model, expected)
    const events = documents.reduce((sum, document) => sum + document.events.length, 0)
    return {
      ...toll,
      documents: documents.length,
      events,
      pairs: expected.pairs.size,
      epochs: last.serving?.epoch ?? 0,
      generations: await generationOf(database.container('leases')),
      settled_s: Number((settled / 1_000).toFixed(1)),
    }
  } finally {
    stop.abort()
    await Promise.allSettled([...children].map((child) => child.kill()))
    await house.close()
  }
}

interface World {
  readonly members: MemberProcess[]
  readonly edges: readonly KillableEdge[]
  readonly adminEndpoint: string
  readonly random: () => number
  readonly toll: Record<
    'kills' | 'leader_kills' | 'stalls' | 'edge_kills' | 'splits' | 'merges' | 'throttles',
    number
  >
  readonly replace: (index: number) => Promise<void>
}

/** One thing after the other goes wrong; at the end everything runs again. */
async function disturb(world: World, signal: AbortSignal): Promise<void> {
  const { members, edges, adminEndpoint, random, toll, replace } = world
  const admin = async (method: string, path: string, body: unknown = {}): Promise<boolean> => {
    const headers = { 'content-type': 'application/json' }
    return (await fetch(`${adminEndpoint}/api/${path}`, { method, headers, body: JSON.stringify(body) })).ok
  }
  const pick = <T>(list: readonly T[]): number => Math.floor(random() * list.length)
  const leader = () => members.findIndex(({ report }) => report?.leads === true)
  const killMember = async (index: number) => {
    await members[index]?.kill()
    await pause(random() * 400)
    await replace(index)
  }
  const misfortunes = [
    async () => {
      await killMember(pick(members))
      toll.kills++
    },
    async () => {
      const index = leader()
      if (index < 0) return
      await killMember(index)
      toll.kills++
      toll.leader_kills++
    },
    async () => {
      // A process that stands still for longer than its leases live, and then goes on as if nothing had been.
      const index = random() < 0.6 && leader() >= 0 ? leader() : pick(members)
      members[index]?.child.kill('SIGSTOP')
      await pause(TTL_MS * (0.8 + random()))
      members[index]?.child.kill('SIGCONT')
      toll.stalls++
    },
    async () => {
      const edge = edges[pick(edges)]
      if (edge === undefined) return
      await edge.kill()
      await pause(random() * 1_000)
      await edge.restart()
      toll.edge_kills++
    },
    async () => {
      const container = random() < 0.8 ? 'events' : 'items'
      if (await admin('POST', `containers/${DATABASE}/${container}/split`)) toll.splits++
    },
    async () => {
      if (await admin('POST', `containers/${DATABASE}/events/merge`)) toll.merges++
    },
    async () => {
      await admin('POST', 'faults', {
        fault: { kind: 'status', status: 429, substatus: 3200, retryAfterMs: 50 },
        operations: ['change-feed', 'replace', 'query', 'create', 'read'],
        probability: 0.4,
        count: 300,
      })
      await pause(random() * 1_000)
      await admin('DELETE', 'faults')
      toll.throttles++
    },
  ]
  await pause(1_500)
  // Each at least once, in an order of its own; then whatever comes.
  const first = misfortunes.map((one) => ({ one, at: random() })).sort((a, b) => a.at - b.at)
  for (let turn = 0; !signal.aborted; turn++) {
    await (first[turn]?.one ?? misfortunes[pick(misfortunes)])?.()
    await pause(200 + random() * 600)
  }
}

/** An edge that answers never serves less than it was seen to serve before. */
async function watch(
  edge: KillableEdge,
  pushKey: string,
  toll: { looks_at_edges: number },
  signal: AbortSignal,
): Promise<void> {
  let before = { epoch: 0, delta: 0 }
  while (!signal.aborted) {
    const serving = await models(edge.url, pushKey).then(
      (answer) => answer.serving,
      () => null,
    )
    if (serving !== null) {
      toll.looks_at_edges++
      const { epoch, delta } = serving
      if (epoch < before.epoch || (epoch === before.epoch && delta < before.delta)) {
        throw new Error(`${edge.url}: served ${epoch}/${delta} after ${before.epoch}/${before.delta}`)
      }
      before = { epoch, delta }
    }
    await pause(20)
  }
}

/** Somebody with the push key but not the signing key offers epochs and deltas that would be the next. */
async function forge(
  edges: readonly KillableEdge[],
  pushKey: string,
  toll: { forged_refused: number },
  signal: AbortSignal,
): Promise<void> {
  const signer = await createSigner(await generateSigningKey())
  const headers = { authorization: `Bearer ${pushKey}`, 'content-type': 'application/jose' }
  while (!signal.aborted) {
    for (const { url } of edges) {
      const serving = await models(url, pushKey).then(
        (answer) => answer.serving,
        () => null,
      )
      if (serving === null) continue
      const jws = await signer.sign(
        new TextEncoder().encode(JSON.stringify({ format: 1, epoch: serving.epoch + 1 })),
        'attune-manifest+jws',
      )
      for (const [path, body] of [
        [`/v1/models/${serving.epoch + 1}`, jws],
        [`/v1/models/${serving.epoch}/deltas/${serving.delta + 1}`, 'unsigned bytes that are no delta'],
      ] as const) {
        const response = await fetch(url + path, { method: 'PUT', headers, body }).catch(() => undefined)
        if (response?.ok === true) throw new Error(`${url}${path}: took what nobody signed`)
        if (response !== undefined && response.status < 500) toll.forged_refused++
      }
    }
    await pause(250)
  }
}

/** To the last unit. */
function compareState(live: LiveModel, { steps, pairs }: Counts): void {
  const counted = live.counts.state().pairs
  let total = 0
  for (let at = 0; at < counted.length; at += 3) {
    const pair = `${live.ids[counted[at] ?? -1]}>${live.ids[counted[at + 1] ?? -1]}`
    if (counted[at + 2] !== (pairs.get(pair) ?? 0))
      throw new Error(`${pair}: ${counted[at + 2]} units, a recount has ${pairs.get(pair) ?? 0}`)
    if (counted[at + 2] !== 0) total++
  }
  if (total !== pairs.size) throw new Error(`${total} pairs are counted, a recount has ${pairs.size}`)
  for (const [row, id] of live.ids.entries()) {
    if (live.counts.steps(row) !== (steps.get(id) ?? 0))
      throw new Error(`${id}: ${live.counts.steps(row)} steps, a recount has ${steps.get(id) ?? 0}`)
  }
}

async function generationOf(leases: Container): Promise<number> {
  const { resource } = await leases.item('attune-leader', 'attune-leader').read<{ generation: number }>()
  return resource?.generation ?? 0
}
