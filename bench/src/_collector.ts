import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

// A plain collector as analytics services have one: takes a body, keeps it, says yes. What was answered is on disk.

export interface CollectorOptions {
  readonly port: number
  /** Where it appends, a line a request. */
  readonly file: string
}

export async function startCollector({
  port,
  file,
}: CollectorOptions): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const { method, url = '' } = request
      if (method === 'POST') appendFileSync(file, `${JSON.stringify([url, body.toString('base64')])}\n`)
      const [status, answer] = answerTo(method === 'POST' ? url : '', body)
      response.writeHead(status, {
        'content-type': 'application/json',
        'access-control-allow-origin': request.headers.origin ?? '*',
        'access-control-allow-credentials': 'true',
        'access-control-allow-headers': request.headers['access-control-request-headers'] ?? '*',
      })
      response.end(JSON.stringify(answer))
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${taken}`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Says yes, in our own client's words too. */
function answerTo(url: string, body: Buffer): [status: number, answer: object] {
  if (url.startsWith('/v1/visitors')) return [201, { visitor: 'visitor.bench' }]
  if (!url.startsWith('/v1/events')) return [200, { status: 1 }]
  const { batch, events } = JSON.parse(body.toString('utf8')) as { batch: string; events: unknown[] }
  return [202, { batch, accepted: events.length, rejected: [], duplicate: false, session: '0:-1#1' }]
}

/** How often each text that `pattern` finds came to paths that begin with `path`; bodies plain, compressed or in a form. */
export function collected(file: string, path: string, pattern: RegExp): Map<string, number> {
  const counts = new Map<string, number>()
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
  for (const line of lines) {
    const [url, body] = JSON.parse(line) as [string, string]
    if (!url.startsWith(path)) continue
    for (const [found] of readable(Buffer.from(body, 'base64')).matchAll(pattern))
      counts.set(found, (counts.get(found) ?? 0) + 1)
  }
  return counts
}

function readable(body: Buffer): string {
  if (body[0] === 0x1f && body[1] === 0x8b) return gunzipSync(body).toString('utf8')
  const text = body.toString('utf8')
  const data = new URLSearchParams(text).get('data')
  return data === null ? text : Buffer.from(data, 'base64').toString('utf8')
}
