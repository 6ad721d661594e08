import type { Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import { gaugesOf } from '../telemetry/gauges.ts'

/** `GET /healthz`: the process answers. What it serves is told, but not part of being alive. */
export function getHealth(deps: AppDeps, c: Context<AppEnv>): Response {
  const serving = deps.models.serving
  return c.json({
    ok: true,
    host: deps.host,
    epoch: serving?.epoch ?? null,
    delta: serving?.delta ?? null,
    engine: serving?.engine ?? 'none',
  })
}

/** `GET /readyz`: 503 with what is missing until this process can answer a rank; for load balancers. */
export async function getReady(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const epoch = await deps.models.epoch((work) => {
    c.executionCtx.waitUntil(work)
  })
  return epoch === undefined
    ? c.json({ ready: false, missing: ['model'] }, 503)
    : c.json({ ready: true, missing: [] })
}

/** `GET /metrics`: this process in Prometheus's text format. */
export function getMetrics(deps: AppDeps, c: Context<AppEnv>): Response {
  const gauges = gaugesOf(deps.models, deps.freshness, deps.now())
  return c.text(deps.metrics.text(gauges), 200, {
    'content-type': 'text/plain; version=0.0.4; charset=utf-8',
  })
}
