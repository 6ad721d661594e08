import { CodedError } from '@attune/core'
import type { MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import type { AppDeps, AppEnv } from '../app.ts'
import { CosmosError } from '../cosmos/errors.ts'
import { RateLimitError } from './rate-limit.ts'

/** Counts and times every request by its route's pattern, never by its path: paths may hold anything. */
export function measure({
  metrics,
  telemetry,
}: Pick<AppDeps, 'metrics' | 'telemetry'>): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const trace = telemetry.begin(c.req.header('traceparent'))
    c.set('trace', trace)
    trace.note({ 'attune.request_id': c.get('requestId') })
    await next()
    trace.end()
    const route = routePath(c, -1)
    const { status } = c.res
    metrics.count('attune_requests_total', { route, status })
    metrics.time('attune_request_seconds', trace.duration, { route })
    for (const { name, from, to } of trace.stages)
      metrics.time('attune_stage_seconds', to - from, { route, stage: name })
    const { error } = c
    if (error instanceof RateLimitError) metrics.count('attune_rate_limited_total', { by: error.scope })
    if (error instanceof CosmosError) metrics.count('attune_cosmos_errors_total', { code: error.code })
    const code = error instanceof CodedError ? error.code : error === undefined ? undefined : 'INTERNAL'
    c.get('log')('debug', 'answered', { status, ms: Math.round(trace.duration * 1_000) / 1_000, code })
    telemetry.finish(
      { trace, method: c.req.method, route, status, ...(code !== undefined && { error: code }) },
      (work) => {
        c.executionCtx.waitUntil(work)
      },
    )
  }
}
