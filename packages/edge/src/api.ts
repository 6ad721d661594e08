import type {
  DeviceWeights,
  EventsRequest,
  EventsResponse,
  ModelsResponse,
  Problem,
  RankRequest,
  RankResponse,
  Strategy,
  VisitorResponse,
} from '@attune/core'
import type { SlotRules } from '@attune/core/rules'
import { hc, type ClientRequestOptions } from 'hono/client'
import type { Hono } from 'hono'
import type { AppEnv } from './app.ts'
import type { ItemChange, ItemResponse, ItemsResponse } from './schema/items.ts'
import type { Acknowledged, HealthResponse, ReadyResponse } from './schema/models.ts'
import type { DeletedSlotResponse, SlotResponse } from './schema/slots.ts'
import type { DeleteResponse, ExportResponse, IdentifyRequest, VisitorRequest } from './schema/visitors.ts'

// The API as types: what Hono's client makes its methods of. The schemas that answers are checked against in tests are
// held to the same types by the compiler.

type ProblemStatus = 400 | 401 | 403 | 404 | 408 | 409 | 413 | 422 | 429 | 500 | 503

/** An endpoint of Hono's: what goes in, what comes out, under which status. */
type Route<Input, Output, Status extends number> =
  | { input: Input; output: Output; outputFormat: 'json'; status: Status }
  | { input: Input; output: Problem; outputFormat: 'json'; status: Exclude<ProblemStatus, Status> }

/** A public site key: here, or as `x-attune-key`. */
interface PageKey {
  query?: { key?: string }
}
type PageRoute<Body, Output, Status extends number> = {
  $post: Route<PageKey & { json: Body }, Output, Status>
}

interface ListQuery {
  slot: string
  strategy?: Strategy
  item?: string
  k?: string
  key?: string
}

/** The site may be left out where there is one. */
interface SlotOf {
  param: { slot: string }
  query?: { site?: string }
}

/** Routes of the edge by path and method. Bytes (files, manifests, deltas) are for `fetch`. */
export type ApiSchema = {
  '/v1/events': PageRoute<EventsRequest, EventsResponse, 202>
  '/v1/rank': PageRoute<RankRequest, RankResponse, 200> & {
    $get: Route<{ query: ListQuery }, RankResponse, 200>
  }
  '/v1/weights/:sha256': { $get: Route<PageKey & { param: { sha256: string } }, DeviceWeights, 200> }
  '/v1/visitors': PageRoute<Record<never, never>, VisitorResponse, 201>
  '/v1/visitors/identify': PageRoute<IdentifyRequest, VisitorResponse, 200>
  '/v1/visitors/export': PageRoute<VisitorRequest, ExportResponse, 200>
  '/v1/visitors/delete': PageRoute<VisitorRequest, DeleteResponse, 200>
  '/v1/items': { $put: Route<{ json: { items: readonly ItemChange[] } }, ItemsResponse, 200> }
  '/v1/items/:id': { $get: Route<{ param: { id: string } }, ItemResponse, 200> }
  '/v1/slots/:slot': {
    $put: Route<SlotOf & { json: SlotRules }, SlotResponse, 200>
    $get: Route<SlotOf, SlotResponse, 200>
    $delete: Route<SlotOf, DeletedSlotResponse, 200>
  }
  '/v1/models/:epoch/activate': { $post: Route<{ param: { epoch: string } }, Acknowledged, 200> }
  '/v1/models/rollback': { $post: Route<object, Acknowledged, 200> }
  '/v1/models': { $get: Route<object, ModelsResponse, 200> }
  '/healthz': { $get: Route<object, HealthResponse, 200> }
  '/readyz': {
    $get:
      | { input: object; output: ReadyResponse; outputFormat: 'json'; status: 200 }
      | { input: object; output: ReadyResponse; outputFormat: 'json'; status: 503 }
  }
}

/** The edge's app, as `hc` takes it. */
export type App = Hono<AppEnv, ApiSchema>

/** Calls of every route, typed. */
export type EdgeApi = ReturnType<typeof hc<App>>

export interface EdgeApiOptions {
  /** A public key of a site. */
  readonly siteKey?: string
  /** A secret key: of trainers or operators. */
  readonly bearer?: string
  readonly fetch?: typeof fetch
}

/**
 * A typed client of an edge, for servers and tests; pages have `@attune/client`, which also keeps what could not be sent.
 *
 * @param url - base URL of the edge
 * @see https://hono.dev/docs/guides/rpc
 */
export function createEdgeApi(url: string, options: EdgeApiOptions = {}): EdgeApi {
  const { siteKey, bearer } = options
  const given: ClientRequestOptions = {
    headers: {
      ...(siteKey !== undefined && { 'x-attune-key': siteKey }),
      ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
    },
    ...(options.fetch !== undefined && { fetch: options.fetch }),
  }
  return hc<App>(url, given)
}
