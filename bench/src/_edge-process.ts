import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startNodeEdge } from '@attune/edge/node'
import { Miniflare } from 'miniflare'
import { startCollector, type CollectorOptions } from './_collector.ts'
import { killChild } from './_cosmos-process.ts'

// Servers in processes of their own, so that their CPU is not mistaken for the load generator's.

type NodeEdgeOptions = Parameters<typeof startNodeEdge>[0]

export interface ServerProcess {
  readonly url: string
  readonly pid: number
  close(): Promise<void>
}

export interface KillableProcess extends ServerProcess {
  /** SIGKILL. */
  kill(): Promise<void>
}

type Job =
  { readonly edge: NodeEdgeOptions } | { readonly empty: true } | { readonly collector: CollectorOptions }

/** A Node edge in a child process. */
export function forkNodeEdge(options: NodeEdgeOptions): Promise<KillableProcess> {
  return forkJob({ edge: options })
}

/** A server in a child process that keeps what analytics clients send. */
export function forkCollector(options: CollectorOptions): Promise<KillableProcess> {
  return forkJob({ collector: options })
}

/** A server in a child process that takes the body in and answers `{}`: what any answer costs on this host. */
export function forkEmptyNode(): Promise<ServerProcess> {
  return forkJob({ empty: true })
}

/** The same in workerd; `direct`: without Miniflare's own Worker in front, as the edge it is held against. */
export async function startEmptyWorkerd(direct: boolean): Promise<Omit<ServerProcess, 'pid'>> {
  const miniflare = new Miniflare({
    cf: false,
    ...(direct && { unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }] }),
    compatibilityDate: '2026-07-01',
    modules: true,
    script: `export default { async fetch(request) {
      await request.json()
      return new Response('{}', { headers: { 'content-type': 'application/json' } })
    } }`,
  })
  const ready = await miniflare.ready
  const { origin } = direct ? await miniflare.unsafeGetDirectURL() : ready
  return { url: origin, close: () => miniflare.dispose() }
}

async function forkJob(job: Job): Promise<KillableProcess> {
  const child = fork(import.meta.filename, [], {
    env: { ...process.env, ATTUNE_BENCH_SERVER: JSON.stringify(job) },
    execArgv: ['--conditions=@attune/source', '--no-warnings'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the server ended with ${String(code)} before it was ready`)
  })
  const [{ url }] = (await Promise.race([once(child, 'message'), ended])) as [{ url: string }]
  ended.catch(() => undefined)
  return {
    url,
    pid: child.pid ?? 0,
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.disconnect()
      await gone
    },
    kill: () => killChild(child),
  }
}

async function startEmpty(): Promise<{ url: string; close: () => Promise<void> }> {
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      JSON.parse(Buffer.concat(chunks).toString())
      response.setHeader('content-type', 'application/json')
      response.end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return { url: `http://127.0.0.1:${port}`, close }
}

const text = process.env['ATTUNE_BENCH_SERVER']
if (text !== undefined && process.argv[1] === import.meta.filename) {
  const job = JSON.parse(text) as Job
  const server =
    'edge' in job
      ? await startNodeEdge(job.edge)
      : 'collector' in job
        ? await startCollector(job.collector)
        : await startEmpty()
  process.once('disconnect', () => {
    void server.close().then(() => process.exit())
  })
  process.send?.({ url: server.url })
}
