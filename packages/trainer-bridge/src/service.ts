import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Bridge } from './bridge.ts'
import { startMember, type Member, type MemberStatus } from './cluster/member.ts'
import type { Config } from './config.ts'
import { clearHandOver, handedOver, keepAside } from './artifact/hand-over.ts'
import { BridgeError, sentence } from './error.ts'
import { reportOf, requirePassed } from './gate/report.ts'
import { renderMetrics, StatusCounters } from './metrics.ts'
import { startBridge } from './start.ts'

/** One structured line; never a key, a visitor or an event. */
export type Log = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void

export interface Service {
  /** Of health and metrics. */
  readonly url: string
  /** Among several instances: only while this one leads. */
  readonly bridge: Bridge | undefined
  /** Settles when the bridge stopped by itself, with the reason. */
  readonly stopped: Promise<string>
  /** Stops reading, keeps the state, ends pushes under way, leaves ranges and leadership to others. */
  close(): Promise<void>
}

/** A bridge that is alone, or one of several. */
interface Running {
  readonly bridge: Bridge | undefined
  readonly member?: Member
  close(): Promise<void>
}

/**
 * Starts the bridge with its health and metrics endpoints.
 *
 * @throws what {@link startBridge} or {@link startMember} throws
 */
export async function startService(config: Config, log: Log): Promise<Service> {
  const counters = new StatusCounters()
  let stop: (reason: string) => void = () => undefined
  const stopped = new Promise<string>((resolve) => (stop = resolve))
  const running = await start(config, (status) => {
    counters.see(status)
    tell(status, log)
    // One of several leaves the lead to another, and may have it again.
    if (status.type === 'stopped' && config.cluster === undefined) stop(status.error)
  })
  const looking = setInterval(() => {
    if (running.bridge !== undefined) void takeOver(running.bridge, config.folder, log)
  }, LOOK_EVERY_MS)
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string) =>
      response.writeHead(status, { 'content-type': type }).end(body)
    if (request.url === '/metrics') {
      answer(200, 'text/plain; version=0.0.4; charset=utf-8', renderMetrics(running, counters))
    } else if (request.url === '/healthz' || request.url === '/readyz') {
      const alive = config.cluster !== undefined || counters.stopped === undefined
      const ok = alive && (request.url === '/healthz' || (running.member?.ready ?? true))
      answer(ok ? 200 : 503, 'application/json', JSON.stringify({ ok, ...healthOf(running) }))
    } else answer(404, 'text/plain', 'GET /healthz, /readyz or /metrics\n')
  })
  try {
    await listen(server, config.port, config.host)
  } catch (error) {
    clearInterval(looking)
    await running.close()
    throw error
  }
  return {
    url: `http://${config.host === '0.0.0.0' ? '127.0.0.1' : config.host}:${(server.address() as AddressInfo).port}`,
    get bridge() {
      return running.bridge
    },
    stopped,
    async close() {
      clearInterval(looking)
      await running.close()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

async function start(config: Config, onStatus: (status: MemberStatus) => void): Promise<Running> {
  const { initial, cluster, cosmos, edges, signingKey, folder, deltaIntervalMs } = config
  const options = {
    cosmos,
    edges,
    signingKey,
    folder,
    initial: initial ?? (() => Promise.reject(noInitial(folder))),
    ...(config.start !== undefined && { start: config.start }),
    deltaIntervalMs,
    onStatus,
  }
  if (cluster === undefined) {
    const bridge = await startBridge(options)
    return { bridge, close: () => bridge.close() }
  }
  const member = await startMember({ ...options, cluster })
  return {
    get bridge() {
      return member.bridge
    },
    member,
    close: () => member.close(),
  }
}

function healthOf({ bridge, member }: Running): Record<string, unknown> {
  const ranges = member?.processors.reduce((sum, [, processor]) => sum + processor.ranges.length, 0)
  return {
    ...(member !== undefined && { instance: member.instance, leads: bridge !== undefined, ranges }),
    ...(bridge !== undefined && {
      epoch: bridge.release.number,
      delta: bridge.release.delta,
      edges: bridge.edges,
    }),
  }
}

const LOOK_EVERY_MS = 1_000
let taking = false

/** Goes on from a model that `attune push --bridge` left in the folder. One that cannot be read is reported and dropped. */
async function takeOver(bridge: Bridge, folder: string, log: Log): Promise<void> {
  if (taking) return
  taking = true
  try {
    const base = await handedOver(folder)
    if (base === undefined) return
    try {
      const { override } = requirePassed(reportOf(base.gate), bridge.release.number + 1)
      if (override !== undefined)
        log('warn', 'the gate was overridden', { why: override.why, at: override.at })
    } catch (error) {
      await keepAside(folder)
      throw error
    }
    await bridge.adopt(base)
    await clearHandOver(folder)
  } catch (error) {
    log('error', 'the model handed over cannot be taken; the old one goes on', { error: sentence(error) })
    await clearHandOver(folder)
  } finally {
    taking = false
  }
}

function noInitial(folder: string): BridgeError {
  return new BridgeError(
    'ARTIFACT_FOLDER_MISSING',
    `${folder} has no epoch yet and ATTUNE_INITIAL is not set; train one with \`attune train --data DIR --out DIR\` and name it there`,
  )
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve())
  })
}

/** Deltas are told by metrics, not by lines: there are two a second. */
function tell(status: MemberStatus, log: Log): void {
  const { type, ...fields } = status
  if (type === 'feed') log('warn', 'a read of the change feed failed and is tried again', fields)
  else if (type === 'held')
    log('warn', 'factor rows would have made known visits worse and were kept back; counts went out', fields)
  else if (type === 'cluster')
    log('warn', 'leases or leadership: something failed and is tried again', fields)
  else if (type === 'role') log('info', 'role', fields)
  else if (type === 'stopped') log('error', 'the bridge stopped', fields)
  else if (type === 'epoch') log('info', 'epoch', fields)
  else if (status.type === 'edge' && status.state === 'failing')
    log('warn', 'an edge cannot be kept up to date', fields)
}
