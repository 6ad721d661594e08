import { elapsed } from './elapsed.ts'
import { attempt } from './store/attempt.ts'

export interface Answer {
  /** 0: no answer came. */
  _status: number
  /** Parsed JSON; undefined when there was none. */
  _body?: unknown
  /** What `Retry-After` asked for; 0 or none: nothing. */
  _waitMs?: number
  _durationMs: number
}

export type Post = (
  path: 'visitors' | 'events' | 'rank',
  body: object,
  /** Let the request outlive the page. `later`: the page is going, and nobody will hear the answer. */
  keepalive: boolean | 'later',
  signal?: AbortSignal,
) => Promise<Answer>

/** Takes over a request that the browser makes when the page has gone. Not every browser has it. */
declare const fetchLater: (url: string, init: RequestInit & { activateAfter: number }) => unknown

/** An edge that has not answered by then is asked again. */
export const ANSWER_WITHIN_MS = 10_000

/** Longer waits are not believed: a wrong header must not silence a site. */
export const MAX_RETRY_AFTER_MS = 600_000

/** `Retry-After`: seconds, or a date. 0 where there is none or it is not understood. */
export function parseRetryAfter(header: string | null, now: number): number {
  const ms = Number(header) * 1_000 || Date.parse(header as string) - now || 0
  return Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS)
}

/**
 * Speaks the wire protocol: JSON sent as `text/plain`, as texts are by themselves, with the key in the address, which no browser asks permission for
 * (no preflight) and which `keepalive` carries past the end of a page. Never rejects.
 *
 * @param consent - said to an edge that would otherwise go by the browser's Global Privacy Control
 */
export function createPost(
  endpoint: string,
  site: string,
  fetcher: typeof fetch | undefined,
  now: () => number,
  consent?: 'granted',
): Post {
  return async (path, body, keepalive, signal = AbortSignal.timeout(ANSWER_WITHIN_MS)) => {
    const started = elapsed()
    const answer: Answer = { _status: 0, _durationMs: 0 }
    const url = `${endpoint.replace(/\/$/, '')}/v1/${path}?key=${encodeURIComponent(site)}`
    const init: RequestInit = {
      method: 'POST',
      body: JSON.stringify({ ...body, consent }),
      credentials: 'omit',
    }
    // It is missing, or throws when the page has used up its quota.
    if (attempt(() => keepalive === 'later' && !fetcher && fetchLater(url, { ...init, activateAfter: 0 })))
      return answer
    try {
      const response = await (fetcher ?? fetch)(url, { ...init, keepalive: keepalive as boolean, signal })
      answer._waitMs = parseRetryAfter(response.headers.get('retry-after'), now())
      answer._status = response.status
      answer._body = await response.json()
    } catch {
      // No answer, or one without JSON: the status says which.
    }
    answer._durationMs = elapsed() - started
    return answer
  }
}
