import type { VisitorResponse } from '@attune/core'
import type { Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import { readJsonObject } from '../middleware/body.ts'

const MAX_VISITOR_BYTES = 1_000

/** `POST /v1/visitors`: a new handle; nothing is stored. */
export async function postVisitors(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  await readJsonObject(c, MAX_VISITOR_BYTES, 'VISITORS_MALFORMED')
  const answer: VisitorResponse = { visitor: await deps.visitors.create(c.var.site.id) }
  return c.json(answer, 201)
}
