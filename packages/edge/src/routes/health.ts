import type { Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import type { ReadyResponse } from '../schema/models.ts'
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

/**
 * `GET /readyz`: 503 with what is missing until this process can answer a rank; for load balancers. Trouble with Cosmos
 * is told and no reason to take no requests: lists go on from what pages send, and another process has the same Cosmos.
 */
export async function getReady(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const [epoch, trouble] = await Promise.all([
    deps.models.epoch((work) => {
      c.executionCtx.waitUntil(work)
    }),
    deps.reachability.trouble((timeoutMs) => deps.regions.probe(timeoutMs)),
  ])
  const answer: ReadyResponse = {
    ready: epoch !== undefined,
    missing: epoch === undefined ? ['model'] : [],
    degraded: [
      ...(trouble === undefined ? [] : [trouble]),
      ...(deps.regions.writable ? [] : ['COSMOS_WRITE_FORBIDDEN']),
      ...(deps.regions.unknown.length === 0 ? [] : ['COSMOS_REGION_UNKNOWN']),
    ],
  }
  return c.json(answer, answer.ready ? 200 : 503)
}

/** `GET /metrics`: this process in Prometheus's text format. */
export function getMetrics(deps: AppDeps, c: Context<AppEnv>): Response {
  const gauges = gaugesOf(deps.models, deps.freshness, deps.now())
  return c.text(deps.metrics.text(gauges), 200, {
    'content-type': 'text/plain; version=0.0.4; charset=utf-8',
  })
}
