import { describe } from '@attune/core'
import type { Context } from 'hono'
import type { AppEnv } from '../app.ts'
import { EdgeError, type EdgeErrorCode } from '../error.ts'

const UTF8 = new TextDecoder('utf-8', { fatal: true })
const BODY_TIMEOUT_MS = 15_000
/** Read and thrown away of a body that is too large: a caller who is still sending cannot read why it was refused. */
const MAX_DRAINED_BYTES = 16_000_000
/**
 * All refused bodies together are read in steps of so much with a pause between, about 13 MB a second. As fast as they
 * come, workerd looks at nobody else until it is through: 10 MB held up everybody for a tenth of a second.
 */
const DRAINED_AT_ONCE = 65_536
const DRAIN_PAUSE_MS = 5
/** When this process reads on, by `performance.now`. */
let drainAt = 0

/**
 * The body's bytes, refused when there are more than `limit` or they take longer than 15 s. Never holds more than `limit`.
 *
 * @throws {EdgeError} `BODY_TOO_LARGE`, `BODY_TIMEOUT`
 */
export async function readBytes(
  c: Context<AppEnv>,
  limit: number,
  timeoutMs: number = BODY_TIMEOUT_MS,
): Promise<Uint8Array<ArrayBuffer>> {
  const announced = Number(c.req.header('content-length') ?? NaN)
  const stream = announced <= limit ? undefined : c.req.raw.body
  if (stream === null) return new Uint8Array(0)
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new EdgeError('BODY_TIMEOUT', `expected the whole body within ${timeoutMs} ms`))
    }, timeoutMs)
  })
  try {
    // The host holds a body to the length it announced, so what is short enough is taken at once.
    const reading =
      stream === undefined
        ? Promise.race([c.req.raw.arrayBuffer(), late]).then((bytes) => new Uint8Array(bytes))
        : readStream(stream, limit, announced, late)
    return await (c.var.whileReading?.(reading) ?? reading)
  } finally {
    clearTimeout(timer)
  }
}

function drainPause(): Promise<void> {
  const now = performance.now()
  drainAt = Math.max(now, drainAt) + DRAIN_PAUSE_MS
  return new Promise((resolve) => setTimeout(resolve, drainAt - now))
}

async function readStream(
  stream: ReadableStream<Uint8Array>,
  limit: number,
  announced: number,
  late: Promise<never>,
): Promise<Uint8Array<ArrayBuffer>> {
  const drained = limit + MAX_DRAINED_BYTES
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  let pauseAt = limit + DRAINED_AT_ONCE
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late])
      if (done) break
      size += value.length
      if (size > drained || announced > drained)
        throw tooLarge(limit, `at least ${Math.max(size, announced || 0)}`)
      if (size <= limit) chunks.push(value)
      else chunks.length = 0
      if (size < pauseAt) continue
      pauseAt = size + DRAINED_AT_ONCE
      await Promise.race([drainPause(), late])
    }
  } catch (error) {
    throw size > limit ? tooLarge(limit, `at least ${size}`) : error
  } finally {
    // Not cancelled: the host would reset the connection before the caller could read why.
    reader.releaseLock()
  }
  if (size > limit) throw tooLarge(limit, `${size}`)
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

/**
 * The body as a JSON object, whatever its content type says: `text/plain` saves pages a preflight.
 *
 * @param code - what is thrown when it is not one
 * @throws {EdgeError} `code`, `BODY_TOO_LARGE`, `BODY_TIMEOUT`
 */
export async function readJsonObject(
  c: Context<AppEnv>,
  limit: number,
  code: EdgeErrorCode,
): Promise<object> {
  const bytes = await readBytes(c, limit)
  let value: unknown
  try {
    value = JSON.parse(UTF8.decode(bytes))
  } catch (cause) {
    throw new EdgeError(code, `body: expected JSON, received ${bytes.length} bytes that do not parse`, {
      cause,
    })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EdgeError(code, `body: expected a JSON object, received ${describe(value)}`)
  }
  return value
}

/** An own property of parsed JSON; never one inherited from a prototype. */
export function field(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined
}

function tooLarge(limit: number, received: string): EdgeError {
  return new EdgeError('BODY_TOO_LARGE', `body: expected at most ${limit} bytes, received ${received}`)
}
