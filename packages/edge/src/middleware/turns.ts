import type { MiddlewareHandler } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'

/** Of what an address may ask at once, so great a part is worked on at a time. */
const TURN_PART = 0.1
const MIN_TURNS = 4
const STEP_MS = 5
/** A request that ended without saying so, as one whose caller went away may in workerd, holds a turn for so long at most. */
const LOST_MS = 2_000
const MAX_WAIT_MS = 1_000
/** Addresses kept; beyond it the one that came first is forgotten. */
const MAX_ADDRESSES = 10_000

/**
 * Works on a tenth of an address's burst at a time; its other requests wait their turn, at most a second. A limit lets a
 * burst through at once, and all of it would stand in front of everybody else's next request.
 */
export function takeTurns({
  config,
  addressOf,
  elapsed,
}: Pick<AppDeps, 'config' | 'addressOf' | 'elapsed'>): MiddlewareHandler<AppEnv> {
  const burst = config.limits.address?.burst
  const turns = Math.max(MIN_TURNS, Math.ceil((burst ?? Infinity) * TURN_PART))
  /** When the requests under way began, by address. */
  const underWay = new Map<string, Set<{ readonly at: number }>>()
  return async (c, next) => {
    const address = burst === undefined ? undefined : addressOf(c)
    if (address === undefined) return next()
    const came = elapsed()
    while (isFull(underWay.get(address), turns, elapsed() - LOST_MS) && elapsed() - came < MAX_WAIT_MS)
      await new Promise((resolve) => setTimeout(resolve, STEP_MS))
    const turn = { at: elapsed() }
    const taken = underWay.get(address) ?? new Set()
    underWay.set(address, taken.add(turn))
    if (underWay.size > MAX_ADDRESSES) underWay.delete(underWay.keys().next().value ?? '')
    try {
      await next()
    } finally {
      taken.delete(turn)
      if (taken.size === 0 && underWay.get(address) === taken) underWay.delete(address)
    }
  }
}

/** Whether so many requests are under way, leaving out and forgetting those that began before `since`. */
function isFull(taken: Set<{ readonly at: number }> | undefined, turns: number, since: number): boolean {
  if (taken === undefined || taken.size < turns) return false
  for (const turn of taken) if (turn.at < since) taken.delete(turn)
  return taken.size >= turns
}
