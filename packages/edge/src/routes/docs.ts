import { sha256Hex } from '@attune/core/artifact'
import type { Context } from 'hono'
import type { AppEnv } from '../app.ts'
import { matchesTag } from '../middleware/etag.ts'
import { openApiDocument } from '../openapi/document.ts'
import { docsPage } from '../openapi/page.ts'

interface Page {
  readonly text: string
  readonly etag: string
}

const MAX_AGE_S = 3_600

// Made at the first request for it and kept: values, as workerd does not share a request's promises.
let description: Page | undefined
let page: Page | undefined

/** `GET /openapi.json` */
export async function getOpenApi(c: Context<AppEnv>): Promise<Response> {
  description ??= await toPage(JSON.stringify(openApiDocument()))
  return send(c, description, 'application/json')
}

/** `GET /docs` */
export async function getDocs(c: Context<AppEnv>): Promise<Response> {
  page ??= await toPage(String(await docsPage(openApiDocument())))
  c.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
  return send(c, page, 'text/html; charset=utf-8')
}

async function toPage(text: string): Promise<Page> {
  return { text, etag: `"${(await sha256Hex(new TextEncoder().encode(text))).slice(0, 32)}"` }
}

function send(c: Context<AppEnv>, { text, etag }: Page, type: string): Response {
  const headers = { etag, 'cache-control': `public, max-age=${MAX_AGE_S}` }
  if (matchesTag(c.req.header('if-none-match'), etag)) return c.body(null, 304, headers)
  return c.body(text, 200, { ...headers, 'content-type': type })
}
