import {
  countMissing,
  describe,
  formatSessionToken,
  isUuid,
  MAX_BATCH_BYTES,
  MAX_EVENTS_PER_BATCH,
  mergeSessionTokens,
  parseEvents,
  parseSessionToken,
  readLast,
  toHistory,
  type BatchDocument,
  type EventsResponse,
  type Issue,
  type TrackedEvent,
} from '@attune/core'
import type { Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import { EdgeError } from '../error.ts'
import { field, readJsonObject } from '../middleware/body.ts'
import { consentOf } from '../middleware/consent.ts'
import { takeFor } from '../middleware/rate-limit.ts'
import { readSession } from './parse-rank.ts'

const DAY_S = 86_400

/**
 * `POST /v1/events`: good events of the batch become one document, whatever is wrong with the others. A batch that only says
 * what tabs have lost is a document, too: sent again, it is not counted again.
 */
export async function postEvents(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const { trace } = c.var
  trace.enter('parse')
  const body = await readJsonObject(c, MAX_BATCH_BYTES, 'EVENTS_MALFORMED')
  const site = c.var.site
  const issues: Issue[] = []
  const batch = field(body, 'batch')
  const handle = field(body, 'visitor')
  const events = field(body, 'events')
  if (!isUuid(batch)) issues.push(malformed('batch', 'a UUID', batch))
  if (typeof handle !== 'string') issues.push(malformed('visitor', 'a visitor handle', handle))
  if (!Array.isArray(events)) issues.push(malformed('events', 'an array of events', events))
  const sent = readSession(field(body, 'session'), issues)
  if (issues.length > 0 || !isUuid(batch) || typeof handle !== 'string' || !Array.isArray(events)) {
    throw new EdgeError('EVENTS_MALFORMED', issues.map((issue) => issue.message).join('; '), { issues })
  }
  if (events.length > MAX_EVENTS_PER_BATCH) {
    throw new EdgeError(
      'BATCH_TOO_LARGE',
      `events: expected at most ${MAX_EVENTS_PER_BATCH}, received ${events.length}`,
    )
  }
  if (consentOf(c, body, 'EVENTS_MALFORMED') === 'denied')
    throw new EdgeError('CONSENT_DENIED', 'consent: expected granted, received denied; nothing was stored')
  const visitor = await deps.visitors.verify(site.id, handle)
  takeFor(c, deps, 'visitor', visitor)
  const now = deps.now()
  const parsed = parseEvents(events, now)
  const last = readLast(field(body, 'last'))
  if (parsed.events.length === 0 && (events.length > 0 || last.length === 0)) {
    throw new EdgeError('EVENTS_REJECTED', `events: none of ${events.length} is good`, {
      issues: parsed.issues,
    })
  }
  const document: BatchDocument = {
    id: batch.toLowerCase(),
    visitor: partitionKey(site.id, visitor),
    site: site.id,
    at: newestOpinion(parsed.events),
    received: now,
    events: parsed.events,
  }
  trace.enter('create')
  const started = deps.elapsed()
  const { retentionDays } = deps.config
  const stored = await deps.batches
    .create(document, retentionDays === undefined ? undefined : retentionDays * DAY_S)
    .finally(() => {
      // Where the write failed, the account may have another write region by now: found out behind the answer.
      c.executionCtx.waitUntil(deps.regions.refresh())
    })
  trace.enter('serialise')
  trace.note({ 'attune.ru': stored.ru, 'attune.duplicate': stored.duplicate })
  // Only what says something about taste changes a model.
  if (document.at > 0 && stored.isNew) deps.freshness.stored(stored.session, now)
  const { serving } = deps.models
  deps.freshness.serves(serving?.through ?? null, deps.models.changedAt)
  if (stored.isNew) deps.activity.stored(parsed.events, deps.freshness.lagMs(now))
  deps.activity.share((work) => {
    c.executionCtx.waitUntil(work)
  })
  deps.metrics.count('attune_cosmos_calls_total', { operation: 'create' })
  deps.metrics.count('attune_cosmos_request_units_total', { operation: 'create' }, stored.ru)
  deps.metrics.count(
    'attune_events_total',
    { outcome: stored.isNew ? 'stored' : 'duplicate' },
    parsed.events.length,
  )
  if (stored.isNew) {
    const { missing, late } = countMissing(events, field(body, 'after'), last)
    deps.metrics.count('attune_events_missing_total', {}, missing)
    deps.metrics.count('attune_events_late_total', {}, late)
  }
  if (parsed.events.length < events.length) {
    deps.metrics.count('attune_events_total', { outcome: 'rejected' }, events.length - parsed.events.length)
  }
  const answer: EventsResponse = {
    batch: document.id,
    accepted: parsed.events.length,
    rejected: parsed.issues,
    duplicate: stored.duplicate,
    session:
      sent === undefined
        ? stored.session
        : formatSessionToken(mergeSessionTokens(parseSessionToken(sent), parseSessionToken(stored.session))),
    ...(deps.config.diagnostics && {
      diagnostics: { cosmosMs: Math.round((deps.elapsed() - started) * 1_000) / 1_000, ru: stored.ru },
    }),
  }
  return c.json(answer, 202)
}

/**
 * What the history read orders by: the newest event that says something about taste. A page that reports a hundred
 * impressions must not push the clicks before it out of the newest batches.
 *
 * @returns milliseconds since 1970; 0 when no event of the batch counts in a list
 */
export function newestOpinion(events: readonly TrackedEvent[]): number {
  const steps = toHistory(events, events.length)
  const dislikes = events.filter((event) => event.kind === 'dislike')
  return [...steps, ...dislikes].reduce((newest, { at }) => Math.max(newest, at), 0)
}

/** Partition key of a visitor's documents. */
export function partitionKey(site: string, visitor: string): string {
  return `${site}:${visitor}`
}

function malformed(path: string, expected: string, received: unknown): Issue {
  const shown = describe(received)
  return {
    path,
    code: 'FIELD_INVALID',
    message: `${path}: expected ${expected}, received ${shown}`,
    expected,
    received: shown,
  }
}
