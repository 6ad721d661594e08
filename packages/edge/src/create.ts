import { WasmScanner, type ScanExports } from '@attune/core/rank'
import type { AppDeps } from './app.ts'
import { ConfigError, type Config } from './config.ts'
import { Batches } from './cosmos/batches.ts'
import { Catalogue } from './cosmos/catalogue.ts'
import { Decisions } from './cosmos/decisions.ts'
import { Reachability } from './cosmos/reachability.ts'
import { Quotas } from './cosmos/quotas.ts'
import { Regions } from './cosmos/regions.ts'
import { createCosmosFetch, type CosmosCredential } from './cosmos/request.ts'
import { Users } from './cosmos/users.ts'
import { VisitorData } from './cosmos/visitor-data.ts'
import { logFrom, type Log } from './log.ts'
import { Metrics } from './metrics.ts'
import { RateLimiter, type SharedLimits } from './middleware/rate-limit.ts'
import { Models } from './models/models.ts'
import type { ModelStore } from './models/store.ts'
import { Verifier } from './models/verify.ts'
import { Current } from './serve/current.ts'
import type { LoadOrt } from './serve/ort.ts'
import type { Trial } from './serve/trial.ts'
import { Activity, processActivityStore, type ActivityStore } from './studio/activity.ts'
import type { StudioFiles } from './studio/app.ts'
import { Freshness } from './telemetry/freshness.ts'
import { gaugesOf } from './telemetry/gauges.ts'
import { Telemetry } from './telemetry/telemetry.ts'
import { Settings } from './slots/settings.ts'
import { Slots } from './slots/slots.ts'
import { createVisitors } from './visitor.ts'

/** What only a host can give. */
export interface Host {
  readonly name: 'node' | 'workerd'
  readonly store: ModelStore
  readonly scanModule: WebAssembly.Module
  /** undefined: ranks with core's TypeScript. */
  readonly loadOrt: LoadOrt | undefined
  /** Runs graphs where they can be stopped; absent: this host cannot. */
  readonly trial?: Trial
  readonly maxFileBytes: number
  /** Limits that hold over all processes; undefined: each counts for itself. */
  readonly sharedLimits?: SharedLimits
  readonly fetch: typeof fetch
  readonly log: Log
  /** Tokens of Entra ID for Cosmos; absent: this host has no identity. */
  readonly cosmosToken?: () => Promise<string>
  /** Where processes bring together what the live page shows; absent: each is for itself. */
  readonly activity?: ActivityStore
  /** The live page; absent: not part of this build. */
  readonly studio?: StudioFiles
  /** Compresses text; absent: the platform does that by itself. */
  readonly gzip?: AppDeps['gzip']
  /** The address at the other end of the connection, or what stands for it. */
  readonly addressOf: AppDeps['addressOf']
}

/** @throws {ConfigError} `CONFIG_INVALID` when the host has no identity to sign in as */
function credentialOf({ cosmos: { key } }: Config, { name, cosmosToken }: Host): CosmosCredential {
  if (key !== undefined) return { key }
  if (cosmosToken !== undefined) return { token: cosmosToken }
  throw new ConfigError(
    'CONFIG_INVALID',
    `COSMOS_IDENTITY: expected a host with a workload identity, received ${name}; give it COSMOS_KEY instead`,
  )
}

/** Configuration and host → what the app runs on. No I/O. */
export function createDeps(config: Config, host: Host): AppDeps {
  const now = () => Date.now()
  const log = logFrom(config.logLevel, host.log)
  const reachability = new Reachability(now)
  const cosmosFetch = reachability.watch(
    createCosmosFetch({ credential: credentialOf(config, host), fetch: host.fetch, now }),
  )
  const regions = new Regions(config.cosmos, cosmosFetch, now, log)
  const models = new Models({
    store: host.store,
    trial: host.trial,
    current: new Current(),
    verifier: new Verifier(config.verifyKeys),
    loadOrt: host.loadOrt,
    makeScanner: (dim, capacity) => new WasmScanner(() => instantiate(host.scanModule), dim, capacity),
    now,
    log,
    elapsed: () => performance.now(),
    maxRankMs: config.maxRankMs,
  })
  const metrics = new Metrics()
  const freshness = new Freshness((ms) => {
    metrics.time('attune_freshness_seconds', ms)
  })
  const elapsed = (): number => performance.now()
  const random = (): number => Math.random()
  const telemetry = new Telemetry({
    config: config.telemetry,
    host: host.name,
    metrics,
    gauges: () => gaugesOf(models, freshness, now()),
    fetch: host.fetch,
    now,
    elapsed,
    random,
    log,
  })
  return {
    config,
    host: host.name,
    batches: new Batches(config.cosmos, regions, cosmosFetch),
    visitorData: new VisitorData(config.cosmos, regions, cosmosFetch, config.decisions > 0),
    users: new Users(config.cosmos, regions, cosmosFetch, config.userRetentionDays),
    decisions: new Decisions({
      cosmos: config.cosmos,
      regions,
      fetch: cosmosFetch,
      metrics,
      log,
      random,
      now,
      sampled: config.decisions,
      retentionDays: config.retentionDays,
    }),
    catalogue: new Catalogue(config.cosmos, regions, cosmosFetch),
    slots: new Slots({
      settings: new Settings(config.cosmos, regions, cosmosFetch, metrics),
      configured: config.slots,
      followed: config.adminKeys.length > 0,
      now,
      log,
    }),
    regions,
    reachability,
    models,
    visitors: createVisitors(config.visitorSecrets, (bytes) => crypto.getRandomValues(bytes)),
    metrics,
    telemetry,
    freshness,
    activity: new Activity(host.activity ?? processActivityStore(now), now),
    studio: host.studio,
    hasOrt: host.loadOrt !== undefined,
    limiter: new RateLimiter(config.limits, now, host.sharedLimits),
    quotas: new Quotas({ quotas: config.quotas, cosmos: config.cosmos, regions, fetch: cosmosFetch, now }),
    gzip: host.gzip,
    addressOf: config.trustProxy ? forwardedFor : host.addressOf,
    now,
    elapsed,
    random,
    log,
    diagnostics: config.diagnostics,
    maxFileBytes: host.maxFileBytes,
  }
}

/** The entry our own proxy appended; those before it are the caller's to invent. */
const forwardedFor: AppDeps['addressOf'] = (c) => c.req.header('x-forwarded-for')?.split(',').at(-1)?.trim()

function instantiate(module: WebAssembly.Module): ScanExports {
  return new WebAssembly.Instance(module, { env: { abort: () => undefined } })
    .exports as unknown as ScanExports
}
