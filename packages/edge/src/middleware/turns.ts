import type { MiddlewareHandler } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'

/** So many requests of one address are worked on at a time. */
const TURNS = 4
const STEP_MS = 5
/** A body that takes longer comes over a slow line, and its request gives its turn back meanwhile. */
const BODY_MS = 20
/** A request that ended without saying so, as one whose caller went away may in workerd, holds a turn for so long at most. */
const LOST_MS = 2_000
/** A store that has become slow must not keep those waiting who share an address. */
const MAX_WAIT_MS = 250
/** Addresses kept; beyond it the one that came first is forgotten. */
const MAX_ADDRESSES = 10_000

/**
 * Works on few of an address's requests at a time; the others wait their turn, at most a quarter of a second. A limit lets
 * a burst through at once, and each step of everybody else's next request would queue behind all of it.
 *
 * They wait before their bodies are read: 50 that are read side by side are themselves what others queue behind. Where
 * addresses are not limited, nobody waits.
 */
export function takeTurns({
  config,
  addressOf,
  elapsed,
}: Pick<AppDeps, 'config' | 'addressOf' | 'elapsed'>): MiddlewareHandler<AppEnv> {
  const limited = config.limits.address !== undefined
  /** When the requests under way began, by address. */
  const underWay = new Map<string, Set<{ readonly at: number }>>()
  return async (c, next) => {
    const address = limited ? addressOf(c) : undefined
    if (address === undefined) return next()
    let giveBack: (() => void) | undefined
    const take = async (): Promise<void> => {
      const came = elapsed()
      while (isFull(underWay.get(address), elapsed() - LOST_MS) && elapsed() - came < MAX_WAIT_MS)
        await new Promise((resolve) => setTimeout(resolve, STEP_MS))
      const turn = { at: elapsed() }
      const taken = underWay.get(address) ?? new Set()
      underWay.set(address, taken.add(turn))
      if (underWay.size > MAX_ADDRESSES) underWay.delete(underWay.keys().next().value ?? '')
      giveBack = () => {
        taken.delete(turn)
        if (taken.size === 0 && underWay.get(address) === taken) underWay.delete(address)
        giveBack = undefined
      }
    }
    await take()
    c.set('whileReading', async (reading) => {
      const timer = setTimeout(() => giveBack?.(), BODY_MS)
      const bytes = await reading.finally(() => {
        clearTimeout(timer)
      })
      if (giveBack === undefined) await take()
      return bytes
    })
    try {
      await next()
    } finally {
      giveBack?.()
    }
  }
}

/** Whether as many are under way as may be, leaving out and forgetting those that began before `since`. */
function isFull(taken: Set<{ readonly at: number }> | undefined, since: number): boolean {
  if (taken === undefined || taken.size < TURNS) return false
  for (const turn of taken) if (turn.at < since) taken.delete(turn)
  return taken.size >= TURNS
}
