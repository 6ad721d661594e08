import { Agent, request } from 'node:http'

/** POSTs JSON on kept-alive connections; far cheaper than `fetch`, which matters where load and server share two cores. */
export class JsonPoster {
  readonly #agent: Agent

  constructor(connections: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, noDelay: true })
  }

  /** @throws when the answer is not 2xx, with the problem's code */
  post<Answer>(url: string, body: unknown): Promise<Answer> {
    const text = JSON.stringify(body)
    return new Promise((resolve, reject) => {
      const call = request(
        url,
        {
          method: 'POST',
          agent: this.#agent,
          headers: { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(text) },
        },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => {
            const answer = Buffer.concat(chunks).toString('utf8')
            const status = response.statusCode ?? 0
            if (status >= 200 && status < 300) resolve(JSON.parse(answer) as Answer)
            else reject(new Error(`${new URL(url).pathname} answered ${status}: ${answer.slice(0, 500)}`))
          })
        },
      )
      call.on('error', reject)
      call.end(text)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
