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
  /** CPU that the server has used, in µs. */
  cpu(): Promise<number>
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
  const cpu = async (): Promise<number> => {
    child.send('cpu')
    const [used] = (await once(child, 'message')) as [{ cpu: { user: number; system: number } }]
    return used.cpu.user + used.cpu.system
  }
  return { ...started, cpu, close: () => child.kill('SIGKILL') }
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

/** What one kind of operation took: time on the clock, and CPU of the server, which a busy machine does not change. */
interface Taken {
  operations: number
  ms: number
  cpu: number
}

/** Runs `count` operations from eight workers. */
async function measure(
  target: Target,
  taken: Taken,
  from: number,
  count: number,
  one: (i: number) => Promise<void>,
): Promise<void> {
  let next = from
  const cpu = await target.cpu()
  const start = performance.now()
  await Promise.all(
    Array.from({ length: WORKERS }, async () => {
      while (next < from + count) await one(next++)
    }),
  )
  taken.ms += performance.now() - start
  taken.cpu += (await target.cpu()) - cpu
  taken.operations += count
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

const KINDS = ['create', 'read', 'query', 'feed'] as const
type Kind = (typeof KINDS)[number]

/** One server with its client, doing the same work as the other in turns. */
class Runner {
  readonly taken: Record<Kind, Taken>
  readonly #target: Target
  readonly #send: Send
  readonly #agent: Agent

  constructor(target: Target) {
    const { send, agent } = sender(target)
    this.#target = target
    this.#send = send
    this.#agent = agent
    const none = (): Taken => ({ operations: 0, ms: 0, cpu: 0 })
    this.taken = { create: none(), read: none(), query: none(), feed: none() }
  }

  async prepare(): Promise<void> {
    expectStatus(await this.#send('POST', '/dbs', {}, '{"id":"speed"}'), 201)
    const definition = { id: 'c', partitionKey: { paths: ['/pk'], kind: 'Hash', version: 2 } }
    expectStatus(await this.#send('POST', '/dbs/speed/colls', {}, JSON.stringify(definition)), 201)
  }

  create(from: number, count: number): Promise<void> {
    return measure(this.#target, this.taken.create, from, count, async (i) => {
      const item = { id: `a${i}`, pk: keyOf(i), n: i, fill: FILL }
      expectStatus(await this.#send('POST', DOCS, partition(keyOf(i)), JSON.stringify(item)), 201)
    })
  }

  read(from: number, count: number): Promise<void> {
    return measure(this.#target, this.taken.read, from, count, async (i) => {
      const answer = expectStatus(await this.#send('GET', `${DOCS}/a${i}`, partition(keyOf(i))), 200)
      if ((JSON.parse(answer.text) as { n: number }).n !== i) throw new Error(`a${i}: wrong item`)
    })
  }

  /** The ten newest of a partition, among `stored` items. */
  query(count: number, stored: number): Promise<void> {
    return measure(this.#target, this.taken.query, 0, count, async (i) => {
      const key = keyOf(i)
      const query = 'SELECT TOP 10 * FROM c WHERE c.pk = @pk ORDER BY c.n DESC'
      const body = JSON.stringify({ query, parameters: [{ name: '@pk', value: key }] })
      const headers = {
        ...partition(key),
        'x-ms-documentdb-isquery': 'True',
        'content-type': 'application/query+json',
      }
      const answer = expectStatus(await this.#send('POST', DOCS, headers, body), 200)
      const rows = (JSON.parse(answer.text) as { Documents: { n: number }[] }).Documents
      const first = stored - PARTITIONS + (i % PARTITIONS)
      if (rows.length !== 10 || rows[0]?.n !== first)
        throw new Error(`query ${key}: ${rows.length} rows from ${String(rows[0]?.n)}`)
    })
  }

  async feed(count: number): Promise<void> {
    const cpu = await this.#target.cpu()
    const start = performance.now()
    await drain(this.#send, count)
    this.taken.feed.ms += performance.now() - start
    this.taken.feed.cpu += (await this.#target.cpu()) - cpu
    this.taken.feed.operations += count
  }

  close(): void {
    this.#agent.destroy()
    this.#target.close()
  }
}

/** The change feed to its end; every item must be in it. */
async function drain(send: Send, count: number): Promise<void> {
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
}

const TURNS = 8
/** Enough that what a server takes to warm up is a small part of it. */
const DEFAULT_ITEMS = 4000
const at = process.argv.indexOf('--items')
const count = Math.ceil((at < 0 ? DEFAULT_ITEMS : Number(process.argv[at + 1])) / TURNS) * TURNS
const folder = await mkdtemp(join(tmpdir(), 'cosmos-speed-'))
const theirs = new Runner(await startIn('theirs', folder))
const ours = new Runner(await startIn('ours', folder))
try {
  const both = [theirs, ours]
  for (const runner of both) await runner.prepare()
  const part = count / TURNS
  // In turns, so that whatever else the machine does meets both alike.
  for (let turn = 0; turn < TURNS; turn++) for (const runner of both) await runner.create(turn * part, part)
  for (let turn = 0; turn < TURNS; turn++) for (const runner of both) await runner.read(turn * part, part)
  for (let turn = 0; turn < TURNS; turn++) for (const runner of both) await runner.query(25, count)
  for (let turn = 0; turn < TURNS; turn++) for (const runner of both) await runner.feed(count)
} finally {
  theirs.close()
  ours.close()
  await rm(folder, { recursive: true })
}

const round = (value: number): number => Math.round(value * 10) / 10

function report(runner: Runner): Record<string, { per_s: number; server_cpu_us: number }> {
  return Object.fromEntries(
    KINDS.map((kind) => {
      const { operations, ms, cpu } = runner.taken[kind]
      return [kind, { per_s: Math.round((operations / ms) * 1000), server_cpu_us: round(cpu / operations) }]
    }),
  )
}

const faster = (by: 'ms' | 'cpu'): Record<string, number> =>
  Object.fromEntries(KINDS.map((kind) => [kind, round(theirs.taken[kind][by] / ours.taken[kind][by])]))

process.stdout.write(
  `${JSON.stringify({
    items: count,
    cosmos_local_durable: report(ours),
    vercel_cosmosdb_server_in_memory: report(theirs),
    times_faster: faster('ms'),
    times_less_server_cpu: faster('cpu'),
  })}\n`,
)
