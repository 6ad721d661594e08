import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { EventsRequest, RankRequest, RankResponse, TrackedEvent } from '@attune/core'

export interface Reply {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

/** What to do with a request: answer this instead; break the connection before or after handling it. */
export type Fault = Reply | 'cut-before' | 'cut-after' | undefined

/** A small server that keeps the wire protocol (docs/wire-protocol.md): batches in memory, created once by id. */
export interface WireServer {
  readonly origin: string
  /** The same server by another name: another origin for the browser. */
  readonly endpoint: string
  /** Stored batches in the order in which they were created. */
  readonly stored: EventsRequest[]
  /** Every events request received, retries included. */
  readonly attempts: EventsRequest[]
  readonly ranks: RankRequest[]
  readonly methods: string[]
  visitors: number
  /** HTML and other files by path. */
  readonly files: Map<string, { readonly type: string; readonly text: string }>
  fault: (path: string, request: IncomingMessage) => Fault | Promise<Fault>
  rank: (request: RankRequest) => RankResponse | Promise<RankResponse>
  events(): TrackedEvent[]
  reset(): void
  close(): Promise<void>
}

export async function startWireServer(): Promise<WireServer> {
  let version = 0
  const server = createServer((request, response) => {
    void handle(request, response).catch((error: unknown) => {
      response.statusCode = 500
      response.end(String(error))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const wire: WireServer = {
    origin: `http://127.0.0.1:${port}`,
    endpoint: `http://localhost:${port}`,
    stored: [],
    attempts: [],
    ranks: [],
    methods: [],
    visitors: 0,
    files: new Map(),
    fault: () => undefined,
    rank: ranked,
    events: () => wire.stored.flatMap((batch) => batch.events),
    reset() {
      for (const list of [wire.stored, wire.attempts, wire.ranks, wire.methods]) list.length = 0
      wire.visitors = 0
      version = 0
      wire.fault = () => undefined
      wire.rank = ranked
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return wire

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', wire.origin)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString('utf8')
    const send = ({ status, body, headers = {} }: Reply): void => {
      response.writeHead(status, {
        'content-type': 'application/json',
        'access-control-allow-origin': '*',
        'access-control-expose-headers': 'retry-after',
        ...headers,
      })
      response.end(body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body))
    }
    const file = wire.files.get(url.pathname)
    if (file !== undefined || !url.pathname.startsWith('/v1/')) {
      send(
        file === undefined
          ? { status: 404 }
          : { status: 200, body: file.text, headers: { 'content-type': `${file.type}; charset=utf-8` } },
      )
      return
    }
    wire.methods.push(`${request.method} ${url.pathname}`)
    if (url.pathname === '/v1/events' && text !== '') wire.attempts.push(JSON.parse(text) as EventsRequest)
    const fault = await wire.fault(url.pathname, request)
    if (fault === 'cut-before') return void request.socket.destroy()
    if (fault !== undefined && fault !== 'cut-after') return send(fault)
    const reply = await answer(request, url, text)
    if (fault === 'cut-after') request.socket.destroy()
    else send(reply)
  }

  async function answer(request: IncomingMessage, url: URL, text: string): Promise<Reply> {
    if (url.searchParams.get('key') !== 'public-key') return { status: 401, body: { code: 'KEY_UNKNOWN' } }
    if (request.method !== 'POST') return { status: 405 }
    const body = JSON.parse(text) as unknown
    if (url.pathname === '/v1/visitors')
      return { status: 201, body: { visitor: `visitor-${++wire.visitors}.signed` } }
    if (url.pathname === '/v1/events') {
      const batch = body as EventsRequest
      const duplicate = wire.stored.some((stored) => stored.batch === batch.batch)
      if (!duplicate) wire.stored.push(batch)
      version++
      return {
        status: 202,
        body: {
          batch: batch.batch,
          accepted: batch.events.length,
          rejected: [],
          duplicate,
          session: `0:-1#${version}`,
          diagnostics: { cosmosMs: 1.5, ru: 6.29 },
        },
      }
    }
    if (url.pathname === '/v1/rank') {
      wire.ranks.push(body as RankRequest)
      return { status: 200, body: await wire.rank(body as RankRequest) }
    }
    return { status: 404, body: { code: 'ROUTE_UNKNOWN' } }
  }
}

/** Candidates backwards, or ten items called `sku-0` … `sku-9`. */
export function ranked(request: RankRequest): RankResponse {
  const ids = request.candidates?.toReversed() ?? Array.from({ length: 10 }, (_, index) => `sku-${index}`)
  return {
    decision: '01900000-0000-7000-8000-000000000001',
    slot: request.slot,
    strategy: request.strategy ?? 'for-you',
    epoch: 1,
    delta: 2,
    fresh: true,
    ...(request.session !== undefined && { session: request.session }),
    items: ids.slice(0, request.k ?? 20).map((id, index) => ({ id, score: 1 - index / 100 })),
  }
}
