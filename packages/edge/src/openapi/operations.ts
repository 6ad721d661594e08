import { MAX_BATCH_BYTES, MAX_NAME_LENGTH } from '@attune/core'
import * as v from 'valibot'
import { eventsRequest, eventsResponse } from '../schema/events.ts'
import { MAX_RULES_BYTES } from '../routes/slots.ts'
import { epoch, itemId, text } from '../schema/fields.ts'
import {
  itemChange,
  itemResponse,
  itemsResponse,
  MAX_ITEMS_BYTES,
  MAX_ITEMS_PER_REQUEST,
} from '../schema/items.ts'
import {
  acknowledged,
  fileResponse,
  healthResponse,
  MAX_DELTA_BYTES,
  MAX_MANIFEST_BYTES,
  modelsResponse,
  readyResponse,
} from '../schema/models.ts'
import { listQuery, MAX_RANK_BYTES, rankRequest, rankResponse, weightsResponse } from '../schema/rank.ts'
import { deletedSlotResponse, slotResponse, slotRules } from '../schema/slots.ts'
import {
  deleteResponse,
  exportResponse,
  identifyRequest,
  MAX_VISITOR_BYTES,
  newVisitorRequest,
  visitorRequest,
  visitorResponse,
} from '../schema/visitors.ts'
import type { Body, Operation } from './operation.ts'

const json = (schema: v.GenericSchema, maxBytes: number): Body => ({
  schema,
  type: 'application/json',
  maxBytes,
})

const slotName: v.GenericSchema = text(MAX_NAME_LENGTH)
const siteName: v.GenericSchema = text(40)

const digest: v.GenericSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))

/** Items as the documentation shows them; the route takes each by itself, so that a bad one holds up no other. */
const itemsRequest: v.GenericSchema = v.object({
  items: v.pipe(v.array(itemChange), v.minLength(1), v.maxLength(MAX_ITEMS_PER_REQUEST)),
})

/** Every route, as the app registers it. A test holds this against the app's own list. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  'POST /v1/events': {
    summary: 'Store a batch of events',
    says: 'Good events of a mixed batch are stored. The batch’s id makes a retry safe: it is stored once, whatever happens in between.',
    tag: 'Pages',
    caller: 'page',
    body: json(eventsRequest, MAX_BATCH_BYTES),
    answers: { 202: { says: 'Stored, or had been before', schema: eventsResponse } },
    problems: ['EVENTS_MALFORMED', 'EVENTS_REJECTED', 'BATCH_TOO_LARGE', 'VISITOR_FORGED', 'CONSENT_DENIED'],
    store: true,
  },
  'GET /v1/rank': {
    summary: 'A list that is the same for everybody',
    says: 'For caches: nothing of a visitor may be said. The tag changes with the model.',
    tag: 'Pages',
    caller: 'page',
    query: { slot: listQuery.slot, strategy: listQuery.strategy, item: listQuery.item, k: listQuery.k },
    required: ['slot'],
    answers: {
      200: {
        says: 'The list',
        schema: rankResponse,
        headers: { ETag: 'Changes with the model and with the rules of the slot' },
      },
      304: { says: 'Not changed' },
    },
    problems: ['RANK_MALFORMED', 'MODEL_MISSING'],
  },
  'POST /v1/rank': {
    summary: 'A list for a slot',
    says: 'Never silently stale: `fresh` says whether the stored history was as new as the session token asked for.',
    tag: 'Pages',
    caller: 'page',
    body: json(rankRequest, MAX_RANK_BYTES),
    answers: { 200: { says: 'The list', schema: rankResponse } },
    problems: ['RANK_MALFORMED', 'VISITOR_FORGED', 'MODEL_MISSING'],
  },
  'GET /v1/weights/:sha256': {
    summary: 'Encoder and ranker of the epoch being served',
    says: 'For pages that put lists in order by themselves. Named by digest, so caches keep it for ever.',
    tag: 'Pages',
    caller: 'page',
    path: { sha256: digest },
    answers: { 200: { says: 'The weights by name', schema: weightsResponse } },
    problems: ['WEIGHTS_UNKNOWN', 'MODEL_MISSING'],
  },
  'POST /v1/visitors': {
    summary: 'A new visitor handle',
    says: 'Nothing is stored.',
    tag: 'Visitors',
    caller: 'page',
    body: json(newVisitorRequest, MAX_VISITOR_BYTES),
    answers: { 201: { says: 'The handle', schema: visitorResponse } },
    problems: ['VISITORS_MALFORMED'],
  },
  'POST /v1/visitors/identify': {
    summary: 'The handle of a user, the same on all devices',
    says: 'The site’s server proves who the user is. The handle the device had is linked: export and deletion by the user’s handle cover it.',
    tag: 'Visitors',
    caller: 'page',
    body: json(identifyRequest, MAX_VISITOR_BYTES),
    answers: { 200: { says: 'The user’s handle', schema: visitorResponse } },
    problems: [
      'VISITORS_MALFORMED',
      'VISITOR_FORGED',
      'IDENTITY_DISABLED',
      'IDENTITY_UNPROVEN',
      'CONSENT_DENIED',
    ],
    store: true,
  },
  'POST /v1/visitors/export': {
    summary: 'Everything stored of a visitor',
    tag: 'Visitors',
    caller: 'page',
    body: json(visitorRequest, MAX_VISITOR_BYTES),
    answers: { 200: { says: 'All of it, in the order received', schema: exportResponse } },
    problems: ['VISITORS_MALFORMED', 'VISITOR_FORGED'],
    store: true,
  },
  'POST /v1/visitors/delete': {
    summary: 'Delete everything stored of a visitor',
    tag: 'Visitors',
    caller: 'page',
    body: json(visitorRequest, MAX_VISITOR_BYTES),
    answers: { 200: { says: 'Deleted; looked for again, and nothing found', schema: deleteResponse } },
    problems: ['VISITORS_MALFORMED', 'VISITOR_FORGED'],
    store: true,
  },
  'PUT /v1/items': {
    summary: 'Change the catalogue',
    says: 'Items are replaced whole, so a request may be sent again. Good ones are stored whatever is wrong with the others. When the store stops in between, the problem has `stored`, `deleted`, `rejected`, and the ids `left`.',
    tag: 'Catalogue',
    caller: 'operator',
    body: json(itemsRequest, MAX_ITEMS_BYTES),
    answers: { 200: { says: 'What was done', schema: itemsResponse } },
    problems: ['ITEMS_MALFORMED', 'ITEMS_REJECTED'],
    store: true,
  },
  'GET /v1/items/:id': {
    summary: 'An item of the catalogue',
    tag: 'Catalogue',
    caller: 'operator',
    path: { id: itemId },
    answers: {
      200: { says: 'As it is stored', schema: itemResponse, headers: { ETag: 'Changes with the item' } },
    },
    problems: ['ITEM_UNKNOWN', 'PATH_MALFORMED'],
    store: true,
  },
  'PUT /v1/slots/:slot': {
    summary: 'Rules of a slot',
    says: 'Strategy, filter, boosts, pins, exclusions, limits, diversity and exploration; they replace what was there. They count here at once and on other edges within seconds. A mistake is refused with the path of every one.',
    tag: 'Catalogue',
    caller: 'operator',
    path: { slot: slotName },
    query: { site: siteName },
    body: json(slotRules, MAX_RULES_BYTES),
    answers: { 200: { says: 'Stored', schema: slotResponse } },
    problems: ['RULES_MALFORMED', 'RULES_INVALID', 'SITE_UNKNOWN', 'PATH_MALFORMED'],
    store: true,
  },
  'GET /v1/slots/:slot': {
    summary: 'Rules of a slot as they are stored or configured',
    tag: 'Catalogue',
    caller: 'operator',
    path: { slot: slotName },
    query: { site: siteName },
    answers: { 200: { says: 'The rules', schema: slotResponse } },
    problems: ['SLOT_UNKNOWN', 'SITE_UNKNOWN', 'PATH_MALFORMED'],
    store: true,
  },
  'DELETE /v1/slots/:slot': {
    summary: 'Forget the stored rules of a slot',
    tag: 'Catalogue',
    caller: 'operator',
    path: { slot: slotName },
    query: { site: siteName },
    answers: { 200: { says: 'Whether there were any', schema: deletedSlotResponse } },
    problems: ['SITE_UNKNOWN', 'PATH_MALFORMED'],
    store: true,
  },
  'GET /v1/models': {
    summary: 'Models of this edge',
    tag: 'Models',
    caller: 'trainer or operator',
    answers: { 200: { says: 'What is served, and which epochs there are', schema: modelsResponse } },
    problems: [],
  },
  'POST /v1/models/:epoch/activate': {
    summary: 'Serve an epoch that was taken in before',
    says: 'Older or newer than the one serving, with the deltas still kept of it. What is pushed afterwards must be newer than every epoch before.',
    tag: 'Models',
    caller: 'operator',
    path: { epoch },
    answers: { 200: { says: 'Serving', schema: acknowledged } },
    problems: ['PATH_MALFORMED', 'EPOCH_UNKNOWN', 'ARTIFACT_FILE_MISSING', 'ARTIFACT_DIGEST_MISMATCH'],
  },
  'POST /v1/models/rollback': {
    summary: 'Serve the epoch before the one serving',
    tag: 'Models',
    caller: 'operator',
    answers: { 200: { says: 'Serving', schema: acknowledged } },
    problems: ['EPOCH_UNKNOWN', 'ARTIFACT_FILE_MISSING', 'ARTIFACT_DIGEST_MISMATCH'],
  },
  'PUT /v1/models/files/:sha256': {
    summary: 'Upload one file of an artifact',
    tag: 'Models',
    caller: 'trainer',
    path: { sha256: digest },
    body: { type: 'application/octet-stream', maxBytes: 2_000_000_000 },
    answers: { 201: { says: 'Kept', schema: fileResponse }, 204: { says: 'It was there' } },
    problems: ['PATH_MALFORMED', 'ARTIFACT_DIGEST_MISMATCH'],
  },
  'PUT /v1/models/:epoch': {
    summary: 'Serve a new epoch',
    says: 'The body is the manifest as a compact JWS (EdDSA). Whatever fails, the old epoch keeps serving.',
    tag: 'Models',
    caller: 'trainer',
    path: { epoch },
    body: { type: 'application/jose', maxBytes: MAX_MANIFEST_BYTES },
    answers: { 200: { says: 'Verified and serving', schema: acknowledged } },
    problems: [
      'PATH_MALFORMED',
      'ARTIFACT_SIGNATURE_INVALID',
      'ARTIFACT_VERSION_UNSUPPORTED',
      'ARTIFACT_MALFORMED',
      'ARTIFACT_EPOCH_STALE',
      'ARTIFACT_FILE_MISSING',
      'ARTIFACT_DIGEST_MISMATCH',
      'ARTIFACT_SHAPE_MISMATCH',
      'ARTIFACT_FEATURE_UNKNOWN',
      'ARTIFACT_GOLDEN_MISMATCH',
      'ARTIFACT_OPSET_UNSUPPORTED',
      'ARTIFACT_GRAPH_UNBOUNDED',
      'ARTIFACT_TOO_LARGE',
      'ARTIFACT_TOO_SLOW',
    ],
  },
  'PUT /v1/models/:epoch/deltas/:delta': {
    summary: 'Apply the next delta',
    says: 'One that was applied before changes nothing. Problems say which `epoch` and `delta` are served.',
    tag: 'Models',
    caller: 'trainer',
    path: { epoch, delta: epoch },
    body: { type: 'application/octet-stream', maxBytes: MAX_DELTA_BYTES },
    answers: { 200: { says: 'Serving', schema: acknowledged } },
    problems: [
      'PATH_MALFORMED',
      'ARTIFACT_SIGNATURE_INVALID',
      'ARTIFACT_VERSION_UNSUPPORTED',
      'ARTIFACT_MALFORMED',
      'ARTIFACT_DIGEST_MISMATCH',
      'ARTIFACT_SHAPE_MISMATCH',
      'DELTA_GAP',
      'DELTA_EPOCH_MISMATCH',
    ],
  },
  'GET /healthz': {
    summary: 'The process answers',
    tag: 'Operations',
    caller: 'anybody',
    answers: { 200: { says: 'It lives', schema: healthResponse } },
    problems: [],
  },
  'GET /readyz': {
    summary: 'The process can answer a rank',
    tag: 'Operations',
    caller: 'anybody',
    answers: {
      200: { says: 'It can', schema: readyResponse },
      503: { says: 'It cannot yet', schema: readyResponse },
    },
    problems: [],
  },
  'GET /metrics': {
    summary: 'This process in Prometheus’s text format',
    tag: 'Operations',
    caller: 'trainer',
    answers: { 200: { says: 'Counters, histograms and gauges', type: 'text/plain' } },
    problems: [],
  },
  'GET /openapi.json': {
    summary: 'This description',
    tag: 'Operations',
    caller: 'anybody',
    answers: { 200: { says: 'OpenAPI 3.1', type: 'application/json' }, 304: { says: 'Not changed' } },
    problems: [],
  },
  'GET /docs': {
    summary: 'This description, to be read',
    tag: 'Operations',
    caller: 'anybody',
    answers: { 200: { says: 'A page', type: 'text/html' }, 304: { says: 'Not changed' } },
    problems: [],
  },
}
