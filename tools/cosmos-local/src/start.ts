import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { Account, type ConsistencyLevel } from './engine/account.ts'
import { expireItems } from './engine/expire.ts'
import { adminListener } from './admin/server.ts'
import { adminHooks } from './admin/hooks.ts'
import { Faults } from './admin/faults.ts'
import { Meter } from './admin/meter.ts'
import { makeRegion, NO_LAG, Replication, type Lag } from './engine/replication.ts'
import { CosmosLocalError } from './errors.ts'
import { certificateFor } from './protocol/certificate.ts'
import { entraFrom, type EntraOptions } from './protocol/entra.ts'
import { listen, shut } from './protocol/listen.ts'
import { requestListener } from './protocol/server.ts'
import { openDatabase } from './store/database.ts'

/** The key of the official emulator: known to everyone, so that no configuration is needed. */
export const EMULATOR_KEY =
  'C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=='

export interface RegionOptions {
  readonly name: string
  /** 0 or absent: any free port. */
  readonly port?: number
  readonly tlsPort?: number
  /** How long writes take to arrive here. */
  readonly lag?: Lag
}

export interface CosmosLocalOptions {
  /** Port of the first region; 0 for any free one. Default 8081. */
  readonly port?: number
  /** TLS too, on this port of the first region; 0 for any free one. Absent: no TLS. */
  readonly tlsPort?: number
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string
  /** Where data is kept; absent: in memory. */
  readonly folder?: string
  /** Master key, base64. Default: the official emulator's. */
  readonly key?: string
  /** Who may come with a token of Entra ID instead of the key. Default: nobody. */
  readonly entra?: EntraOptions
  /** The first region takes the writes. Default: one, `Local`. */
  readonly regions?: readonly RegionOptions[]
  readonly consistency?: ConsistencyLevel
  /** `full` flushes every write to the disk itself. Default `normal`: what is acknowledged survives kill -9. */
  readonly synchronous?: 'normal' | 'full'
  /** How long former versions are kept for all-versions change feeds. Default 7 days. */
  readonly historyMs?: number
  /** Port of the admin server and data explorer; 0 or absent: any free one. */
  readonly adminPort?: number
  /** Refuse with 429 what goes beyond the provisioned RU per second of a partition. Default false. */
  readonly throttle?: boolean
  readonly clock?: () => number
  readonly random?: () => number
  /** For the test of the consistency checker only: reads pay no heed to session tokens. */
  readonly plantedBug?: 'ignore-session-tokens'
}

export interface CosmosLocal {
  /** `http://127.0.0.1:PORT`, the write region's when started. */
  readonly endpoint: string
  readonly key: string
  /** Data explorer, faults, regions, meter. */
  readonly adminEndpoint: string
  /** Every region with its address. */
  readonly regions: readonly {
    readonly name: string
    readonly endpoint: string
    readonly tlsEndpoint?: string
  }[]
  /** `https://127.0.0.1:PORT` of the first region, where TLS was asked for. */
  readonly tlsEndpoint?: string
  /** The certificate to trust for it, PEM. */
  readonly certificate?: string
  close(): Promise<void>
}

const DEFAULT_PORT = 8081
const DEFAULT_HISTORY_MS = 7 * 24 * 3_600_000
const HOUSEKEEPING_MS = 1_000

/** Starts an account; resolves once every port answers. */
export async function startCosmosLocal(options: CosmosLocalOptions = {}): Promise<CosmosLocal> {
  const key = options.key ?? EMULATOR_KEY
  if (Buffer.byteLength(key, 'base64') === 0) {
    throw new CosmosLocalError('COSMOS_OPTIONS_INVALID', 'key: expected base64 text')
  }
  const clock = options.clock ?? Date.now
  const asked = options.regions ?? [{ name: 'Local' }]
  const regions = asked.map((one, i) => {
    const region = makeRegion(one.name, i + 1)
    region.lag = one.lag ?? NO_LAG
    return region
  })
  const [first] = regions
  if (first === undefined)
    throw new CosmosLocalError('COSMOS_OPTIONS_INVALID', 'regions: expected at least one')
  const db = openDatabase({ folder: options.folder, synchronous: options.synchronous ?? 'normal' })
  const replication = new Replication(regions, first, clock, options.random ?? Math.random)
  const account = new Account(db, replication, {
    consistency: options.consistency ?? 'Session',
    clock,
    ignoreSessionTokens: options.plantedBug === 'ignore-session-tokens',
  })
  account.restoreTopology()
  const entra = options.entra === undefined ? undefined : entraFrom(options.entra)
  const keyBytes = Buffer.from(key, 'base64')
  const host = options.host ?? '127.0.0.1'
  const admin = { account, faults: new Faults(options.random ?? Math.random), meter: new Meter(clock) }
  const hooks = adminHooks(admin, options.throttle ?? false)
  const servers: Server[] = []
  const housekeeping = setInterval(() => {
    expireItems(account)
    account.items.prune(Math.floor((clock() - (options.historyMs ?? DEFAULT_HISTORY_MS)) / 1000))
  }, HOUSEKEEPING_MS)
  housekeeping.unref()
  const close = async (): Promise<void> => {
    clearInterval(housekeeping)
    await Promise.all(servers.map(shut))
    if (db.isOpen) db.close()
  }
  const certificate = options.tlsPort === undefined ? undefined : certificateFor(options.folder)
  let adminPort = 0
  try {
    const adminServer = createServer(adminListener(admin))
    adminPort = await listen(adminServer, options.adminPort ?? 0, '127.0.0.1', 'admin server')
    servers.push(adminServer)
    for (const [i, region] of regions.entries()) {
      const serving = { account, region, key: keyBytes, hooks, ...(entra !== undefined && { entra }) }
      const server = createServer(
        { keepAliveTimeout: 60_000 },
        requestListener({ ...serving, scheme: 'http' }),
      )
      const port = i === 0 ? (options.port ?? asked[0]?.port ?? DEFAULT_PORT) : (asked[i]?.port ?? 0)
      region.port = await listen(server, port, host, `region ${region.name}`)
      servers.push(server)
      if (certificate === undefined) continue
      const tls = createTlsServer(
        { ...certificate, keepAliveTimeout: 60_000 },
        requestListener({ ...serving, scheme: 'https' }),
      )
      const tlsPort = (i === 0 ? options.tlsPort : undefined) ?? asked[i]?.tlsPort ?? 0
      region.tlsPort = await listen(tls, tlsPort, host, `region ${region.name}, TLS`)
      servers.push(tls)
    }
  } catch (error) {
    await close()
    throw error
  }
  const address = (port: number): string => `http://${host}:${port}`
  const tlsAddress = (port: number): string => `https://${host}:${port}`
  return {
    endpoint: address(first.port),
    key,
    adminEndpoint: `http://127.0.0.1:${adminPort}`,
    regions: regions.map((region) => ({
      name: region.name,
      endpoint: address(region.port),
      ...(certificate === undefined ? {} : { tlsEndpoint: tlsAddress(region.tlsPort) }),
    })),
    ...(certificate === undefined
      ? {}
      : { tlsEndpoint: tlsAddress(first.tlsPort), certificate: certificate.cert }),
    close,
  }
}
