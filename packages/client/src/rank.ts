import type { Problem, RankRequest, RankResponse, TrackedEvent } from '@attune/core'
import type { Emitter } from './emitter.ts'
import type { Report } from './error.ts'
import { given } from './given.ts'
import type { Post } from './http.ts'
import type { Queue } from './queue.ts'
import type { SessionKeeper } from './session.ts'
import type { VisitorHandle } from './visitor.ts'

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

export interface RankerDeps {
  readonly queue: Queue
  readonly post: Post
  readonly visitor: VisitorHandle
  readonly session: SessionKeeper
  readonly emit: Emitter['emit']
  readonly report: Report
  readonly timeoutMs: number
  /** Changes when the visitor is forgotten: older answers no longer count. */
  readonly generation: () => number
  /** Whether the visitor lets anything about them be sent. */
  readonly allowed: () => boolean
}

export interface RankCall extends RankOptions {
  readonly candidates?: readonly string[]
  /** A newer call with the same key aborts this one; the slot's name where not given. */
  readonly key?: object
  /** Ask for what the device needs to rank. */
  readonly device?: boolean
}

/** Resolves to undefined, never rejects, when there is no list: failed, too late, or superseded by a newer request. */
export type RankSlot = (slot: string, options: RankCall) => Promise<RankResponse | undefined>

/** What a list needs to know of an event; where on the page it happened is not part of it. */
const brief = ({ id, kind, item, at, value, query }: TrackedEvent): TrackedEvent =>
  given<TrackedEvent>({ id, kind, item, at, value, query })

/** Asks the edge for lists. A newer request for a slot aborts the older one. */
export function createRanker(deps: RankerDeps): RankSlot {
  const { queue, post, visitor, session, emit, report, generation } = deps
  const current = new Map<unknown, AbortController>()
  return async (
    name,
    // `live` is not the edge's business.
    // oxlint-disable-next-line no-unused-vars
    { timeoutMs: within = deps.timeoutMs, signal, slot = name, key = slot, live: _, ...options },
  ) => {
    const born = generation()
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
      const [handle, token, recent] = deps.allowed()
        ? await Promise.all([visitor.read(), session.read(), queue.recent()])
        : []
      const request = given<RankRequest>({
        slot,
        visitor: handle,
        // Whoever has no handle yet has nothing stored either.
        session: handle && token,
        recent: recent?.map(brief),
        ...options,
      })
      const answer = await post('rank', request, controller)
      if (controller.signal.aborted || generation() !== born) return undefined
      const response = answer.body as (RankResponse & Partial<Problem>) | undefined
      if (answer.status !== 200 || !Array.isArray(response?.items)) {
        report('RANK_FAILED', `${slot}: ${response?.code ?? `HTTP ${answer.status}`}`)
        return undefined
      }
      await session.adopt(response.session, token, false)
      if (controller.signal.aborted) return undefined
      emit('ranked', { request, response, durationMs: answer.durationMs })
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
