import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { serve, type ServerType } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { createApp, createInsideApp } from './app.ts'
import { readConfig, type Config } from './config.ts'
import { createDeps } from './create.ts'
import { consoleLog } from './log.ts'
import { FileSystemModelStore } from './models/file-system.ts'
import { PAGE, SCRIPT, STYLE } from './studio/generated.ts'
import { loadOrt } from './serve/ort-node.ts'
import { createNodeTrial } from './serve/trial-node.ts'
import { limitConnections } from './host/connections.ts'
import { environmentOf, type EdgeOptions, type RunningEdge } from './host/options.ts'

const MAX_FILE_BYTES = 2_000_000_000
/** Half the time of zlib's own choice for 5 % more bytes. */
const GZIP_LEVEL = 4
const CLOSE_GRACE_MS = 5_000
/** A whole request must have arrived by then; an artifact file over a slow line needs minutes. */
const REQUEST_TIMEOUT_MS = 300_000
/** A caller who has not said by then what it wants is let go. */
const HEADERS_TIMEOUT_MS = 20_000
/** Longer than load balancers keep idle connections (60 s), so that they never send into one that just closed. */
const KEEP_ALIVE_MS = 65_000

/** Loaded only where it signs in: the library is large. */
async function identityToken(): Promise<() => Promise<string>> {
  const { workloadIdentity } = await import('./cosmos/workload-identity.ts')
  return workloadIdentity({ now: Date.now })
}

/** Starts the edge in this process; models live in `options.persist`, or in a folder that goes with the edge. */
export async function startNodeEdge(options: EdgeOptions): Promise<RunningEdge> {
  const models = options.persist ?? (await mkdtemp(join(tmpdir(), 'attune-models-')))
  const forget = async (): Promise<void> => {
    if (options.persist === undefined) await rm(models, { recursive: true, force: true })
  }
  try {
    const edge = await serveNode(environmentOf(options), {
      port: options.port ?? 0,
      hostname: '127.0.0.1',
      models,
    })
    return { ...edge, close: () => edge.close().finally(forget) }
  } catch (error) {
    await forget()
    throw error
  }
}

export interface NodeOptions {
  /** 0: any free one. */
  readonly port: number
  readonly hostname: string
  /** Folder of the models. */
  readonly models: string
  /** `/metrics` here without a key, for a network that only the operator's own machines reach; absent: nowhere. */
  readonly metricsPort?: number
}

/**
 * Serves the edge with settings from an environment.
 *
 * @throws {ConfigError} `CONFIG_INVALID`; or the system's error when the port is taken
 */
export async function serveNode(
  env: Readonly<Record<string, unknown>>,
  options: NodeOptions,
): Promise<RunningEdge> {
  return serveConfig(readConfig(env), options)
}

/** @internal */
export async function serveConfig(config: Config, options: NodeOptions): Promise<RunningEdge> {
  const scanFile = fileURLToPath(import.meta.resolve('@attune/core/scan.wasm'))
  const deps = createDeps(config, {
    name: 'node',
    store: new FileSystemModelStore(options.models),
    scanModule: await WebAssembly.compile(await readFile(scanFile)),
    loadOrt,
    trial: createNodeTrial(),
    studio: { page: PAGE, script: SCRIPT, style: STYLE },
    maxFileBytes: MAX_FILE_BYTES,
    fetch: (input, init) => fetch(input, init),
    log: consoleLog,
    gzip: (text) => gzipSync(text, { level: GZIP_LEVEL }),
    addressOf: (c) => getConnInfo(c).remote.address,
    ...(config.cosmos.identity !== undefined && { cosmosToken: await identityToken() }),
  })
  const app = createApp(deps)
  const background = new Set<Promise<unknown>>()
  const context = {
    waitUntil(work: Promise<unknown>): void {
      const settled = work
        .catch((error: unknown) => {
          consoleLog('error', 'background work failed', { error: String(error) })
        })
        .finally(() => background.delete(settled))
      background.add(settled)
    },
    passThroughOnException: () => undefined,
    props: {},
  }
  // A container is ready when its model is: load before the first visitor comes.
  context.waitUntil(deps.models.refresh())
  const server = await listen(
    (request, bindings) => app.fetch(request, bindings, context),
    options.port,
    options.hostname,
  )
  const { limits, trustProxy } = config
  // What one address may ask at once it may also have open. Behind a proxy all connections are the proxy's.
  if (limits.address !== undefined && !trustProxy) limitConnections(server, limits.address.burst)
  const { metricsPort } = options
  const inside = metricsPort === undefined ? undefined : createInsideApp(deps)
  const insideServer =
    inside && (await listen((request) => inside.fetch(request), metricsPort ?? 0, options.hostname))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${options.hostname}:${port}`,
    pid: process.pid,
    async close() {
      await closeServer(server)
      if (insideServer !== undefined) await closeServer(insideServer)
      deps.decisions.hurry()
      await deps.telemetry.end()
      await Promise.allSettled(background)
    },
  }
}

function listen(
  fetch: Parameters<typeof serve>[0]['fetch'],
  port: number,
  hostname: string,
): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const started = serve({ fetch, port, hostname }, () => {
      resolve(started)
    })
    started.once('error', reject)
    if ('requestTimeout' in started) {
      started.requestTimeout = REQUEST_TIMEOUT_MS
      started.headersTimeout = HEADERS_TIMEOUT_MS
      started.keepAliveTimeout = KEEP_ALIVE_MS
    }
  })
}

/** Lets requests under way finish, then ends what is still open. */
function closeServer(server: ServerType): Promise<void> {
  return new Promise((resolve) => {
    const end = setTimeout(() => {
      if ('closeAllConnections' in server) server.closeAllConnections()
    }, CLOSE_GRACE_MS)
    server.close(() => {
      clearTimeout(end)
      resolve()
    })
    if ('closeIdleConnections' in server) server.closeIdleConnections()
  })
}
