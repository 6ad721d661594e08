// Writes azure/openapi-*.json anew, what API Management imports:
//   node --conditions=@attune/source deploy/checks/gateway-openapi.ts
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openApiDocument, type OpenApiOperation } from '../../packages/edge/src/openapi/document.ts'

/** Who calls through the gateway: pages, or operators. Trainers push past it. */
export type Audience = 'pages' | 'operators'

const SCHEME: Readonly<Record<Audience, string>> = { pages: 'siteKey', operators: 'adminKey' }
const VERSION = '/v1'

/**
 * The edge's own document as far as an audience may call it, in OpenAPI 3.0.3. Bodies are named and not described: the
 * service takes no schema that refers to itself, and the edge checks every body itself.
 *
 * @see https://learn.microsoft.com/azure/api-management/api-management-api-import-restrictions
 */
export function gatewayDocument(audience: Audience): object {
  const { info, paths } = openApiDocument()
  const kept: Record<string, Record<string, object>> = {}
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const offered = operation.security.some((scheme) => Object.hasOwn(scheme, SCHEME[audience]))
      if (!offered && !(audience === 'operators' && path === '/readyz')) continue
      const own = path.startsWith(VERSION) ? path.slice(VERSION.length) : path
      kept[own] = { ...kept[own], [method]: reduced(operation) }
      // A page asks whether it may ask: the edge answers that itself. For operators the gateway does.
      if (audience === 'pages') kept[own]['options'] = preflight(operation)
    }
  }
  return {
    openapi: '3.0.3',
    info: {
      title: `${String(info['title'])}, ${audience}`,
      version: info['version'],
      description: info['description'],
      license: { name: 'MIT' },
    },
    servers: [{ url: `https://gateway.example${VERSION}` }],
    paths: kept,
  }
}

function reduced({
  operationId,
  summary,
  tags,
  parameters,
  requestBody,
  responses,
}: OpenApiOperation): object {
  const inPath = (parameters ?? []).filter((parameter) => parameter.in === 'path')
  return {
    operationId,
    summary,
    tags,
    ...(inPath.length > 0 && {
      parameters: inPath.map(({ name }) => ({
        name,
        in: 'path',
        required: true,
        schema: { type: 'string' },
      })),
    }),
    ...(requestBody !== undefined && {
      requestBody: { required: true, content: types(requestBody.content) },
    }),
    responses: Object.fromEntries(
      Object.entries(responses).map(([status, { description, content }]) => [
        status,
        { description, ...(content !== undefined && { content: types(content) }) },
      ]),
    ),
  }
}

function preflight({ operationId, summary, tags, parameters }: OpenApiOperation): object {
  const asked = { operationId: `${operationId}Preflight`, summary: `${summary}: preflight`, tags }
  const responses = { 204: { description: 'The edge knows the origin, or does not' } }
  return { ...reduced({ ...asked, security: [], responses, ...(parameters && { parameters }) }), responses }
}

function types(content: Readonly<Record<string, unknown>>): Record<string, object> {
  return Object.fromEntries(Object.keys(content).map((type) => [type, {}]))
}

/** The file that Bicep loads. */
export function gatewayFile(audience: Audience): string {
  return join(import.meta.dirname, '..', 'azure', `openapi-${audience}.json`)
}

if (process.argv[1] === import.meta.filename) {
  for (const audience of ['pages', 'operators'] as const)
    writeFileSync(gatewayFile(audience), `${JSON.stringify(gatewayDocument(audience), undefined, 2)}\n`)
}
