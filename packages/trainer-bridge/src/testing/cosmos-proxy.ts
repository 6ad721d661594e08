import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An account behind a line that can be cut. */
export interface CosmosProxy {
  readonly url: string
  down: boolean
  close(): Promise<void>
}

/** Hands requests on, or cuts them off while down. */
export async function startProxy(target: string): Promise<CosmosProxy> {
  const state = { down: false }
  const server: Server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      if (state.down) {
        response.destroy()
        return
      }
      const { host: _host, connection: _connection, ...headers } = request.headers
      const answer = await fetch(target + (request.url ?? ''), {
        method: request.method ?? 'GET',
        headers: headers as Record<string, string>,
        ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
      })
      response
        .writeHead(answer.status, Object.fromEntries(answer.headers))
        .end(Buffer.from(await answer.arrayBuffer()))
    })().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get down() {
      return state.down
    },
    set down(value) {
      state.down = value
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
