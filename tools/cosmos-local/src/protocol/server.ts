import { randomUUID } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Account } from '../engine/account.ts'
import type { Region } from '../engine/replication.ts'
import { codeOf, ProtocolError } from '../errors.ts'
import { authorize } from './auth.ts'
import { permit, principalOf, tokenIn, type Entra } from './entra.ts'
import type { Exchange, Reply } from './exchange.ts'
import { CHARGE, RANGE_ID } from './exchange.ts'
import { route, type Operation } from './route.ts'

/** What a fault does to a request: answers in its place, holds it back, or breaks its connection. */
export type Fault =
  | { readonly kind: 'answer'; readonly error: ProtocolError }
  | { readonly kind: 'delay'; readonly ms: number }
  /** The connection ends without an answer; `after`: once the work is done. */
  | { readonly kind: 'drop'; readonly after: boolean }
  /** Nothing more is heard. */
  | { readonly kind: 'stall' }

export interface Hooks {
  /** Asked before each request about items is carried out. */
  readonly before: (exchange: Exchange, operation: Operation) => Fault | undefined
  /** Told after each request. */
  readonly after: (
    exchange: Exchange,
    operation: Operation,
    status: number,
    charge: number,
    range: string | undefined,
  ) => void
}

export interface ServerOptions {
  readonly account: Account
  readonly region: Region
  readonly key: Buffer
  /** Who may come with a token instead; absent: nobody. */
  readonly entra?: Entra
  readonly scheme: 'http' | 'https'
  readonly hooks: Hooks
}

const MAX_BODY_BYTES = 5 * 1024 * 1024
const NO_BODY: Buffer = Buffer.alloc(0)

export function requestListener(options: ServerOptions): RequestListener {
  return (request, response) => {
    const { headers } = request
    if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) {
      // Nothing comes after the headers, so there is no end to wait for.
      serve(options, request, response, NO_BODY, false)
      return
    }
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= MAX_BODY_BYTES) chunks.push(chunk)
    })
    request.on('end', () => {
      const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
      serve(options, request, response, body, size > MAX_BODY_BYTES)
    })
  }
}

function exchangeOf(options: ServerOptions, request: IncomingMessage, body: Buffer): Exchange {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
  const header = (name: string): string | undefined => {
    const value = request.headers[name]
    return Array.isArray(value) ? value.join(',') : value
  }
  const host = (request.headers.host ?? '127.0.0.1').replace(/:\d+$/, '')
  return {
    account: options.account,
    region: options.region,
    method: request.method ?? 'GET',
    segments: segmentsOf(path),
    path,
    body,
    origin: { scheme: options.scheme, host },
    header,
    flag: (name) => header(name)?.toLowerCase() === 'true',
  }
}

function segmentsOf(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '')
  if (!path.includes('%')) return parts
  try {
    return parts.map(decodeURIComponent)
  } catch {
    throw new ProtocolError(400, 'The request path is not well encoded.')
  }
}

function serve(
  options: ServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  tooLarge: boolean,
): void {
  let exchange: Exchange | undefined
  let operation: Operation = 'account'
  try {
    exchange = exchangeOf(options, request, body)
    if (tooLarge) throw new ProtocolError(413, 'Request size is too large')
    if (options.region.down)
      throw new ProtocolError(503, 'The service is currently unavailable. Please retry.')
    const token = tokenIn(exchange.header('authorization'))
    const principal =
      token === undefined ? undefined : principalOf(options.entra, token, options.account.nowMs())
    if (principal === undefined) {
      authorize(
        options.key,
        {
          method: exchange.method,
          path: exchange.path,
          segments: exchange.segments,
          authorization: exchange.header('authorization'),
          date: exchange.header('x-ms-date') ?? exchange.header('date'),
        },
        options.account.nowMs(),
      )
    }
    const found = route(exchange)
    operation = found.operation
    if (principal !== undefined)
      permit(options.entra, principal, operation, exchange.method, exchange.segments[3])
    const fault = options.hooks.before(exchange, operation)
    if (fault !== undefined) {
      faulty(options, exchange, operation, fault, response, () => found.handle(exchange as Exchange))
      return
    }
    answer(options, exchange, operation, response, found.handle(exchange))
  } catch (error) {
    refuse(options, exchange, operation, response, error)
  }
}

function faulty(
  options: ServerOptions,
  exchange: Exchange,
  operation: Operation,
  fault: Fault,
  response: ServerResponse,
  handle: () => Reply,
): void {
  switch (fault.kind) {
    case 'answer':
      throw fault.error
    case 'stall':
      return
    case 'drop':
      try {
        if (fault.after) handle()
      } finally {
        response.socket?.destroy()
      }
      return
    case 'delay':
      setTimeout(() => {
        try {
          answer(options, exchange, operation, response, handle())
        } catch (error) {
          refuse(options, exchange, operation, response, error)
        }
      }, fault.ms).unref()
  }
}

function answer(
  options: ServerOptions,
  exchange: Exchange,
  operation: Operation,
  response: ServerResponse,
  reply: Reply,
): void {
  const charge = Number(reply.headers?.[CHARGE] ?? 0)
  const range = reply.headers?.[RANGE_ID]
  options.hooks.after(
    exchange,
    operation,
    reply.status,
    charge,
    range === undefined ? undefined : String(range),
  )
  if (reply.waitMs !== undefined && reply.waitMs > 0) {
    setTimeout(() => send(exchange, response, reply.status, reply.headers ?? {}, reply.body), reply.waitMs)
    return
  }
  send(exchange, response, reply.status, reply.headers ?? {}, reply.body)
}

function refuse(
  options: ServerOptions,
  exchange: Exchange | undefined,
  operation: Operation,
  response: ServerResponse,
  error: unknown,
): void {
  const known = asProtocolError(error)
  const activity = randomUUID()
  const message = known.plain
    ? `Message: ${known.message}\r\nActivityId: ${activity}, Microsoft.Azure.Documents.Common/2.14.0`
    : `Message: {"Errors":[${JSON.stringify(known.message)}]}\r\nActivityId: ${activity}, Request URI: ${exchange?.path ?? ''}, RequestStats: , SDK: Microsoft.Azure.Documents.Common/2.14.0`
  const headers: Record<string, string | number> = {
    [CHARGE]: 1,
    ...known.headers,
    'x-ms-activity-id': activity,
  }
  if (known.substatus !== 0) headers['x-ms-substatus'] = known.substatus
  if (exchange !== undefined)
    options.hooks.after(exchange, operation, known.status, Number(headers[CHARGE]), undefined)
  send(
    exchange,
    response,
    known.status,
    headers,
    JSON.stringify({ code: codeOf(known.status), message, ...known.extra }),
  )
}

function asProtocolError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error
  // Deeper than the stack: no request that Azure would take either (it stops at 128 levels).
  if (error instanceof RangeError) return new ProtocolError(400, 'The request is nested too deeply.')
  return new ProtocolError(500, error instanceof Error ? error.message : String(error))
}

const activityPrefix = randomUUID().slice(0, 23)
let activities = 0

/** Ids of requests need to differ, not to be hard to guess. */
function activityId(): string {
  activities = (activities + 1) % 0xffff_ffff_ffff
  return `${activityPrefix}-${activities.toString(16).padStart(12, '0')}`
}

const FIXED_HEADERS: readonly string[] = [
  'x-ms-gatewayversion',
  '2.0.0',
  'x-ms-serviceversion',
  'version=2.14.0.0',
  'x-ms-schemaversion',
  '1.19',
  'cache-control',
  'no-store, no-cache',
]

function send(
  exchange: Exchange | undefined,
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string | number>>,
  body: string | undefined,
): void {
  // A flat list: what Node writes out with the least work.
  const all: (string | number)[] = [...FIXED_HEADERS]
  if (headers['x-ms-activity-id'] === undefined) all.push('x-ms-activity-id', activityId())
  for (const name in headers) all.push(name, headers[name] ?? '')
  if (status === 204 || status === 304 || body === undefined) {
    response.writeHead(status, all)
    response.end()
    return
  }
  all.push('content-type', 'application/json', 'content-length', Buffer.byteLength(body))
  response.writeHead(status, all)
  response.end(exchange?.method === 'HEAD' ? undefined : body)
}
