import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import {
  EVENTS_CONTAINER,
  uuidv7,
  type EventsResponse,
  type RankResponse,
  type TrackedEvent,
  type VisitorResponse,
} from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import { startCosmosLocal, type CosmosLocal } from '@attune/cosmos-local'
import { startNodeEdge } from '@attune/edge/node'
import { JsonPoster } from './_http.ts'
import { startHouse } from './_loop.ts'
import { pushModel, randomModel } from './_model.ts'

const ITEMS = 500
const EVENTS_A_FLUSH = 5
const CONNECTIONS = 4
/** History read by a visitor with so many batches; {@link run} reports what it costs at each. */
const LENGTHS = [0, 1, 2, 4, 8, 16, 32]

/** One container's counts of the local Cosmos's meter. */
interface Metered {
  readonly operations: Readonly<Record<string, { requests: number; ru: number } | undefined>>
  readonly storage: { readonly items: number; readonly bytes: number }
}

/** Published charges of a write with every path indexed (session consistency), RU by KB; the same table as the meter's. */
const PUBLISHED_WRITE: readonly (readonly [kb: number, ru: number])[] = [
  [1, 4.95],
  [2, 6.29],
  [4, 6.67],
]

/**
 * `npm run bench -- ru [--visitors 50] [--flushes 8]`: what clicks and lists cost in Cosmos, by the meter of the local
 * server. Visitors look at lists and send what they did five events at a time, as the client does: a click on a card of
 * the list before, the product's view, three impressions of the next list. After each flush they ask for a list.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: { visitors: { type: 'string', default: '50' }, flushes: { type: 'string', default: '8' } },
  })
  const visitors = Number(values.visitors)
  const flushes = Number(values.flushes)
  let started: CosmosLocal | undefined
  const house = await startHouse(1, startNodeEdge, async (folder) => {
    started = await startCosmosLocal({ port: 0, folder })
    return started
  })
  const poster = new JsonPoster(CONNECTIONS)
  try {
    const meter = new Meter(started?.adminEndpoint ?? '')
    const url = house.edges[0]?.url ?? ''
    await pushModel(url, house, randomModel(ITEMS))
    const walk = new Walk(url, house.siteKey, poster)

    await meter.reset()
    const played = await walk.play(visitors, flushes)
    const metered = await meter.read()
    const writes = expectRequests(metered, 'create', played.flushes)
    const reads = expectRequests(metered, 'query', played.ranks)

    await meter.reset()
    const recent = await walk.rankRecent(played.handles)
    const idle = await meter.read()
    const rankedRecent = Object.values(idle.operations).reduce((sum, one) => sum + (one?.ru ?? 0), 0)

    const bytes = metered.storage.bytes / metered.storage.items
    const events = played.flushes * EVENTS_A_FLUSH
    return {
      bench: 'ru',
      per_1000_events: round((writes.ru / events) * 1_000),
      per_1000_ranks: round((reads.ru / played.ranks) * 1_000),
      per_1000_ranks_recent: round((rankedRecent / recent) * 1_000),
      visitors,
      flushes_a_visitor: flushes,
      events_a_flush: EVENTS_A_FLUSH,
      bytes_a_batch: Math.round(bytes),
      per_1000_events_published: round((publishedWrite(bytes) / EVENTS_A_FLUSH) * 1_000),
      rows: await byLength(walk, meter),
      published:
        'per_1000_events_published: a write of that size with every path indexed, from the published table; an upper bound',
      modelled:
        'per_1000_events: the same table less what unindexed paths save; per_1000_ranks and rows: charges of queries are not published',
    }
  } finally {
    poster.close()
    await house.close()
  }
}

/** RU of one list by how many batches its visitor has. */
async function byLength(walk: Walk, meter: Meter): Promise<{ batches: number; rank_ru: number }[]> {
  const rows: { batches: number; rank_ru: number }[] = []
  for (const batches of LENGTHS) {
    const visitor = await walk.visitor()
    for (let flush = 0; flush < batches; flush++) await walk.flush(visitor)
    await meter.reset()
    const { diagnostics } = await walk.rank(visitor)
    const metered = expectRequests(await meter.read(), 'query', 1)
    if (diagnostics?.ru !== round(metered.ru))
      throw new Error(`the edge says ${String(diagnostics?.ru)} RU, the meter ${metered.ru}`)
    rows.push({ batches, rank_ru: round(metered.ru) })
  }
  return rows
}

interface Visiting {
  readonly handle: string
  session: string | undefined
  list: readonly string[]
  decision: string | undefined
}

/** Visitors as their pages would speak for them. */
class Walk {
  readonly #url: string
  readonly #siteKey: string
  readonly #poster: JsonPoster
  readonly #random = seededRandom(11)

  constructor(url: string, siteKey: string, poster: JsonPoster) {
    this.#url = url
    this.#siteKey = siteKey
    this.#poster = poster
  }

  async play(
    visitors: number,
    flushes: number,
  ): Promise<{ flushes: number; ranks: number; handles: Visiting[] }> {
    const handles: Visiting[] = []
    for (let count = 0; count < visitors; count++) {
      const visitor = await this.visitor()
      handles.push(visitor)
      for (let flush = 0; flush < flushes; flush++) {
        await this.flush(visitor)
        await this.rank(visitor)
      }
    }
    return { flushes: visitors * flushes, ranks: visitors * flushes, handles }
  }

  async visitor(): Promise<Visiting> {
    const { visitor } = await this.#post<VisitorResponse>('visitors', {})
    return { handle: visitor, session: undefined, list: [], decision: undefined }
  }

  async flush(visitor: Visiting): Promise<void> {
    const answer = await this.#post<EventsResponse>('events', {
      batch: uuidv7(Date.now(), Math.random),
      visitor: visitor.handle,
      ...(visitor.session !== undefined && { session: visitor.session }),
      events: this.#events(visitor),
    })
    if (answer.accepted !== EVENTS_A_FLUSH) throw new Error(`accepted ${answer.accepted} events of a flush`)
    visitor.session = answer.session
  }

  async rank(visitor: Visiting): Promise<RankResponse> {
    const answer = await this.#post<RankResponse>('rank', {
      slot: 'for-you',
      visitor: visitor.handle,
      ...(visitor.session !== undefined && { session: visitor.session }),
    })
    if (!answer.fresh || answer.items.length !== 20)
      throw new Error(`a list of ${answer.items.length}, fresh: ${answer.fresh}`)
    visitor.list = answer.items.map(({ id }) => id)
    visitor.decision = answer.decision
    visitor.session = answer.session ?? visitor.session
    return answer
  }

  /** Lists of pages that send what they know instead of having it read. */
  async rankRecent(visitors: readonly Visiting[]): Promise<number> {
    for (const visitor of visitors) {
      const answer = await this.#post<RankResponse>('rank', {
        slot: 'for-you',
        visitor: visitor.handle,
        ...(visitor.session !== undefined && { session: visitor.session }),
        recent: this.#events(visitor),
        history: 'recent',
      })
      if (answer.items.length !== 20) throw new Error(`a list of ${answer.items.length}`)
    }
    return visitors.length
  }

  #events({ list, decision }: Visiting): TrackedEvent[] {
    const now = Date.now()
    const place = Math.floor(this.#random() * 20)
    const item = list[place] ?? `item-${Math.floor(this.#random() * ITEMS)}`
    const from = { slot: 'for-you', ...(decision !== undefined && { decision }) }
    const event = (kind: TrackedEvent['kind'], of: string, back: number): TrackedEvent => ({
      id: randomUUID(),
      kind,
      item: of,
      at: now - back * 1_000,
    })
    return [
      { ...event('click', item, 4), ...from, position: place },
      event('view', item, 3),
      ...[0, 1, 2].map((position) => ({
        ...event('impression', list[position] ?? `item-${position}`, 2 - position / 2),
        ...from,
        position,
      })),
    ]
  }

  #post<Answer>(path: string, body: unknown): Promise<Answer> {
    return this.#poster.post<Answer>(`${this.#url}/v1/${path}?key=${this.#siteKey}`, body)
  }
}

/** The local Cosmos's meter, over its admin API. */
class Meter {
  readonly #url: string

  constructor(adminEndpoint: string) {
    this.#url = `${adminEndpoint}/api/meter`
  }

  async reset(): Promise<void> {
    await fetch(this.#url, { method: 'DELETE' })
  }

  async read(): Promise<Metered> {
    const response = await fetch(this.#url)
    const all = (await response.json()) as (Metered & { container: string })[]
    const events = all.find(({ container }) => container === EVENTS_CONTAINER.id)
    if (events === undefined) throw new Error(`the meter does not know ${EVENTS_CONTAINER.id}`)
    return events
  }
}

/** One call each and no other: what is charged is what was asked for. */
function expectRequests(
  { operations }: Metered,
  operation: string,
  requests: number,
): { requests: number; ru: number } {
  const counted = operations[operation]
  if (counted?.requests !== requests)
    throw new Error(`${operation}: expected ${requests} requests, the meter has ${counted?.requests ?? 0}`)
  return counted
}

/** Straight lines between the published sizes. */
function publishedWrite(bytes: number): number {
  const kb = bytes / 1_024
  for (let index = 1; index < PUBLISHED_WRITE.length; index++) {
    const [low, lowRu] = PUBLISHED_WRITE[index - 1] ?? [1, 4.95]
    const [high, highRu] = PUBLISHED_WRITE[index] ?? [4, 6.67]
    if (kb <= high) return lowRu + (Math.max(0, kb - low) / (high - low)) * (highRu - lowRu)
  }
  throw new Error(`a batch of ${bytes} bytes is larger than five events are`)
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
