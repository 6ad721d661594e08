import type { Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import { EdgeError } from '../error.ts'
import { readJsonObject } from '../middleware/body.ts'
import { compressedJson } from '../middleware/compress.ts'
import { consentOf } from '../middleware/consent.ts'
import { takeFor } from '../middleware/rate-limit.ts'
import { MAX_RANK_BYTES } from '../schema/rank.ts'
import { rank } from '../serve/rank.ts'
import { partitionKey } from './events.ts'
import { parseRank } from './parse-rank.ts'

/** `POST /v1/rank`. What keeps the model new happens behind the answer. */
export async function postRank(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  // One by one: `c.var` copies all of them.
  const trace = c.get('trace')
  trace.enter('parse')
  const body = await readJsonObject(c, MAX_RANK_BYTES, 'RANK_MALFORMED')
  const request = parseRank(body, deps.now())
  const site = c.get('site')
  const handle = consentOf(c, body, 'RANK_MALFORMED') === 'granted' ? request.visitor : undefined
  const id = handle === undefined ? undefined : await deps.visitors.verify(site.id, handle)
  if (id !== undefined) takeFor(c, deps, 'visitor', id)
  const visitor = id === undefined ? undefined : partitionKey(site.id, id)
  const background = (work: Promise<unknown>): void => {
    c.executionCtx.waitUntil(work)
  }
  const epoch = await deps.models.epoch(background)
  if (epoch === undefined) throw new EdgeError('MODEL_MISSING', 'no epoch was pushed to this edge yet')
  const slot = deps.slots.of(site.id, request.slot)
  const answer = await epoch.use((held) => rank(deps, held, request, visitor, trace, slot))
  trace.enter('serialise')
  if (visitor !== undefined) deps.decisions.shown(visitor, site.id, answer, background)
  deps.activity.listed(answer.slot, answer.fresh)
  deps.activity.share(background)
  background(Promise.all([deps.models.refresh(), deps.regions.refresh(), deps.slots.refresh(site.id)]))
  return compressedJson(deps, c, answer)
}
