import {
  MAX_RECENT_EVENTS,
  type Problem,
  type RankRequest,
  type RankResponse,
  type TrackedEvent,
} from '@attune/core'
import { given } from './given.ts'
import type { Parts } from './parts.ts'
import { recentOf } from './recent.ts'
import { adoptToken } from './session.ts'
import type { Fields } from './template.ts'

/** How long a page waits for a list before it stays as it is. */
export const DEFAULT_RANK_TIMEOUT_MS = 1_500

export interface RankOptions {
  readonly slot?: string
  readonly strategy?: NonNullable<RankRequest['strategy']>
  /** What `similar` starts from. */
  readonly item?: string
  /** Length of the list. */
  readonly k?: number
  readonly exclude?: readonly string[]
  readonly history?: NonNullable<RankRequest['history']>
  /** Shown for a while: with ranking on the device it follows what the visitor does, see the event `reordered`. */
  readonly live?: boolean
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface RankCall extends RankOptions {
  readonly candidates?: readonly string[]
  /** A newer call with the same key aborts this one; the slot's name where not given. */
  readonly key?: object
  /** Ask for what the device needs to rank. */
  readonly device?: boolean
}

/** A list, with what its cards say once they have been asked for. */
export type List = RankResponse & { _fields?: Readonly<Record<string, Fields>> | undefined }

/** Resolves to undefined, never rejects, when there is no list: failed, too late, or superseded by a newer request. */
export interface RankSlot {
  (slot: string, options: RankCall): Promise<List | undefined>
  /** What stood there, when the visitor has just come back to it. */
  _recall?(slot: string, options: RankCall): List | undefined
  /** Whether the visitor has come back to this page and not done anything since. */
  _isBack?(): boolean
}

/** What a list needs to know of an event; where on the page it happened is not part of it. */
const brief = ({ id, kind, item, at, value, query }: TrackedEvent): TrackedEvent =>
  given<TrackedEvent>({ id, kind, item, at, value, query })

/** Asks the edge for lists. A newer request for a slot aborts the older one. */
export function createRanker(parts: Parts, timeoutMs: number = DEFAULT_RANK_TIMEOUT_MS): RankSlot {
  const { _facts: facts, _report: report } = parts
  const current = new Map<unknown, AbortController>()
  return async (
    name,
    // `live` is not the edge's business.
    // oxlint-disable-next-line no-unused-vars
    { timeoutMs: within = timeoutMs, signal, slot = name, key = slot, live: _, ...options },
  ) => {
    const born = parts._generation
    current.get(key)?.abort()
    const controller = new AbortController()
    const stop = (): void => controller.abort()
    const stopped = new Promise<undefined>((resolve) =>
      controller.signal.addEventListener('abort', () => resolve(undefined)),
    )
    current.set(key, controller)
    const timer = setTimeout(() => {
      report('RANK_TIMEOUT', `${slot}: ${within} ms`)
      stop()
    }, within)
    signal?.addEventListener('abort', stop)
    if (signal?.aborted) stop()

    async function ask(): Promise<RankResponse | undefined> {
      let recent: TrackedEvent[] | undefined
      if (parts._allowed())
        await parts._kept._update((all) => {
          facts._note(all)
          recent = recentOf(all)
          return []
        })
      const { visitor, session } = recent ? facts._known : {}
      const request = given<RankRequest>({
        slot,
        visitor,
        // Whoever has no handle yet has nothing stored either.
        session: visitor && session,
        recent: recent?.slice(-MAX_RECENT_EVENTS).map(brief),
        ...options,
      })
      const answer = await parts._post('rank', request, false, controller.signal)
      if (controller.signal.aborted || parts._generation !== born) return undefined
      const response = answer._body as (RankResponse & Partial<Problem>) | undefined
      if (answer._status !== 200 || !Array.isArray(response?.items)) {
        report('RANK_FAILED', `${slot}: ${response?.code ?? `HTTP ${answer._status}`}`)
        return undefined
      }
      await facts._update((now) => adoptToken(now, response.session, session))
      if (controller.signal.aborted) return undefined
      parts._emit('ranked', { request, response, durationMs: answer._durationMs })
      return response
    }
    try {
      return await Promise.race([ask(), stopped])
    } catch (cause) {
      report('RANK_FAILED', slot, { cause })
      return undefined
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      if (current.get(key) === controller) current.delete(key)
    }
  }
}
