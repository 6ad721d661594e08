import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sign } from '../../src/protocol/auth.ts'

/**
 * Create of 1 KB, point read, single-partition query and change-feed drain: this server, durable in a folder, beside
 * `@vercel/cosmosdb-server`, which keeps everything in memory. The same signed REST requests from one process.
 */
interface Target {
  readonly endpoint: string
  readonly key: string
  close(): void
}

const WORKERS = 8
const PARTITIONS = 50
const FILL: string = 'x'.repeat(850)
const RANGE = '0'

async function startIn(which: 'ours' | 'theirs', folder: string): Promise<Target> {
  const child = fork(join(import.meta.dirname, 'server.ts'), [which, folder], {
    execArgv: ['--no-warnings', ...process.execArgv],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const [started] = (await once(child, 'message')) as [{ endpoint: string; key: string }]
  return { ...started, close: () => child.kill('SIGKILL') }
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly text: string
}

function sender(target: Target): { send: Send; agent: Agent } {
  const agent = new Agent({ keepAlive: true, maxSockets: WORKERS })
  const { hostname, port } = new URL(target.endpoint)
  const send: Send = (method, path, headers = {}, body) => {
    const segments = path.split('/').filter((part) => part !== '')
    const even = segments.length % 2 === 0
    const type = (even ? segments.at(-2) : segments.at(-1)) ?? ''
    const link = (even ? segments : segments.slice(0, -1)).join('/')
    const date = new Date().toUTCString()
    const all = {
      authorization: sign(target.key, method, type, link, date),
      'x-ms-date': date,
      'x-ms-version': '2018-12-31',
      'content-type': 'application/json',
      ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
      ...headers,
    }
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest({ hostname, port, agent, method, path, headers: all }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
        })
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }
  return { send, agent }
}

type Send = (method: string, path: string, headers?: Record<string, string>, body?: string) => Promise<Answer>

/** Operations a second, from eight workers. */
async function measure(count: number, one: (i: number) => Promise<void>): Promise<number> {
  let next = 0
  const start = performance.now()
  await Promise.all(
    Array.from({ length: WORKERS }, async () => {
      while (next < count) await one(next++)
    }),
  )
  return Math.round((count / (performance.now() - start)) * 1000)
}

const DOCS = '/dbs/speed/colls/c/docs'
const keyOf = (i: number): string => `k${i % PARTITIONS}`
const partition = (key: string): Record<string, string> => ({
  'x-ms-documentdb-partitionkey': JSON.stringify([key]),
})

function expectStatus(answer: Answer, status: number): Answer {
  if (answer.status !== status)
    throw new Error(`expected ${status}, received ${answer.status}: ${answer.text.slice(0, 200)}`)
  return answer
}

export interface Speeds {
  readonly create_per_s: number
  readonly read_per_s: number
  readonly query_per_s: number
  readonly feed_items_per_s: number
}

async function speeds(target: Target, count: number): Promise<Speeds> {
  const { send, agent } = sender(target)
  expectStatus(await send('POST', '/dbs', {}, '{"id":"speed"}'), 201)
  const definition = { id: 'c', partitionKey: { paths: ['/pk'], kind: 'Hash', version: 2 } }
  expectStatus(await send('POST', '/dbs/speed/colls', {}, JSON.stringify(definition)), 201)
  const create = await measure(count, async (i) => {
    const item = { id: `a${i}`, pk: keyOf(i), n: i, fill: FILL }
    expectStatus(await send('POST', DOCS, partition(keyOf(i)), JSON.stringify(item)), 201)
  })
  const read = await measure(count, async (i) => {
    const answer = expectStatus(await send('GET', `${DOCS}/a${i}`, partition(keyOf(i))), 200)
    if ((JSON.parse(answer.text) as { n: number }).n !== i) throw new Error(`a${i}: wrong item`)
  })
  const query = await measure(Math.min(count, 500), async (i) => {
    const key = keyOf(i)
    const text = 'SELECT TOP 10 * FROM c WHERE c.pk = @pk ORDER BY c.n DESC'
    const body = JSON.stringify({ query: text, parameters: [{ name: '@pk', value: key }] })
    const headers = {
      ...partition(key),
      'x-ms-documentdb-isquery': 'True',
      'content-type': 'application/query+json',
    }
    const rows = (
      JSON.parse(expectStatus(await send('POST', DOCS, headers, body), 200).text) as {
        Documents: { n: number }[]
      }
    ).Documents
    const first = count - PARTITIONS + (i % PARTITIONS)
    if (rows.length !== 10 || rows[0]?.n !== first)
      throw new Error(`query ${key}: ${rows.length} rows from ${String(rows[0]?.n)}`)
  })
  const feed = await drain(send, count)
  agent.destroy()
  return { create_per_s: create, read_per_s: read, query_per_s: query, feed_items_per_s: feed }
}

/** Items a second through the change feed; a server without one that works gives its whole read feed instead. */
async function drain(send: Send, count: number): Promise<number> {
  const start = performance.now()
  let seen = 0
  let etag: string | undefined
  let continuation: string | undefined
  for (let page = 0; page < count; page++) {
    const answer = await send('GET', DOCS, {
      'a-im': 'Incremental Feed',
      'x-ms-max-item-count': '100',
      'x-ms-documentdb-partitionkeyrangeid': RANGE,
      ...(etag === undefined ? {} : { 'if-none-match': etag }),
      ...(continuation === undefined ? {} : { 'x-ms-continuation': continuation }),
    })
    if (answer.status === 304) break
    expectStatus(answer, 200)
    seen += (JSON.parse(answer.text) as { Documents: unknown[] }).Documents.length
    if (typeof answer.headers['x-ms-continuation'] === 'string')
      continuation = answer.headers['x-ms-continuation']
    else if (typeof answer.headers['etag'] === 'string') etag = answer.headers['etag']
    else break
    if (seen >= count) break
  }
  if (seen < count) throw new Error(`the feed gave ${seen} of ${count} items`)
  return Math.round((seen / (performance.now() - start)) * 1000)
}

const folder = await mkdtemp(join(tmpdir(), 'cosmos-speed-'))
const at = process.argv.indexOf('--items')
const count = at < 0 ? 2000 : Number(process.argv[at + 1])
const results: Partial<Record<'ours' | 'theirs', Speeds>> = {}
for (const which of ['theirs', 'ours'] as const) {
  process.stderr.write(`${which}: ${count} items\n`)
  const target = await startIn(which, folder)
  try {
    results[which] = await speeds(target, count)
  } finally {
    target.close()
  }
}
await rm(folder, { recursive: true })
const [ours, theirs] = [results.ours, results.theirs]
const ratio = (name: keyof Speeds): number =>
  Math.round(((ours?.[name] ?? 0) / (theirs?.[name] ?? 1)) * 10) / 10
process.stdout.write(
  `${JSON.stringify({
    items: count,
    cosmos_local_durable: ours,
    vercel_cosmosdb_server_in_memory: theirs,
    times_faster: {
      create: ratio('create_per_s'),
      read: ratio('read_per_s'),
      query: ratio('query_per_s'),
      feed: ratio('feed_items_per_s'),
    },
  })}\n`,
)
