import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { VisitorResponse } from '@attune/core'
import { startWorkerdEdge } from '@attune/edge/workerd'
import { attacksOn } from './_attacks.ts'
import { forkCosmos } from './_cosmos-process.ts'
import { forkNodeEdge, type ServerProcess } from './_edge-process.ts'
import { startHouse, type House } from './_loop.ts'
import { pushModel, randomModel } from './_model.ts'

interface Answered {
  readonly status: number
  readonly code: string | undefined
  readonly ms: number
}

const ITEMS = 5_000
/** What one address may ask: a page's own visits are far below. */
const LIMIT = { perSecond: 50, burst: 200 }
const HONEST_VISITORS = 10
/** One request in so many milliseconds by each honest visitor: a list, and every fourth time what was clicked. */
const HONEST_PAUSE_MS = 100
const FLOOD_CONNECTIONS = 50

/**
 * `npm run bench -- abuse [--host node|workerd] [--burst 10000] [--seconds 10]`: strangers try what strangers try, one
 * address sends a burst, bodies drip; each is refused with its code. Honest visitors go on meanwhile, and their 99th
 * percentile is held against that of a quiet time just before.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      host: { type: 'string', default: 'node' },
      burst: { type: 'string', default: '10000' },
      seconds: { type: 'string', default: '10' },
    },
  })
  const { host } = values
  if (host !== 'node' && host !== 'workerd')
    throw new Error(`--host: expected node or workerd, received ${host}`)
  const house = await startHouse(0, startWorkerdEdge, forkCosmos)
  const options = {
    ...house.edgeOptions(0),
    trustProxy: true,
    adminKey: 'admin_key_of_the_abuse_bench',
    limits: { address: LIMIT },
  }
  const edge: ServerProcess = host === 'node' ? await forkNodeEdge(options) : await startWorkerdEdge(options)
  const own = new Agent({ keepAlive: true, maxSockets: HONEST_VISITORS })
  const strangers = new Agent({ keepAlive: true, maxSockets: FLOOD_CONNECTIONS })
  const post = poster(own)
  try {
    await pushModel(edge.url, house, randomModel(ITEMS))
    const visitors = await Promise.all(
      Array.from({ length: HONEST_VISITORS }, () => newVisitor(edge.url, house.siteKey)),
    )
    const honest = (seconds: number) => browse(edge.url, house, visitors, post, seconds)
    await honest(2)
    const quiet = await honest(Number(values.seconds))

    const attacks = attacksOn(edge.url, house, visitors[0] ?? '', await foreignHandle(house, host))
    const [busy, burst, outcomes] = await Promise.all([
      honest(Number(values.seconds)),
      flood(edge.url, house.siteKey, poster(strangers), Number(values.burst)),
      Promise.all(
        attacks.map(async ({ name, expected, run }) => ({ name, expected, received: await run() })),
      ),
    ])
    const wrong = outcomes.filter(({ expected, received }) => !expected.split(' or ').includes(received))
    if (wrong.length > 0) throw new Error(`not refused as expected: ${JSON.stringify(wrong)}`)
    const failed = [...quiet, ...busy].filter(({ status }) => status >= 300)
    if (failed.length > 0)
      throw new Error(
        `${failed.length} honest requests failed, one with ${failed[0]?.status} ${failed[0]?.code}`,
      )
    const other = burst.filter(
      ({ status, code }) => status !== 200 && code !== 'RATE_LIMITED' && code !== 'RESET',
    )
    if (other.length > 0)
      throw new Error(`${other.length} of the burst ended otherwise: ${other[0]?.status} ${other[0]?.code}`)
    const [p99_quiet_ms, p99_abused_ms] = [percentile(quiet, 99), percentile(busy, 99)]
    return {
      bench: 'abuse',
      host,
      attacks: outcomes.length,
      burst: burst.length,
      burst_served: burst.filter(({ status }) => status === 200).length,
      burst_refused: burst.filter(({ status }) => status === 429).length,
      burst_reset: burst.filter(({ status }) => status === 0).length,
      honest_requests: busy.length,
      p50_quiet_ms: percentile(quiet, 50),
      p50_abused_ms: percentile(busy, 50),
      p99_quiet_ms,
      p99_abused_ms,
      p99_ratio: Math.round((p99_abused_ms / p99_quiet_ms) * 100) / 100,
      within_3x: p99_abused_ms <= 3 * p99_quiet_ms,
    }
  } finally {
    own.destroy()
    strangers.destroy()
    await edge.close()
    await house.close()
  }
}

type Post = (url: string, body: unknown, address: string) => Promise<Answered>

function poster(agent: Agent): Post {
  const post: Post = (url, body, address) => {
    const text = JSON.stringify(body)
    const started = performance.now()
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'text/plain',
        'content-length': Buffer.byteLength(text),
        'x-forwarded-for': address,
      }
      const call = request(url, { method: 'POST', agent, headers }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const status = response.statusCode ?? 0
          const { code } = JSON.parse(Buffer.concat(chunks).toString()) as { code?: string }
          resolve({ status, code, ms: performance.now() - started })
        })
      })
      call.on('error', (error: Error & { readonly code?: string }) => {
        // A host may close a kept connection just as it is used again; browsers then ask once more, and so does this.
        if (error.code === 'ECONNRESET' && call.reusedSocket) resolve(post(url, body, address))
        else reject(error)
      })
      call.end(text)
    })
  }
  return post
}

async function newVisitor(url: string, siteKey: string): Promise<string> {
  const response = await fetch(`${url}/v1/visitors?key=${siteKey}`, {
    method: 'POST',
    body: '{}',
    headers: { 'x-forwarded-for': `192.0.2.${Math.floor(Math.random() * 250)}` },
  })
  return ((await response.json()) as VisitorResponse).visitor
}

/** A handle that an edge of another secret signed. */
async function foreignHandle(house: House, host: 'node' | 'workerd'): Promise<string> {
  const options = { ...house.edgeOptions(1), visitorSecret: 'another secret than this edge has' }
  const other = host === 'node' ? await forkNodeEdge(options) : await startWorkerdEdge(options)
  try {
    return await newVisitor(other.url, house.siteKey)
  } finally {
    await other.close()
  }
}

/** Visitors who look at lists and click, each at its own pace whatever the answers take. */
async function browse(
  url: string,
  { siteKey }: House,
  visitors: readonly string[],
  post: Post,
  seconds: number,
): Promise<Answered[]> {
  const end = performance.now() + seconds * 1_000
  const answers = await Promise.all(
    visitors.map(async (visitor, index) => {
      const own: Answered[] = []
      await sleep((index * HONEST_PAUSE_MS) / visitors.length)
      for (let step = 0; performance.now() < end; step++) {
        const click = { id: randomUUID(), kind: 'click', item: `item-${step % ITEMS}`, at: Date.now() }
        const [path, body] =
          step % 4 === 3
            ? ['events', { batch: randomUUID(), visitor, events: [click] }]
            : ['rank', { slot: 'home', visitor, recent: [click] }]
        own.push(await post(`${url}/v1/${path}?key=${siteKey}`, body, `198.51.100.${index}`))
        await sleep(HONEST_PAUSE_MS)
      }
      return own
    }),
  )
  return answers.flat()
}

/** One address asks as fast as it can. */
async function flood(url: string, siteKey: string, post: Post, requests: number): Promise<Answered[]> {
  const answers: Answered[] = []
  let left = requests
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      const asked = post(`${url}/v1/rank?key=${siteKey}`, { slot: 'home' }, '203.0.113.7')
      // workerd without Cloudflare in front closes the connection of a request whose body it was refused to read.
      answers.push(await asked.catch(() => ({ status: 0, code: 'RESET', ms: NaN })))
    }
  }
  await Promise.all(Array.from({ length: FLOOD_CONNECTIONS }, work))
  return answers
}

function percentile(answers: readonly Answered[], share: number): number {
  const times = answers.map(({ ms }) => ms).toSorted((a, b) => a - b)
  const value = times[Math.min(times.length - 1, Math.floor((times.length * share) / 100))] ?? NaN
  return Math.round(value * 100) / 100
}
