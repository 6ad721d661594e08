import { uuidv7, type Random } from '@attune/core'
import type { MiddlewareHandler } from 'hono'
import type { AppEnv, Log } from '../app.ts'

/** Gives every request an id, in `x-request-id` and in the log. One sent by the caller is not trusted with that. */
export function requestId(deps: { now: () => number; random: Random; log: Log }): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const id = uuidv7(deps.now(), deps.random)
    c.set('requestId', id)
    c.set('log', (level, message, fields) => {
      deps.log(level, message, { requestId: id, method: c.req.method, path: c.req.path, ...fields })
    })
    c.header('x-request-id', id)
    await next()
  }
}
