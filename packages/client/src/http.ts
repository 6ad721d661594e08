export interface Answer {
  /** 0: no answer came. */
  readonly status: number
  /** Parsed JSON; undefined when there was none. */
  readonly body: unknown
  /** What `Retry-After` asked for. */
  readonly retryAfterMs: number | undefined
  readonly durationMs: number
}

export interface PostOptions {
  /** Let the request outlive the page. */
  readonly keepalive?: boolean
  readonly signal?: AbortSignal
}

export type Post = (
  path: 'visitors' | 'events' | 'rank',
  body: object,
  options?: PostOptions,
) => Promise<Answer>

export interface HttpOptions {
  readonly endpoint: string
  readonly site: string
  readonly fetch: typeof fetch
  readonly now: () => number
}

/** An edge that has not answered by then is asked again. */
export const ANSWER_WITHIN_MS = 10_000

/** Longer waits are not believed: a wrong header must not silence a site. */
export const MAX_RETRY_AFTER_MS = 600_000

/** `Retry-After`: seconds, or a date. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null || header.trim() === '') return undefined
  const seconds = Number(header)
  const ms = Number.isNaN(seconds) ? Date.parse(header) - now : seconds * 1_000
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS)
}

/**
 * Speaks the wire protocol: JSON sent as `text/plain` with the key in the address, which no browser asks permission for
 * (no preflight) and which `keepalive` carries past the end of a page. Never rejects.
 */
export function createPost({ endpoint, site, fetch, now }: HttpOptions): Post {
  return async (path, body, { keepalive = false, signal = AbortSignal.timeout(ANSWER_WITHIN_MS) } = {}) => {
    const started = performance.now()
    let status = 0
    let parsed: unknown
    let retryAfterMs: number | undefined
    try {
      const response = await fetch(
        `${endpoint.replace(/\/$/, '')}/v1/${path}?key=${encodeURIComponent(site)}`,
        {
          method: 'POST',
          headers: { 'content-type': 'text/plain' },
          body: JSON.stringify(body),
          credentials: 'omit',
          keepalive,
          signal,
        },
      )
      retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), now())
      ;({ status } = response)
      parsed = await response.json()
    } catch {
      // No answer, or one without JSON: the status says which.
    }
    return { status, body: parsed, retryAfterMs, durationMs: performance.now() - started }
  }
}
