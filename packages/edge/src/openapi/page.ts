import { html, raw } from 'hono/html'
import type { HtmlEscapedString } from 'hono/utils/html'
import type { JsonSchema, OpenApiDocument, OpenApiOperation } from './document.ts'

// The description for readers: one page of plain HTML, no script and nothing from elsewhere, so that it costs a Worker
// next to nothing and works behind any policy.

type Html = HtmlEscapedString | Promise<HtmlEscapedString>

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #2f6f4f }
@media (prefers-color-scheme: dark) { :root { --accent: #7cc7a0 } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem 1rem 6rem }
h1, h2, h3 { line-height: 1.2 } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line) }
code { font: .875em ui-monospace, monospace; background: var(--soft); padding: .1em .3em; border-radius: 3px }
a { color: var(--accent) } nav ul { columns: 18rem; list-style: none; padding: 0 } nav li { break-inside: avoid }
article { border: 1px solid var(--line); border-radius: 8px; padding: 0 1rem 1rem; margin: 1rem 0 }
h3 b { color: var(--accent); font-family: ui-monospace, monospace; margin-right: .5em }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .3em .6em .3em 0; border-top: 1px solid var(--line) }
th { font-weight: 500; white-space: nowrap } summary { cursor: pointer } .scroll { overflow-x: auto }
`
const MAX_DEPTH = 6

/** The whole document as one page. */
export function docsPage(document: OpenApiDocument): Html {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  const { title, version, description } = document.info
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${String(title)} API</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <header>
          <h1>${String(title)} API ${String(version)}</h1>
          <p>${prose(String(description))}</p>
          <p>For machines: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1)</p>
        </header>
        <nav aria-label="Routes">
          <ul>
            ${operations.map(
              ({ method, path, operation }) =>
                html`<li>
                  <a href="#${operation.operationId}"><code>${method} ${path}</code></a>
                </li>`,
            )}
          </ul>
        </nav>
        <main>
          ${document.tags.map(
            (tag) =>
              html`<h2>${tag.name}</h2>
                <p>${tag.description}</p>
                ${operations
                  .filter(({ operation }) => operation.tags.includes(tag.name))
                  .map(({ method, path, operation }) => article(document, method, path, operation))}`,
          )}
        </main>
      </body>
    </html>`
}

function article(document: OpenApiDocument, method: string, path: string, operation: OpenApiOperation): Html {
  const keys = operation.security.map((entry) => Object.keys(entry)[0] ?? '').join(' or ')
  const { requestBody, parameters } = operation
  return html`<article id="${operation.operationId}">
    <h3><b>${method}</b><code>${path}</code></h3>
    <p>${operation.summary}. ${prose(operation.description ?? '')}</p>
    <p>Key: ${keys === '' ? 'none' : keys}</p>
    ${
      parameters === undefined
        ? ''
        : html`<h4>Parameters</h4>
            <div class="scroll">
              <table>
                ${parameters.map(
                  ({ name, in: place, schema }) =>
                    html`<tr>
                      <th><code>${name}</code></th>
                      <td>${place}; ${typeOf(document, schema)}. ${saysOf(document, schema)}</td>
                    </tr>`,
                )}
              </table>
            </div>`
    }
    ${
      requestBody === undefined
        ? ''
        : html`<h4>Body</h4>
            <p>${Object.keys(requestBody.content).join(', ')}. ${requestBody.description}.</p>
            ${Object.values(requestBody.content).map(({ schema }) => properties(document, schema, 0))}`
    }
    <h4>Answers</h4>
    <div class="scroll">
      <table>
        ${Object.entries(operation.responses).map(
          ([status, response]) =>
            html`<tr>
              <th>${status}</th>
              <td>
                ${prose(response.description)}
                ${
                  Number(status) >= 400 && response.content?.['application/json'] === undefined
                    ? ''
                    : Object.values(response.content ?? {}).map(({ schema }) =>
                        properties(document, schema, 0),
                      )
                }
              </td>
            </tr>`,
        )}
      </table>
    </div>
  </article>`
}

/** The properties of an object, those of objects within it folded. */
function properties(document: OpenApiDocument, given: JsonSchema, depth: number): Html | '' {
  const schema = resolved(document, given)
  if (depth > MAX_DEPTH) return ''
  const inner = schema['items'] ?? schema['additionalProperties']
  const choices = schema['oneOf'] ?? schema['anyOf']
  if (Array.isArray(choices))
    return html`${choices.map((choice: JsonSchema) => properties(document, choice, depth + 1))}`
  const known = schema['properties'] as Readonly<Record<string, JsonSchema>> | undefined
  if (known === undefined)
    return typeof inner === 'object' ? properties(document, inner as JsonSchema, depth + 1) : ''
  const required = (schema['required'] ?? []) as readonly string[]
  return html`<div class="scroll">
    <table>
      ${Object.entries(known).map(([name, property]) => {
        const within = properties(document, property, depth + 1)
        return html`<tr>
          <th><code>${name}</code>${required.includes(name) ? '' : '?'}</th>
          <td>
            ${typeOf(document, property)}. ${saysOf(document, property)}
            ${
              within === ''
                ? ''
                : html`<details>
                    <summary>Properties</summary>
                    ${within}
                  </details>`
            }
          </td>
        </tr>`
      })}
    </table>
  </div>`
}

/** `#/components/schemas/Event` → what stands there. */
function resolved(document: OpenApiDocument, schema: JsonSchema): JsonSchema {
  const reference = schema['$ref']
  if (typeof reference !== 'string') return schema
  return document.components.schemas[reference.split('/').at(-1) ?? ''] ?? schema
}

function typeOf(document: OpenApiDocument, given: JsonSchema): string {
  const schema = resolved(document, given)
  const choices = schema['anyOf'] ?? schema['oneOf']
  if (Array.isArray(choices))
    return [...new Set(choices.map((choice: JsonSchema) => typeOf(document, choice)))].join(' or ')
  if (Array.isArray(schema['enum'])) return schema['enum'].map(String).join(', ')
  if ('const' in schema) return String(schema['const'])
  const tuple = schema['prefixItems']
  if (Array.isArray(tuple)) return `[${tuple.map((one: JsonSchema) => typeOf(document, one)).join(', ')}]`
  if (schema['type'] === 'array')
    return `array of ${typeOf(document, (schema['items'] ?? {}) as JsonSchema)}${limits(schema, 'Items', 'entries')}`
  const type = typeof schema['type'] === 'string' ? schema['type'] : 'anything'
  return `${type}${limits(schema, 'Length', 'characters')}${range(schema)}`
}

function limits(schema: JsonSchema, suffix: string, unit: string): string {
  const [min, max] = [schema[`min${suffix}`], schema[`max${suffix}`]]
  if (typeof max !== 'number') return ''
  return typeof min === 'number' ? `, ${min} to ${max} ${unit}` : `, at most ${max} ${unit}`
}

function range(schema: JsonSchema): string {
  const { minimum, maximum } = schema
  if (typeof minimum !== 'number') return ''
  return typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER
    ? `, ${minimum} to ${maximum}`
    : `, from ${minimum}`
}

function saysOf(document: OpenApiDocument, schema: JsonSchema): Html | string {
  const says = schema['description'] ?? resolved(document, schema)['description']
  return typeof says === 'string' ? html`${prose(says)}.` : ''
}

/** Text with `code` in it. */
function prose(text: string): Html {
  return html`${text.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))}`
}
