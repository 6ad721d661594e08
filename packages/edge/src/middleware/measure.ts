import type { MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import type { AppDeps, AppEnv } from '../app.ts'

/** Counts and times every request by its route's pattern, never by its path: paths may hold anything. */
export function measure({
  metrics,
  elapsed,
}: Pick<AppDeps, 'metrics' | 'elapsed'>): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const started = elapsed()
    await next()
    const route = routePath(c, -1)
    metrics.count('attune_requests_total', { route, status: c.res.status })
    metrics.time('attune_request_seconds', elapsed() - started, { route })
  }
}
