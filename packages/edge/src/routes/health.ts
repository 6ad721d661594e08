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
