import type { BatchDocument, Decision, VisitorResponse } from '@attune/core'
import type { Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import type { UserLinks } from '../cosmos/users.ts'
import { EdgeError } from '../error.ts'
import { checkProof } from '../identity.ts'
import { readJsonObject } from '../middleware/body.ts'
import { consentOf } from '../middleware/consent.ts'
import { takeFor } from '../middleware/rate-limit.ts'
import { check } from '../schema/check.ts'
import {
  identifyRequest,
  MAX_VISITOR_BYTES,
  visitorRequest,
  type DeleteResponse,
  type ExportResponse,
} from '../schema/visitors.ts'
import { partitionKey } from './events.ts'

/** Visitor ids of one user worked through at once. */
const ABREAST = 4

/** `POST /v1/visitors`: a new handle; nothing is stored. */
export async function postVisitors(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  await readJsonObject(c, MAX_VISITOR_BYTES, 'VISITORS_MALFORMED')
  const answer: VisitorResponse = { visitor: await deps.visitors.create(c.var.site.id) }
  return c.json(answer, 201)
}

/** `POST /v1/visitors/identify`: the handle of a user, the same on all devices, for whom the site's server vouches. */
export async function postIdentify(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const body = await readJsonObject(c, MAX_VISITOR_BYTES, 'VISITORS_MALFORMED')
  const request = check(identifyRequest, body, 'VISITORS_MALFORMED')
  const { site } = c.var
  await checkProof(deps.config.identitySecrets, site.id, request, deps.now())
  if (consentOf(c, body, 'VISITORS_MALFORMED') === 'denied')
    throw new EdgeError('CONSENT_DENIED', 'consent: expected granted, received denied; nothing was stored')
  const before =
    request.visitor === undefined ? undefined : await deps.visitors.verify(site.id, request.visitor)
  const id = await deps.users.identify(site.id, request.user, deps.visitors.newId(), before, deps.now())
  takeFor(c, deps, 'visitor', id)
  const answer: VisitorResponse = { visitor: await deps.visitors.handleOf(site.id, id) }
  return c.json(answer, 200)
}

/** `POST /v1/visitors/export`: everything stored of the visitor whose handle is sent, and of all linked with it. */
export async function postExport(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const { handle, site, covers, user } = await visitorOf(deps, c)
  const batches: BatchDocument[] = []
  const decisions: Decision[] = []
  await abreast(covers, async (id) => {
    const key = partitionKey(site, id)
    const [ofOne, shown] = await Promise.all([deps.visitorData.export(key), deps.visitorData.decisions(key)])
    batches.push(...ofOne)
    decisions.push(...shown)
  })
  const answer: ExportResponse = {
    visitor: handle,
    covers,
    ...(user && { user }),
    events: batches.reduce((sum, batch) => sum + batch.events.length, 0),
    decisions: decisions.toSorted((a, b) => a.at - b.at),
    batches: batches
      .toSorted((a, b) => a.received - b.received)
      .map(({ id, at, received, events }) => ({ batch: id, at, received, events })),
  }
  return c.json(answer)
}

/** `POST /v1/visitors/delete`: deletes all of it and looks again; the answer's session is that of a read which found nothing. */
export async function postDelete(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const { handle, id, site, covers } = await visitorOf(deps, c)
  let deleted = 0
  let decisions = 0
  let session: string | undefined
  await abreast(covers, async (one) => {
    const erased = await deps.visitorData.erase(partitionKey(site, one))
    deleted += erased.deleted
    decisions += erased.decisions
    if (one === id) session = erased.session
  })
  // Links last: a deletion that was cut short finds all handles when it is asked for again.
  const links = await deps.users.forget(site, id)
  const answer: DeleteResponse = {
    visitor: handle,
    covers,
    deleted,
    decisions,
    links,
    remaining: 0,
    ...(session !== undefined && { session }),
    at: new Date(deps.now()).toISOString(),
  }
  return c.json(answer)
}

/** The handle travels in the body: addresses end up in logs. */
async function visitorOf(
  deps: AppDeps,
  c: Context<AppEnv>,
): Promise<{
  handle: string
  id: string
  site: string
  covers: readonly string[]
  user: UserLinks | undefined
}> {
  const body = await readJsonObject(c, MAX_VISITOR_BYTES, 'VISITORS_MALFORMED')
  const { visitor: handle } = check(visitorRequest, body, 'VISITORS_MALFORMED')
  const site = c.var.site.id
  const id = await deps.visitors.verify(site, handle)
  takeFor(c, deps, 'visitor', id)
  const user = await deps.users.linksOf(site, id)
  return { handle, id, site, covers: [id, ...(user?.linked ?? []).map(({ visitor }) => visitor)], user }
}

async function abreast<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  for (let first = 0; first < all.length; first += ABREAST)
    await Promise.all(all.slice(first, first + ABREAST).map(work))
}
