import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Bridge } from '../bridge.ts'
import { ChangeFeedError } from '../change-feed/error.ts'
import { BridgeError, sentence } from '../error.ts'
import {
  isSigned,
  MAX_REQUEST_BYTES,
  PAGES_PATH,
  PLACE_PATH,
  SIGNATURE_HEADER,
  toPlaceAnswer,
  type PageRequest,
  type PlaceRequest,
} from './wire.ts'

export interface FeedServer {
  readonly port: number
  close(): Promise<void>
}

export interface FeedServerOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly key: Buffer
  /** The bridge of this instance, while it leads. */
  readonly bridge: () => Bridge | undefined
}

/** Takes pages in for the bridge of this instance. Answers 503 while it does not lead. */
export async function startFeedServer(options: FeedServerOptions): Promise<FeedServer> {
  const server = createServer((request, response) => {
    void answer(options, request, response)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => resolve())
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(
  { key, bridge }: FeedServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const reply = (status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  try {
    const path = request.url ?? ''
    const body = await bodyOf(request)
    if (body === undefined) return reply(413, { code: 'BODY_TOO_LARGE' })
    const signature = request.headers[SIGNATURE_HEADER]
    if (!isSigned(key, path, body, typeof signature === 'string' ? signature : undefined)) {
      return reply(401, { code: 'SIGNATURE_INVALID' })
    }
    const leading = bridge()
    if (leading === undefined) return reply(503, { code: 'LEADER_UNKNOWN' })
    if (path === PLACE_PATH) {
      const { feed, range } = JSON.parse(body) as PlaceRequest
      return reply(200, toPlaceAnswer(leading.place(feed, range)))
    }
    if (path !== PAGES_PATH) return reply(404, { code: 'ROUTE_UNKNOWN' })
    const { page, previous } = JSON.parse(body) as PageRequest
    await leading.offer(page, previous)
    return reply(200, {})
  } catch (error) {
    const code = error instanceof BridgeError || error instanceof ChangeFeedError ? error.code : 'INTERNAL'
    reply(STATUS[code] ?? 500, { code, detail: sentence(error) })
  }
}

const STATUS: Readonly<Record<string, number>> = {
  FEED_CONFLICT: 409,
  CONTINUATION_MALFORMED: 400,
  FEED_CLOSED: 503,
  LEADERSHIP_LOST: 503,
}

/** undefined: too large */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > MAX_REQUEST_BYTES) return undefined
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}
