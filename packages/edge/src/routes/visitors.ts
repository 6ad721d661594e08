import { describe, type VisitorResponse } from '@attune/core'
import type { Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import { EdgeError } from '../error.ts'
import { field, readJsonObject } from '../middleware/body.ts'
import { MAX_VISITOR_BYTES } from '../schema/visitors.ts'
import { partitionKey } from './events.ts'

/** `POST /v1/visitors`: a new handle; nothing is stored. */
export async function postVisitors(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  await readJsonObject(c, MAX_VISITOR_BYTES, 'VISITORS_MALFORMED')
  const answer: VisitorResponse = { visitor: await deps.visitors.create(c.var.site.id) }
  return c.json(answer, 201)
}

/** `POST /v1/visitors/export`: everything stored of the visitor whose handle is sent. */
export async function postExport(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const { handle, key } = await visitorOf(deps, c)
  const [batches, decisions] = await Promise.all([
    deps.visitorData.export(key),
    deps.visitorData.decisions(key),
  ])
  const events = batches.reduce((sum, batch) => sum + batch.events.length, 0)
  return c.json({
    visitor: handle,
    events,
    decisions,
    batches: batches.map(({ id, at, received, events }) => ({ batch: id, at, received, events })),
  })
}

/** `POST /v1/visitors/delete`: deletes all of it; the answer's session is that of a read which found nothing left. */
export async function postDelete(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const { handle, key } = await visitorOf(deps, c)
  const { deleted, decisions, session } = await deps.visitorData.erase(key)
  return c.json({
    visitor: handle,
    deleted,
    decisions,
    remaining: 0,
    session,
    at: new Date(deps.now()).toISOString(),
  })
}

/** The handle travels in the body: addresses end up in logs. */
async function visitorOf(deps: AppDeps, c: Context<AppEnv>): Promise<{ handle: string; key: string }> {
  const body = await readJsonObject(c, MAX_VISITOR_BYTES, 'VISITORS_MALFORMED')
  const handle = field(body, 'visitor')
  if (typeof handle !== 'string') {
    throw new EdgeError(
      'VISITORS_MALFORMED',
      `visitor: expected a visitor handle, received ${describe(handle)}`,
    )
  }
  const { site } = c.var
  const id = await deps.visitors.verify(site.id, handle)
  deps.limiter.take('visitor', id)
  return { handle, key: partitionKey(site.id, id) }
}
