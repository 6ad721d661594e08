import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

/** An OpenTelemetry collector that keeps what it is sent. */
export interface Collector {
  readonly url: string
  /** Bodies by signal, in order of arrival. */
  readonly bodies: Readonly<Record<'traces' | 'metrics', string[]>>
  /** Headers of the newest request. */
  readonly headers: () => Readonly<Record<string, unknown>>
  /** From now on answers with this status. */
  answer(status: number): void
  close(): Promise<void>
}

export async function startCollector(): Promise<Collector> {
  const bodies = { traces: [] as string[], metrics: [] as string[] }
  let headers: Readonly<Record<string, unknown>> = {}
  let status = 200
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const signal = /^\/v1\/(traces|metrics)$/.exec(request.url ?? '')?.[1] as
        'traces' | 'metrics' | undefined
      headers = request.headers
      if (signal !== undefined) bodies[signal].push(Buffer.concat(chunks).toString('utf8'))
      response.writeHead(signal === undefined ? 404 : status, { 'content-type': 'application/json' })
      response.end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    headers: () => headers,
    answer(next) {
      status = next
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
