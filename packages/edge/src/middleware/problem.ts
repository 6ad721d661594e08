import { CodedError, describe, SessionTokenError, type Issue, type Problem } from '@attune/core'
import type { ArtifactErrorCode } from '@attune/core/artifact'
import type { Context, ErrorHandler, NotFoundHandler } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { AppEnv } from '../app.ts'
import { isTransient } from '../cosmos/errors.ts'
import { QuotaError } from '../cosmos/quotas.ts'
import type { EdgeErrorCode } from '../error.ts'
import { RateLimitError, tellLimit } from './rate-limit.ts'

// The one place where codes become HTTP statuses.

type Entry = readonly [status: ContentfulStatusCode, title: string]

const EDGE_PROBLEMS: Readonly<Record<EdgeErrorCode, Entry>> = {
  KEY_MISSING: [401, 'A key is required'],
  KEY_UNKNOWN: [401, 'The key is not known'],
  KEY_FORBIDDEN: [403, 'The key may not do this'],
  ORIGIN_FORBIDDEN: [403, 'The page may not call this edge'],
  BODY_TOO_LARGE: [413, 'The body is too large'],
  BODY_TIMEOUT: [408, 'The body did not arrive in time'],
  BATCH_TOO_LARGE: [413, 'The batch has too many events'],
  EVENTS_MALFORMED: [400, 'Events were not understood'],
  EVENTS_REJECTED: [422, 'No event was good'],
  RANK_MALFORMED: [400, 'The rank request was not understood'],
  ITEMS_MALFORMED: [400, 'Items were not understood'],
  ITEMS_REJECTED: [422, 'No item was good'],
  ITEM_UNKNOWN: [404, 'The catalogue has no such item'],
  RULES_MALFORMED: [400, 'Rules were not understood'],
  RULES_INVALID: [422, 'The rules cannot be used'],
  SLOT_UNKNOWN: [404, 'The slot has no rules'],
  SITE_UNKNOWN: [404, 'The site is not one of this edge'],
  VISITORS_MALFORMED: [400, 'The visitors request was not understood'],
  VISITOR_FORGED: [403, 'The visitor handle was not given out here'],
  IDENTITY_DISABLED: [403, 'Users of this site cannot be identified'],
  IDENTITY_UNPROVEN: [403, 'The user was not proven by the site'],
  CONSENT_DENIED: [403, 'The visitor does not want to be remembered'],
  QUOTA_EXCEEDED: [429, 'The quota is used up'],
  RATE_LIMITED: [429, 'Too many requests'],
  EPOCH_UNKNOWN: [404, 'There is no such epoch here'],
  MODEL_MISSING: [503, 'There is no model to rank with'],
  WEIGHTS_UNKNOWN: [404, 'There are no such weights'],
  STORE_UNAVAILABLE: [503, 'The store does not take requests now'],
  PATH_MALFORMED: [400, 'The path was not understood'],
  ROUTE_UNKNOWN: [404, 'There is nothing here'],
  INTERNAL: [500, 'The edge made a mistake'],
}

const ARTIFACT_PROBLEMS: Readonly<Record<ArtifactErrorCode, Entry>> = {
  ARTIFACT_MALFORMED: [422, 'The artifact was not understood'],
  ARTIFACT_SIGNATURE_INVALID: [401, 'The artifact is not signed by a trusted key'],
  ARTIFACT_DIGEST_MISMATCH: [422, 'The bytes are not those that were named'],
  ARTIFACT_FILE_MISSING: [422, 'A file of the artifact was not uploaded'],
  ARTIFACT_SHAPE_MISMATCH: [422, 'The artifact has other shapes than it says'],
  ARTIFACT_VERSION_UNSUPPORTED: [422, 'The artifact is newer than this edge'],
  ARTIFACT_EPOCH_STALE: [409, 'The epoch is not newer than the one serving'],
  ARTIFACT_GOLDEN_MISMATCH: [422, 'The graphs do not reproduce the golden vectors'],
  ARTIFACT_FEATURE_UNKNOWN: [422, 'The ranker wants features this edge does not have'],
  ARTIFACT_OPSET_UNSUPPORTED: [422, 'A graph is of a version of ONNX this edge does not run'],
  ARTIFACT_GRAPH_UNBOUNDED: [422, 'A graph may take any time'],
  ARTIFACT_TOO_LARGE: [422, 'A graph is larger than this edge takes'],
  ARTIFACT_TOO_SLOW: [422, 'The model is slower than this edge allows'],
  DELTA_GAP: [409, 'This is not the next delta'],
  DELTA_EPOCH_MISMATCH: [409, 'The delta belongs to another epoch'],
}

const PROBLEMS: ReadonlyMap<string, Entry> = new Map(
  Object.entries({ ...EDGE_PROBLEMS, ...ARTIFACT_PROBLEMS }),
)
const DEFAULT_RETRY_S = 1

/** Every error → `application/problem+json`. What is not an error of ours is logged and told as `INTERNAL`. */
export const onError: ErrorHandler<AppEnv> = (error, c) => {
  const state = error instanceof WithState ? error.state : undefined
  const store = error instanceof WithState ? error.cause : error
  if (isTransient(store)) {
    const seconds = Math.max(DEFAULT_RETRY_S, Math.ceil((store.retryAfterMs ?? 0) / 1_000))
    c.header('retry-after', String(seconds))
    c.var.log('warn', 'store unavailable', {
      code: store.code,
      status: store.status,
      substatus: store.substatus,
    })
    return problem(
      c,
      'STORE_UNAVAILABLE',
      `the store could not be used (${store.code}); try again in ${seconds} s`,
      [],
      state,
    )
  }
  if (error instanceof SessionTokenError)
    return problem(c, malformedCode(c), error.message, [tokenIssue(error)])
  if (error instanceof RateLimitError) tellSpent(c, error.limit.burst, error.retryAfterS)
  if (error instanceof QuotaError) tellSpent(c, error.limit, error.retryAfterS)
  if (error instanceof CodedError && PROBLEMS.has(error.code)) {
    if (error.code === 'MODEL_MISSING') c.header('retry-after', String(DEFAULT_RETRY_S))
    return problem(c, error.code, error.message, error.issues, state)
  }
  c.var.log('error', 'request failed', {
    error: error instanceof Error ? (error.stack ?? error.message) : describe(error),
  })
  return problem(c, 'INTERNAL', 'the log of the edge has more under this request id')
}

function tellSpent(c: Context<AppEnv>, limit: number, seconds: number): void {
  c.header('retry-after', String(seconds))
  tellLimit(c, limit, 0, seconds)
}

export const onNotFound: NotFoundHandler<AppEnv> = (c) =>
  problem(c, 'ROUTE_UNKNOWN', `${c.req.method} ${new URL(c.req.url).pathname.slice(0, 100)}: no such route`)

/** An error that also says how far it came or what is being served, so that the caller knows where to go on. */
export class WithState extends CodedError {
  override readonly name = 'WithState'
  readonly state: Readonly<Record<string, unknown>>

  constructor(error: CodedError, state: Readonly<Record<string, unknown>>) {
    super(error.code, error.message, { cause: error, issues: error.issues })
    this.state = state
  }
}

function problem(
  c: Context<AppEnv>,
  code: string,
  detail: string,
  issues: readonly Issue[] = [],
  more: Readonly<Record<string, unknown>> = {},
): Response {
  const [status, title] = PROBLEMS.get(code) ?? EDGE_PROBLEMS.INTERNAL
  const body: Problem = {
    type: 'about:blank',
    title,
    status,
    code,
    detail,
    requestId: c.var.requestId,
    ...(issues.length > 0 && { issues }),
    ...more,
  }
  return c.body(JSON.stringify(body), status, { 'content-type': 'application/problem+json' })
}

/** The HTTP status a code becomes. */
export function statusOf(code: EdgeErrorCode | ArtifactErrorCode): number {
  return (PROBLEMS.get(code) ?? EDGE_PROBLEMS.INTERNAL)[0]
}

function malformedCode(c: Context<AppEnv>): EdgeErrorCode {
  return c.req.path.endsWith('/events') ? 'EVENTS_MALFORMED' : 'RANK_MALFORMED'
}

function tokenIssue(error: SessionTokenError): Issue {
  return { path: 'session', code: error.code, message: error.message }
}
