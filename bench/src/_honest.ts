import { randomUUID } from 'node:crypto'
import { request, type Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { VisitorResponse } from '@attune/core'

// Visitors who mean well, and what their requests came to.

export interface Answered {
  readonly status: number
  readonly code: string | undefined
  readonly ms: number
}

/** One request in so many milliseconds by each visitor: a list, and every fourth time what was clicked. */
const PAUSE_MS = 100

export type Post = (url: string, body: unknown, address: string) => Promise<Answered>

export function poster(agent: Agent): Post {
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

export async function newVisitor(url: string, siteKey: string): Promise<string> {
  const response = await fetch(`${url}/v1/visitors?key=${siteKey}`, {
    method: 'POST',
    body: '{}',
    headers: { 'x-forwarded-for': `192.0.2.${Math.floor(Math.random() * 250)}` },
  })
  return ((await response.json()) as VisitorResponse).visitor
}

/**
 * Visitors who look at lists and click, each at its own pace whatever the answers take, for so many seconds and for as long
 * as something else goes on.
 */
export async function browse(
  url: string,
  siteKey: string,
  items: number,
  visitors: readonly string[],
  post: Post,
  seconds: number,
  meanwhile: Promise<unknown> = Promise.resolve(),
): Promise<Answered[]> {
  const end = performance.now() + seconds * 1_000
  const over = new AbortController()
  const settled = (): void => {
    over.abort()
  }
  meanwhile.then(settled, settled)
  const answers = await Promise.all(
    visitors.map(async (visitor, index) => {
      const own: Answered[] = []
      await sleep((index * PAUSE_MS) / visitors.length)
      for (let step = 0; !over.signal.aborted || performance.now() < end; step++) {
        const click = { id: randomUUID(), kind: 'click', item: `item-${step % items}`, at: Date.now() }
        const [path, body] =
          step % 4 === 3
            ? ['events', { batch: randomUUID(), visitor, events: [click] }]
            : ['rank', { slot: 'home', visitor, recent: [click] }]
        own.push(await post(`${url}/v1/${path}?key=${siteKey}`, body, `198.51.100.${index}`))
        await sleep(PAUSE_MS)
      }
      return own
    }),
  )
  return answers.flat()
}

export function percentile(answers: readonly Answered[], share: number): number {
  const times = answers.map(({ ms }) => ms).toSorted((a, b) => a - b)
  const value = times[Math.min(times.length - 1, Math.floor((times.length * share) / 100))] ?? NaN
  return Math.round(value * 100) / 100
}
