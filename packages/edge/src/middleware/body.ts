import { describe } from '@attune/core'
import type { Context } from 'hono'
import type { AppEnv } from '../app.ts'
import { EdgeError, type EdgeErrorCode } from '../error.ts'

const BODY_TIMEOUT_MS = 15_000

/**
 * The body's bytes, refused as soon as there are more than `limit` or they take longer than 15 s.
 *
 * @throws {EdgeError} `BODY_TOO_LARGE`, `BODY_TIMEOUT`
 */
export async function readBytes(
  c: Context<AppEnv>,
  limit: number,
  timeoutMs: number = BODY_TIMEOUT_MS,
): Promise<Uint8Array<ArrayBuffer>> {
  const announced = Number(c.req.header('content-length') ?? NaN)
  if (announced > limit) throw tooLarge(limit, `${announced}`)
  const stream = c.req.raw.body
  if (stream === null) return new Uint8Array(0)
  const reader = stream.getReader()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new EdgeError('BODY_TIMEOUT', `expected the whole body within ${timeoutMs} ms`))
    }, timeoutMs)
  })
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late])
      if (done) break
      size += value.length
      if (size > limit) throw tooLarge(limit, `at least ${size}`)
      chunks.push(value)
    }
  } catch (error) {
    void reader.cancel().catch(() => undefined)
    throw error
  } finally {
    clearTimeout(timer)
  }
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
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
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
