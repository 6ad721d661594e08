import { describe } from '@attune/core'
import { Hono, type Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import { EdgeError } from '../error.ts'
import { field, readJsonObject } from '../middleware/body.ts'
import { adminKey } from '../middleware/keys.ts'
import { partitionKey } from '../routes/events.ts'
import { parseRank } from '../routes/parse-rank.ts'
import { rank } from '../serve/rank.ts'
import { NO_RULES } from '../slots/compile.ts'
import { BUCKET_MS } from './activity.ts'
import type { EpochSummary, LiveAnswer } from './answers.ts'
import { explainList } from './explain.ts'

/** The page as it was built: generated.ts. */
export interface StudioFiles {
  readonly page: string
  readonly script: string
  readonly style: string
}

const EPOCHS_SHOWN = 12
const MAX_EXPLAIN_BYTES = 1_000
/** Nothing from elsewhere, nothing inline; the page talks to its own edge alone. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** The live page for deployers. Its files are for anybody and hold no data; what it shows needs an admin key. */
export function createStudio(deps: AppDeps, files: StudioFiles): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  const started = deps.now()
  const file = (c: Context<AppEnv>, text: string, type: string): Response =>
    c.body(text, 200, {
      'content-type': `${type}; charset=utf-8`,
      'content-security-policy': POLICY,
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
  app.get('/', (c) => file(c, files.page, 'text/html'))
  app.get('/studio.js', (c) => file(c, files.script, 'text/javascript'))
  app.get('/studio.css', (c) => file(c, files.style, 'text/css'))
  app.use('/api/*', adminKey(deps.config))
  app.get('/api/live', async (c) => {
    c.header('cache-control', 'no-store')
    return c.json(await live(deps, started))
  })
  app.post('/api/explain', (c) => postExplain(deps, c))
  return app
}

async function live(deps: AppDeps, since: number): Promise<LiveAnswer> {
  const { models, freshness, activity, config, host } = deps
  const now = deps.now()
  await models.refresh()
  const [buckets, epochs] = await Promise.all([activity.read(), epochSummaries(deps)])
  freshness.serves(models.serving?.through ?? null, models.changedAt)
  return {
    now,
    host,
    scope: activity.scope,
    since,
    bucketMs: BUCKET_MS,
    buckets,
    lagMs: freshness.lagMs(now),
    serving: models.serving,
    epochs,
    decisions: config.decisions,
  }
}

async function epochSummaries({ models }: AppDeps): Promise<EpochSummary[]> {
  const manifests = await models.manifests(EPOCHS_SHOWN)
  return manifests.map(({ epoch, created, trainer, items, gate }) => ({
    epoch,
    created,
    trainer,
    items,
    serving: epoch === models.serving?.epoch,
    gate: gate ?? null,
  }))
}

/** What a visitor would be shown now in a slot, and why; without a slot by no rules. The handle travels in the body: addresses end up in logs. */
async function postExplain(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const body = await readJsonObject(c, MAX_EXPLAIN_BYTES, 'VISITORS_MALFORMED')
  const handle = field(body, 'visitor')
  if (typeof handle !== 'string')
    throw new EdgeError(
      'VISITORS_MALFORMED',
      `visitor: expected a visitor handle, received ${describe(handle)}`,
    )
  const { site, id } = await siteOf(deps, handle)
  const named = field(body, 'slot')
  const visitor = partitionKey(site, id)
  const epoch = await deps.models.epoch((work) => {
    c.executionCtx.waitUntil(work)
  })
  if (epoch === undefined) throw new EdgeError('MODEL_MISSING', 'no epoch was pushed to this edge yet')
  const request = parseRank({ slot: named ?? 'studio', visitor: handle }, deps.now())
  await deps.slots.refresh(site)
  const slot = named === undefined ? NO_RULES : deps.slots.of(site, request.slot)
  c.header('cache-control', 'no-store')
  return c.json(
    await epoch.use(async (held) => {
      const answer = await rank(deps, held, request, visitor, c.var.trace, slot)
      const { events } = await deps.batches.history(visitor, undefined)
      return explainList(held, site, slot, answer, events)
    }),
  )
}

/** A handle says nothing of its site, but only one site's signature fits. */
async function siteOf(deps: AppDeps, handle: string): Promise<{ site: string; id: string }> {
  let refused: unknown
  for (const { id: site } of deps.config.sites) {
    try {
      return { site, id: await deps.visitors.verify(site, handle) }
    } catch (error) {
      refused = error
    }
  }
  throw refused
}
