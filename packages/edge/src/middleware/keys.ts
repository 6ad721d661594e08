import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from '../app.ts'
import type { Config, Site } from '../config.ts'
import { EdgeError } from '../error.ts'
import { checkOrigin } from './cors.ts'

/** Public routes: a site key in `?key=` or `x-attune-key`; sets `site`. */
export function siteKey(config: Config): MiddlewareHandler<AppEnv> {
  const siteOf = new Map<string, Site>(
    config.sites.flatMap((site) => site.keys.map((key) => [key, site] as const)),
  )
  return async (c, next) => {
    const key = c.req.query('key') ?? c.req.header('x-attune-key')
    if (key === undefined || key === '')
      throw new EdgeError('KEY_MISSING', 'expected a site key as ?key= or x-attune-key')
    const site = siteOf.get(key)
    if (site === undefined) throw new EdgeError('KEY_UNKNOWN', 'the site key is not one of this edge')
    checkOrigin(site, c.req.header('origin'))
    c.set('site', site)
    await next()
  }
}

/** Who holds a secret key. */
export type SecretKeyRole = 'push' | 'admin'

/** Routes of trainers: a push key as bearer token. */
export function pushKey(config: Config): MiddlewareHandler<AppEnv> {
  return secretKey(config, ['push'])
}

/** Routes of operators: an admin key as bearer token. */
export function adminKey(config: Config): MiddlewareHandler<AppEnv> {
  return secretKey(config, ['admin'])
}

/** A key of one of `roles` as bearer token. */
export function secretKey(config: Config, roles: readonly SecretKeyRole[]): MiddlewareHandler<AppEnv> {
  const siteKeys = new Set(config.sites.flatMap((site) => site.keys))
  const keysOf: Readonly<Record<SecretKeyRole, readonly string[]>> = {
    push: config.pushKeys,
    admin: config.adminKeys,
  }
  const names = roles.map((role) => `${role} key`).join(' or ')
  return async (c, next) => {
    const bearer = /^Bearer\s+(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    const key = bearer ?? c.req.query('key') ?? c.req.header('x-attune-key')
    if (key === undefined || key === '')
      throw new EdgeError('KEY_MISSING', `expected ${names} as Authorization: Bearer`)
    if (siteKeys.has(key))
      throw new EdgeError('KEY_FORBIDDEN', `expected ${names}, received a public site key`)
    const role = bearer === undefined ? undefined : roleOf(keysOf, bearer)
    if (role === undefined) throw new EdgeError('KEY_UNKNOWN', `expected ${names} of this edge`)
    if (!roles.includes(role)) throw new EdgeError('KEY_FORBIDDEN', `expected ${names}, received ${role} key`)
    await next()
  }
}

/** Looks at every key without an early exit: the time taken says nothing about which one came how close. */
function roleOf(
  keysOf: Readonly<Record<SecretKeyRole, readonly string[]>>,
  key: string,
): SecretKeyRole | undefined {
  let found: SecretKeyRole | undefined
  for (const role of ['push', 'admin'] as const) {
    for (const known of keysOf[role]) if (equalInConstantTime(known, key)) found = role
  }
  return found
}

function equalInConstantTime(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let index = 0; index < a.length; index++)
    difference |= a.charCodeAt(index) ^ b.charCodeAt(index % (b.length || 1))
  return difference === 0
}
