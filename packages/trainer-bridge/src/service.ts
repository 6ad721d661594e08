import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { BridgeStatus } from './bridge-deps.ts'
import type { Bridge } from './bridge.ts'
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
  readonly bridge: Bridge
  /** Settles when the bridge stopped by itself, with the reason. */
  readonly stopped: Promise<string>
  /** Stops reading, keeps the state, ends pushes under way. */
  close(): Promise<void>
}

/** Starts the bridge with its health and metrics endpoints. @throws what {@link startBridge} throws */
export async function startService(config: Config, log: Log): Promise<Service> {
  const counters = new StatusCounters()
  let stop: (reason: string) => void = () => undefined
  const stopped = new Promise<string>((resolve) => (stop = resolve))
  const { initial } = config
  const bridge = await startBridge({
    cosmos: config.cosmos,
    edges: config.edges,
    signingKey: config.signingKey,
    folder: config.folder,
    initial: initial ?? (() => Promise.reject(noInitial(config.folder))),
    ...(config.start !== undefined && { start: config.start }),
    deltaIntervalMs: config.deltaIntervalMs,
    onStatus: (status) => {
      counters.see(status)
      tell(status, log)
      if (status.type === 'stopped') stop(status.error)
    },
  })
  const looking = setInterval(() => {
    void takeOver(bridge, config.folder, log)
  }, LOOK_EVERY_MS)
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string) =>
      response.writeHead(status, { 'content-type': type }).end(body)
    if (request.url === '/metrics') {
      answer(200, 'text/plain; version=0.0.4; charset=utf-8', renderMetrics(bridge, counters))
    } else if (request.url === '/healthz' || request.url === '/readyz') {
      const ok = counters.stopped === undefined
      const { number: epoch, delta } = bridge.release
      answer(ok ? 200 : 503, 'application/json', JSON.stringify({ ok, epoch, delta, edges: bridge.edges }))
    } else answer(404, 'text/plain', 'GET /healthz, /readyz or /metrics\n')
  })
  try {
    await listen(server, config.port, config.host)
  } catch (error) {
    clearInterval(looking)
    await bridge.close()
    throw error
  }
  return {
    url: `http://${config.host === '0.0.0.0' ? '127.0.0.1' : config.host}:${(server.address() as AddressInfo).port}`,
    bridge,
    stopped,
    async close() {
      clearInterval(looking)
      await bridge.close()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
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
      requirePassed(reportOf(base.gate), bridge.release.number + 1)
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
function tell(status: BridgeStatus, log: Log): void {
  const { type, ...fields } = status
  if (type === 'feed') log('warn', 'a read of the change feed failed and is tried again', fields)
  else if (type === 'held')
    log('warn', 'factor rows would have made known visits worse and were kept back; counts went out', fields)
  else if (type === 'stopped') log('error', 'the bridge stopped', fields)
  else if (type === 'epoch') log('info', 'epoch', fields)
  else if (status.type === 'edge' && status.state === 'failing')
    log('warn', 'an edge cannot be kept up to date', fields)
}
