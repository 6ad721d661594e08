import { toJsonSchema, toJsonSchemaDefs, type ConversionConfig } from '@valibot/to-json-schema'
import type { GenericSchema } from 'valibot'
import { statusOf } from '../middleware/problem.ts'
import { event, eventsRequest, eventsResponse } from '../schema/events.ts'
import { itemAttributes, itemChange } from '../schema/items.ts'
import { modelsResponse } from '../schema/models.ts'
import { expressionNode } from '../schema/expression.ts'
import { issue, problem } from '../schema/problem.ts'
import { rankRequest, rankResponse } from '../schema/rank.ts'
import { slotRules } from '../schema/slots.ts'
import type { Answer, Caller, Operation, ProblemCode } from './operation.ts'
import { OPERATIONS } from './operations.ts'

/** JSON Schema 2020-12, as OpenAPI 3.1 has it. */
export type JsonSchema = Readonly<Record<string, unknown>>

export interface OpenApiOperation {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly parameters?: readonly OpenApiParameter[]
  readonly requestBody?: OpenApiBody
  readonly responses: Readonly<Record<string, OpenApiResponse>>
}

export interface OpenApiParameter {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly required: boolean
  readonly schema: JsonSchema
}

export interface OpenApiBody {
  readonly description: string
  readonly required: true
  readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>>
}

export interface OpenApiResponse {
  readonly description: string
  readonly headers?: Readonly<Record<string, { readonly description: string; readonly schema: JsonSchema }>>
  readonly content?: Readonly<Record<string, { readonly schema: JsonSchema }>>
}

export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly info: Readonly<Record<string, unknown>>
  readonly servers: readonly { readonly url: string; readonly description: string }[]
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>
  readonly components: {
    readonly securitySchemes: Readonly<Record<string, JsonSchema>>
    readonly schemas: Readonly<Record<string, JsonSchema>>
  }
}

/** Schemas with a name of their own in the document. */
const NAMED: Readonly<Record<string, GenericSchema>> = {
  Event: event,
  EventsRequest: eventsRequest,
  EventsResponse: eventsResponse,
  RankRequest: rankRequest,
  RankResponse: rankResponse,
  Expression: expressionNode,
  SlotRules: slotRules,
  ItemAttributes: itemAttributes,
  ItemChange: itemChange,
  ModelsResponse: modelsResponse,
  Issue: issue,
  Problem: problem,
}

const SECURITY: Readonly<Record<Caller, readonly Readonly<Record<string, readonly string[]>>[]>> = {
  anybody: [],
  page: [{ siteKey: [] }, { siteKeyHeader: [] }],
  trainer: [{ pushKey: [] }],
  operator: [{ adminKey: [] }],
  'trainer or operator': [{ pushKey: [] }, { adminKey: [] }],
}

const OF_CALLER: Readonly<Record<Caller, readonly ProblemCode[]>> = {
  anybody: [],
  page: ['KEY_MISSING', 'KEY_UNKNOWN', 'ORIGIN_FORBIDDEN', 'RATE_LIMITED', 'QUOTA_EXCEEDED'],
  trainer: ['KEY_MISSING', 'KEY_UNKNOWN', 'KEY_FORBIDDEN'],
  operator: ['KEY_MISSING', 'KEY_UNKNOWN', 'KEY_FORBIDDEN'],
  'trainer or operator': ['KEY_MISSING', 'KEY_UNKNOWN', 'KEY_FORBIDDEN'],
}

const TAGS = [
  { name: 'Pages', description: 'What a page says and asks on every view' },
  { name: 'Visitors', description: 'Handles, and what is stored of them' },
  { name: 'Catalogue', description: 'Items and their attributes' },
  { name: 'Models', description: 'Epochs and deltas, signed by trainers' },
  { name: 'Operations', description: 'For machines that watch, and for readers' },
]

/** The whole API as OpenAPI 3.1, made of the schemas that requests are checked against. */
export function openApiDocument(): OpenApiDocument {
  const paths: Record<string, Record<string, OpenApiOperation>> = {}
  for (const [route, operation] of Object.entries(OPERATIONS)) {
    const [method = '', path = ''] = route.split(' ')
    const spelled = path.replace(/:(\w+)/g, '{$1}')
    paths[spelled] = { ...paths[spelled], [method.toLowerCase()]: toOperation(method, path, operation) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Attune edge',
      version: '1.0.0',
      summary: 'Stores clicks and ranks with them, in the very next list',
      description:
        'Bodies of pages are read as JSON whatever their content type says: `text/plain` saves a preflight. Every answer has `x-request-id`; every problem is `application/problem+json` (RFC 9457) with a `code` that does not change within a version. Where limits are set, answers to a page’s POST have `ratelimit-limit`, `ratelimit-remaining` and `ratelimit-reset` of the nearest one.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This edge' }],
    tags: TAGS,
    paths,
    components: {
      securitySchemes: {
        siteKey: { type: 'apiKey', in: 'query', name: 'key', description: 'A public key of a site' },
        siteKeyHeader: { type: 'apiKey', in: 'header', name: 'x-attune-key', description: 'The same' },
        pushKey: { type: 'http', scheme: 'bearer', description: 'A secret key of trainers' },
        adminKey: { type: 'http', scheme: 'bearer', description: 'A secret key of operators' },
      },
      schemas: toJsonSchemaDefs(NAMED, CONVERSION) as Readonly<Record<string, JsonSchema>>,
    },
  }
}

function toOperation(method: string, path: string, operation: Operation): OpenApiOperation {
  const { body } = operation
  const parameters = [
    ...Object.entries(operation.path ?? {}).map(([name, schema]) => parameter('path', name, schema, true)),
    ...Object.entries(operation.query ?? {}).map(([name, schema]) =>
      parameter('query', name, schema, operation.required?.includes(name) ?? false),
    ),
  ]
  return {
    operationId: operationId(method, path),
    summary: operation.summary,
    ...(operation.says !== undefined && { description: operation.says }),
    tags: [operation.tag],
    security: SECURITY[operation.caller],
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: {
        description: `At most ${body.maxBytes.toLocaleString('en')} bytes`,
        required: true,
        content: { [body.type]: { schema: body.schema === undefined ? {} : convert(body.schema) } },
      },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.answers).map(([status, answer]) => [status, toResponse(answer)]),
      ),
      ...problemsOf(operation),
    },
  }
}

function parameter(
  place: 'path' | 'query',
  name: string,
  schema: GenericSchema,
  required: boolean,
): OpenApiParameter {
  return { name, in: place, required, schema: convert(schema) }
}

function toResponse({ says, schema, type, headers }: Answer): OpenApiResponse {
  return {
    description: says,
    ...(headers !== undefined && {
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, text]) => [
          name,
          { description: text, schema: { type: 'string' } },
        ]),
      ),
    }),
    ...((schema !== undefined || type !== undefined) && {
      content: { [type ?? 'application/json']: { schema: schema === undefined ? {} : convert(schema) } },
    }),
  }
}

/** One response per status, with the codes it may have. */
function problemsOf(operation: Operation): Record<string, OpenApiResponse> {
  const codes: readonly ProblemCode[] = [
    ...OF_CALLER[operation.caller],
    ...(operation.body === undefined ? [] : (['BODY_TOO_LARGE', 'BODY_TIMEOUT'] as const)),
    ...operation.problems,
    ...(operation.store === true ? (['STORE_UNAVAILABLE'] as const) : []),
  ]
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of codes) {
    const status = statusOf(code)
    if (operation.answers[status] !== undefined) continue
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        description: ofStatus.map((code) => `\`${code}\``).join(', '),
        content: {
          'application/problem+json': {
            schema: {
              allOf: [
                { $ref: '#/components/schemas/Problem' },
                { type: 'object', properties: { code: { enum: ofStatus } } },
              ],
            },
          },
        },
      },
    ]),
  )
}

/** `PUT /v1/models/:epoch/deltas/:delta` → `putModelsEpochDeltasDelta`. */
function operationId(method: string, path: string): string {
  const words = path.replace(/^\/v\d+/, '').match(/[A-Za-z0-9]+/g) ?? []
  return [method.toLowerCase(), ...words.map((word) => word[0]?.toUpperCase() + word.slice(1))].join('')
}

const CONVERSION: ConversionConfig = {
  target: 'draft-2020-12',
  typeMode: 'input',
  // Checks that JSON Schema has no words for are told in descriptions.
  errorMode: 'ignore',
  // Items may leave `deleted` out, so that two of the choices are not exclusive by the letter.
  overrideSchema: ({ valibotSchema, jsonSchema: { oneOf, ...rest } }) =>
    valibotSchema.type === 'variant' && oneOf !== undefined ? { ...rest, anyOf: oneOf } : undefined,
  overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
}

function convert(schema: GenericSchema): JsonSchema {
  const { $schema: _, $defs: __, ...converted } = toJsonSchema(schema, { ...CONVERSION, definitions: NAMED })
  return converted as JsonSchema
}
