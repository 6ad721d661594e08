import { SparkError } from './errors.ts'

/** What talking to a service's REST interface takes. */
export interface HttpOptions {
  readonly fetch: typeof fetch
  /** A bearer token that is valid now; asked for before every request. */
  readonly token: () => Promise<string>
  /** Resolves after so many milliseconds, or rejects when the signal fires. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
}

export interface HttpRequest {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

const TRIES = 6
const LONGEST_WAIT_MS = 60_000

/**
 * One request, repeated while the service is busy: 429 and 5xx, and no answer, after `Retry-After` or 1, 2, 4 … seconds.
 * What creates something is only repeated where the body makes it safe to.
 *
 * @throws {SparkError} `SPARK_UNAUTHORIZED`, `SPARK_REFUSED`, `SPARK_UNREACHABLE`, `SPARK_ABORTED`
 */
export async function request(
  url: string,
  { fetch, token, sleep }: HttpOptions,
  { method = 'GET', body, headers, signal }: HttpRequest = {},
  repeatable = true,
): Promise<Response> {
  const where = `${method} ${new URL(url).origin}${new URL(url).pathname}`
  for (let attempt = 1; ; attempt++) {
    if (isAborted(signal)) throw aborted(where)
    let response: Response | undefined
    let cause: unknown
    try {
      response = await fetch(url, {
        method,
        headers: {
          authorization: `Bearer ${await token()}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(signal && { signal }),
      })
    } catch (error) {
      if (isAborted(signal)) throw aborted(where)
      if (error instanceof SparkError) throw error
      cause = error
    }
    if (response?.ok === true) return response
    const busy = response === undefined || response.status === 429 || response.status >= 500
    if (!busy || attempt === TRIES || (!repeatable && response?.status !== 429)) {
      throw await failure(where, response, cause)
    }
    await response?.body?.cancel()
    const asked = Number(response?.headers.get('retry-after') ?? Number.NaN) * 1_000
    const wait = Number.isFinite(asked) && asked >= 0 ? asked : 1_000 * 2 ** (attempt - 1)
    await sleep(Math.min(wait, LONGEST_WAIT_MS), signal).catch(() => {
      throw aborted(where)
    })
  }
}

/** Asked anew each time: a signal fires while one waits. */
export function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

/** The JSON object of an answer. @throws {SparkError} `SPARK_UNREACHABLE` when it is none */
export async function objectIn(response: Response): Promise<Readonly<Record<string, unknown>>> {
  const text = await response.text()
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // said below
  }
  throw new SparkError(
    'SPARK_UNREACHABLE',
    `${response.url}: expected a JSON object, received ${JSON.stringify(text.slice(0, 80))}`,
  )
}

function aborted(where: string): SparkError {
  return new SparkError('SPARK_ABORTED', `${where}: stopped`)
}

async function failure(where: string, response: Response | undefined, cause: unknown): Promise<SparkError> {
  if (response === undefined) return new SparkError('SPARK_UNREACHABLE', `${where}: no answer`, { cause })
  const reason = messageIn(await response.text().catch(() => ''))
  const text = `${where}: ${response.status}${reason === '' ? '' : `, ${reason}`}`
  if (response.status === 401 || response.status === 403) {
    return new SparkError(
      'SPARK_UNAUTHORIZED',
      `${text}; is the token the service’s own, and may its owner do this?`,
    )
  }
  const refused = response.status < 500 && response.status !== 429
  return new SparkError(refused ? 'SPARK_REFUSED' : 'SPARK_UNREACHABLE', text)
}

/** Databricks says `{error_code, message}`, Synapse and storage `{error: {code, message}}` or `{code, message}`. */
function messageIn(text: string): string {
  try {
    const answer = JSON.parse(text) as Record<string, unknown>
    const error = (answer['error'] ?? answer) as Record<string, unknown>
    const code = error['code'] ?? error['error_code']
    return [code, error['message']].filter((part) => typeof part === 'string').join(': ')
  } catch {
    return text.slice(0, 200)
  }
}
