import { uuidv7, type Random } from '@attune/core'
import type { MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import type { AppEnv } from '../app.ts'
import type { Log } from '../log.ts'

/** Gives every request an id, in `x-request-id` and in the log. One sent by the caller is not trusted with that. */
export function requestId(deps: { now: () => number; random: Random; log: Log }): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const id = uuidv7(deps.now(), deps.random)
    c.set('requestId', id)
    c.set('log', (level, message, fields) => {
      // The route's pattern: a path may hold anything.
      deps.log(level, message, { requestId: id, method: c.req.method, route: routePath(c, -1), ...fields })
    })
    c.header('x-request-id', id)
    // What a cache may keep says so itself; without a word it may keep a 200 or 404 as long as it likes (RFC 9111 §4.2.2).
    if (c.req.method === 'GET') c.header('cache-control', 'no-store')
    await next()
  }
}
