import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { codeOf, ProtocolError } from '../errors.ts'
import { parseJson } from '../json.ts'
import { adminApi, type Admin } from './api.ts'
import { PAGE } from './page.ts'

const MAX_BODY_BYTES = 1024 * 1024
const OWN_HOSTS: readonly string[] = ['127.0.0.1', 'localhost', '[::1]']

/**
 * Data explorer, faults, regions and meter. It asks for no key, so it answers only to this machine's own names (no
 * page of another site can reach it through a name of its own) and takes changes only as JSON (which browsers do
 * not send across sites unasked).
 */
export function adminListener(admin: Admin): RequestListener {
  return (request, response) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= MAX_BODY_BYTES) chunks.push(chunk)
    })
    request.on('end', () => {
      try {
        serve(admin, request, response, Buffer.concat(chunks).toString('utf8'))
      } catch (error) {
        const status = error instanceof ProtocolError ? error.status : error instanceof RangeError ? 400 : 500
        const message = error instanceof Error ? error.message : String(error)
        json(response, status, { code: codeOf(status), message })
      }
    })
  }
}

function serve(admin: Admin, request: IncomingMessage, response: ServerResponse, text: string): void {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '')
  if (!OWN_HOSTS.includes(host))
    throw new ProtocolError(403, `The admin server does not answer to the name ${host}.`)
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  const [first, ...path] = url.pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent)
  const method = request.method ?? 'GET'
  if (first === undefined && method === 'GET') {
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'",
    })
    response.end(PAGE)
    return
  }
  const jsonSent = (request.headers['content-type'] ?? '').startsWith('application/json')
  if (method === 'POST' && !jsonSent) throw new ProtocolError(415, 'Changes are sent as application/json.')
  if (
    method !== 'GET' &&
    method !== 'POST' &&
    request.headers.origin !== undefined &&
    request.headers.origin !== `http://${request.headers.host ?? ''}`
  ) {
    throw new ProtocolError(403, 'Changes come from the page of this server only.')
  }
  const result =
    first === 'api' ? adminApi(admin, method, path, url.searchParams, parseJson(text) ?? null) : undefined
  if (result === undefined) throw new ProtocolError(404, `${method} ${url.pathname} is not known here.`)
  json(response, 200, result)
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  })
  response.end(JSON.stringify(body))
}
