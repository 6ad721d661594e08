import type { MiddlewareHandler } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import { RateLimitError } from './rate-limit.ts'

const HELD_MS = 250
/** Held at once, at most about so many: those beyond it are answered immediately. */
const MAX_HELD = 1_000
/** A refused body up to this size is read to its end meanwhile. */
const MAX_READ_BYTES = 65_536

/**
 * Hands a refusal for too many requests over a quarter of a second later: a caller who sends the next request when the
 * last was answered, as most floods do, then costs a connection 4 requests a second and not thousands, and everybody else
 * does not queue behind it. A visitor's page that is refused waits for a second and more anyway.
 */
export function holdBack({ host, elapsed }: Pick<AppDeps, 'host' | 'elapsed'>): MiddlewareHandler<AppEnv> {
  // Counted by time and not by who has been let go: in workerd the promise of a caller who went away may not settle.
  let since = -Infinity
  let held = 0
  return async (c, next) => {
    await next()
    if (!(c.error instanceof RateLimitError)) return
    const now = elapsed()
    if (now - since >= HELD_MS) {
      since = now
      held = 0
    }
    if (++held > MAX_HELD) return
    // Left unread, workerd closes the connection under the answer; Node reads it to its end by itself.
    const unread = host === 'workerd' && !c.req.raw.bodyUsed && Number(c.req.header('content-length'))
    if (unread !== false && unread <= MAX_READ_BYTES) void c.req.raw.arrayBuffer().catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, HELD_MS))
  }
}
