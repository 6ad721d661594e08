import type { Random } from '@attune/core'
import { Hono, type Context } from 'hono'
import { every } from 'hono/combine'
import { compress } from 'hono/compress'
import type { Config, Site } from './config.ts'
import type { Batches } from './cosmos/batches.ts'
import type { Decisions } from './cosmos/decisions.ts'
import type { Reachability } from './cosmos/reachability.ts'
import type { Regions } from './cosmos/regions.ts'
import type { Catalogue } from './cosmos/catalogue.ts'
import type { Quotas } from './cosmos/quotas.ts'
import type { Users } from './cosmos/users.ts'
import type { VisitorData } from './cosmos/visitor-data.ts'
import { cors } from './middleware/cors.ts'
import { holdBack } from './middleware/hold-back.ts'
import { adminKey, pushKey, secretKey, siteKey } from './middleware/keys.ts'
import { measure } from './middleware/measure.ts'
import { onError, onNotFound } from './middleware/problem.ts'
import { limitKeyAndAddress, type RateLimiter, type Standing } from './middleware/rate-limit.ts'
import { takeTurns } from './middleware/turns.ts'
import { deprecation } from './middleware/versions.ts'
import { requestId } from './middleware/request-id.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Models } from './models/models.ts'
import { getDocs, getOpenApi } from './routes/docs.ts'
import { postEvents } from './routes/events.ts'
import { getHealth, getMetrics, getReady } from './routes/health.ts'
import { getItem, putItems } from './routes/items.ts'
import { getList } from './routes/list.ts'
import { getModels, postActivate, postRollback, putDelta, putEpoch, putFile } from './routes/models.ts'
import { postRank } from './routes/rank.ts'
import { deleteSlot, getSlot, putSlot } from './routes/slots.ts'
import { getWeights } from './routes/weights.ts'
import { postDelete, postExport, postIdentify, postVisitors } from './routes/visitors.ts'
import type { Activity } from './studio/activity.ts'
import { createStudio, type StudioFiles } from './studio/app.ts'
import type { Freshness } from './telemetry/freshness.ts'
import type { Telemetry } from './telemetry/telemetry.ts'
import type { RequestTrace } from './telemetry/trace.ts'
import type { Slots } from './slots/slots.ts'
import type { Visitors } from './visitor.ts'

/** What a request carries through the app. */
export interface AppEnv {
  readonly Variables: {
    readonly requestId: string
    readonly log: Log
    readonly trace: RequestTrace
    readonly site: Site
    /** The emptiest bucket the request was taken out of. */
    readonly standing?: Standing
    /** Where callers wait their turn: somebody else's, while a body takes long. */
    readonly whileReading?: <T>(reading: Promise<T>) => Promise<T>
  }
}

/** Everything the app needs from its host. */
export interface AppDeps {
  readonly config: Config
  readonly host: 'node' | 'workerd'
  readonly batches: Batches
  readonly visitorData: VisitorData
  readonly users: Users
  readonly decisions: Decisions
  readonly catalogue: Catalogue
  readonly regions: Regions
  readonly reachability: Reachability
  readonly models: Models
  readonly slots: Slots
  readonly visitors: Visitors
  readonly limiter: RateLimiter
  readonly quotas: Quotas
  readonly metrics: Metrics
  readonly telemetry: Telemetry
  readonly freshness: Freshness
  readonly activity: Activity
  /** The live page; undefined: this build is without it. */
  readonly studio: StudioFiles | undefined
  /** ONNX Runtime is part of this build: a list that core ranks then is a fallback. */
  readonly hasOrt: boolean
  /** Compresses text; undefined: the platform does that by itself. */
  readonly gzip: ((text: string) => Uint8Array<ArrayBuffer>) | undefined
  /** Who is calling, as far as the host can tell. */
  readonly addressOf: (c: Context<AppEnv>) => string | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Milliseconds of a clock that only goes forward. */
  readonly elapsed: () => number
  readonly random: Random
  readonly log: Log
  readonly diagnostics: boolean
  /** Largest artifact file this host has the memory for. */
  readonly maxFileBytes: number
}

/** What a scraper inside the operator's own network may ask without a key. */
export function createInsideApp(deps: AppDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  app.get('/metrics', (c) => getMetrics(deps, c))
  return app
}

const LARGE = [
  '/metrics',
  '/openapi.json',
  '/docs',
  '/v1/visitors/export',
  '/v1/weights/*',
  '/v1/slots/*',
  '/v1/models',
  '/studio/*',
]

/** The edge: one app, two hosts. Does nothing until it is asked. */
export function createApp(deps: AppDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  app.onError(onError)
  app.notFound(onNotFound)
  app.use('*', requestId(deps))
  // Around what measures: the time a refusal is held is nobody's work.
  app.use('/v1/*', holdBack(deps))
  app.use('*', measure(deps))
  // Workers' platform compresses by itself. Lists, which are large or not: middleware/compress.ts.
  if (deps.host === 'node') for (const path of LARGE) app.use(path, compress())
  app.get('/healthz', (c) => getHealth(deps, c))
  app.get('/readyz', (c) => getReady(deps, c))
  app.get('/metrics', pushKey(deps.config), (c) => getMetrics(deps, c))

  app.get('/openapi.json', getOpenApi)
  app.get('/docs', getDocs)

  // An operator's page where there is no operator would be a riddle.
  if (deps.studio !== undefined && deps.config.adminKeys.length > 0)
    app.route('/studio', createStudio(deps, deps.studio))

  app.use('/v1/*', cors(deps.config.sites))
  const goesAway = deprecation('v1', deps.config.deprecations)
  if (goesAway !== undefined) app.use('/v1/*', goesAway)
  const page = siteKey(deps.config)
  const limited = every(limitKeyAndAddress(deps), takeTurns(deps))
  app.post('/v1/visitors', page, limited, (c) => postVisitors(deps, c))
  app.post('/v1/visitors/identify', page, limited, (c) => postIdentify(deps, c))
  app.post('/v1/visitors/export', page, limited, (c) => postExport(deps, c))
  app.post('/v1/visitors/delete', page, limited, (c) => postDelete(deps, c))
  app.post('/v1/events', page, limited, (c) => postEvents(deps, c))
  app.get('/v1/rank', page, limited, (c) => getList(deps, c))
  app.post('/v1/rank', page, limited, (c) => postRank(deps, c))
  app.get('/v1/weights/:sha256', page, limited, (c) => getWeights(deps, c))

  const operator = adminKey(deps.config)
  app.put('/v1/items', operator, (c) => putItems(deps, c))
  app.get('/v1/items/:id', operator, (c) => getItem(deps, c))

  app.put('/v1/slots/:slot', operator, (c) => putSlot(deps, c))
  app.get('/v1/slots/:slot', operator, (c) => getSlot(deps, c))
  app.delete('/v1/slots/:slot', operator, (c) => deleteSlot(deps, c))

  const trainer = pushKey(deps.config)
  app.get('/v1/models', secretKey(deps.config, ['push', 'admin']), (c) => getModels(deps, c))
  app.post('/v1/models/rollback', operator, (c) => postRollback(deps, c))
  app.post('/v1/models/:epoch/activate', operator, (c) => postActivate(deps, c))
  app.put('/v1/models/files/:sha256', trainer, (c) => putFile(deps, c))
  app.put('/v1/models/:epoch', trainer, (c) => putEpoch(deps, c))
  app.put('/v1/models/:epoch/deltas/:delta', trainer, (c) => putDelta(deps, c))
  return app
}
