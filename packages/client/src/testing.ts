import type { EventsRequest, RankRequest, RankResponse, TrackedEvent } from '@attune/core'
import { createClient, type Client, type ClientOptions } from './client.ts'
import { createMemoryStore } from './store/memory.ts'

/** An edge in a function, for the tests of an app: keeps what it is sent, answers lists, fails when told to. */
export interface FakeEdge {
  /** To be given to a client as its `fetch`. */
  readonly fetch: typeof fetch
  /** Stored batches, each once, in the order in which they came. */
  readonly batches: readonly EventsRequest[]
  /** Events of these batches. */
  readonly events: readonly TrackedEvent[]
  readonly ranks: readonly RankRequest[]
  /** Answers lists. Default: the candidates as they were given, or items called `item-1`, `item-2`, … */
  rank: (request: RankRequest) => RankResponse | Promise<RankResponse>
  /** While set, every request is answered so; 0: there is no network. */
  status: number | undefined
}

/** A list in the order given, as an edge would answer it. */
export function listOf(ids: readonly string[], request: RankRequest): RankResponse {
  return {
    decision: '01900000-0000-7000-8000-000000000001',
    slot: request.slot,
    strategy: request.strategy ?? 'for-you',
    epoch: 1,
    delta: 0,
    fresh: true,
    items: ids.slice(0, request.k ?? 20).map((id, index) => ({ id, score: 1 - index / 1_000 })),
  }
}

export function createFakeEdge(): FakeEdge {
  const batches: EventsRequest[] = []
  const ranks: RankRequest[] = []
  const edge: FakeEdge = {
    batches,
    ranks,
    status: undefined,
    get events() {
      return batches.flatMap((batch) => batch.events)
    },
    rank: (request) =>
      listOf(request.candidates ?? Array.from({ length: 20 }, (_, index) => `item-${index + 1}`), request),
    async fetch(input, init) {
      const url = new URL(input instanceof Request ? input.url : input, 'http://edge.test')
      const { status } = edge
      if (status === 0) throw new TypeError('no network')
      if (status !== undefined) return Response.json({ code: 'STAGED' }, { status })
      const body = JSON.parse(String(init?.body)) as unknown
      if (url.pathname.endsWith('/v1/visitors'))
        return Response.json({ visitor: 'visitor.signed' }, { status: 201 })
      if (url.pathname.endsWith('/v1/rank')) {
        ranks.push(body as RankRequest)
        return Response.json(await edge.rank(body as RankRequest))
      }
      const batch = body as EventsRequest
      const duplicate = batches.some((stored) => stored.batch === batch.batch)
      if (!duplicate) batches.push(batch)
      return Response.json(
        {
          batch: batch.batch,
          accepted: batch.events.length,
          rejected: [],
          duplicate,
          session: `0:-1#${batches.length}`,
        },
        { status: 202 },
      )
    },
  }
  return edge
}

/** A client that keeps everything in memory and talks to a fake edge. `await client.flush()`, then look at `edge`. */
export function createTestClient(options: Partial<ClientOptions> = {}): {
  readonly client: Client
  readonly edge: FakeEdge
} {
  const edge = createFakeEdge()
  const client = createClient({
    endpoint: 'http://edge.test',
    site: 'test',
    store: createMemoryStore(),
    fetch: edge.fetch,
    ...options,
  })
  return { client, edge }
}
