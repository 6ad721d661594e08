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

/** Routes of the trainer: a push key as bearer token. */
export function pushKey(config: Config): MiddlewareHandler<AppEnv> {
  const siteKeys = new Set(config.sites.flatMap((site) => site.keys))
  return async (c, next) => {
    const bearer = /^Bearer\s+(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    const key = bearer ?? c.req.query('key') ?? c.req.header('x-attune-key')
    if (key === undefined || key === '')
      throw new EdgeError('KEY_MISSING', 'expected a push key as Authorization: Bearer')
    if (siteKeys.has(key))
      throw new EdgeError('KEY_FORBIDDEN', 'a public site key may not change models; use a push key')
    // No early exit: the time taken says nothing about which key came how close.
    const matches = config.pushKeys.map((known) => equalInConstantTime(known, key))
    if (bearer === undefined || !matches.includes(true))
      throw new EdgeError('KEY_UNKNOWN', 'the push key is not one of this edge')
    await next()
  }
}

function equalInConstantTime(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let index = 0; index < a.length; index++)
    difference |= a.charCodeAt(index) ^ b.charCodeAt(index % (b.length || 1))
  return difference === 0
}
