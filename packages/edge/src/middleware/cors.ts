import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from '../app.ts'
import type { Site } from '../config.ts'
import { EdgeError } from '../error.ts'

const PREFLIGHT_S = '86400'
const EXPOSED =
  'x-request-id, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset, etag, deprecation, sunset, link'

/**
 * Cross-origin answers for the origins sites configured. Runs before the keys are read, so that a page can also read why
 * it was refused; {@link checkOrigin} then holds a key to its own site's origins.
 */
export function cors(sites: readonly Site[]): MiddlewareHandler<AppEnv> {
  const any = sites.some((site) => site.origins === undefined)
  const known = new Set(sites.flatMap((site) => site.origins ?? []))
  return async (c, next) => {
    const origin = c.req.header('origin')
    if (origin === undefined) return next()
    const allowed = any || known.has(origin)
    if (allowed) {
      c.header('access-control-allow-origin', origin)
      c.header('access-control-expose-headers', EXPOSED)
    }
    c.header('vary', 'origin')
    if (c.req.method !== 'OPTIONS') return next()
    if (allowed) {
      c.header('access-control-allow-methods', 'GET, POST, PUT, DELETE, OPTIONS')
      c.header('access-control-allow-headers', 'content-type, x-attune-key, authorization')
      c.header('access-control-max-age', PREFLIGHT_S)
    }
    return c.body(null, 204)
  }
}

/** @throws {EdgeError} `ORIGIN_FORBIDDEN` when a page of another origin uses the site's key */
export function checkOrigin(site: Site, origin: string | undefined): void {
  if (origin === undefined || site.origins === undefined || site.origins.includes(origin)) return
  throw new EdgeError(
    'ORIGIN_FORBIDDEN',
    `origin: expected one of site ${site.id}, received ${origin.slice(0, 100)}`,
  )
}
