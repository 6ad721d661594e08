import type { Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'

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
  const serving = deps.models.serving
  const gauges = {
    attune_epoch: serving?.epoch ?? 0,
    attune_delta: serving?.delta ?? 0,
    attune_items: serving?.items ?? 0,
    attune_epoch_age_seconds: serving === null ? 0 : (deps.now() - Date.parse(serving.swappedAt)) / 1_000,
    attune_last_delta_age_seconds: (deps.now() - deps.models.changedAt) / 1_000,
  }
  return c.text(deps.metrics.text(gauges), 200, {
    'content-type': 'text/plain; version=0.0.4; charset=utf-8',
  })
}
