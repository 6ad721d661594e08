import { Hono } from 'hono'
import { expect, test } from 'vitest'
import type { AppEnv } from '../app.ts'
import { readBytes } from './body.ts'

/** An app that answers with the length of the body, or the code of what was thrown. */
function appWith(limit: number, timeoutMs: number): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  app.onError((error, c) => c.text((error as { code?: string }).code ?? String(error), 400))
  app.post('/', async (c) => c.text(String((await readBytes(c, limit, timeoutMs)).length)))
  return app
}

const stream = (chunks: number, size: number): ReadableStream<Uint8Array> => {
  let left = chunks
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(new Uint8Array(size))
      else controller.close()
    },
  })
}

async function post(
  app: Hono<AppEnv>,
  body: BodyInit,
  headers: Record<string, string> = {},
): Promise<string> {
  const response = await app.request('/', { method: 'POST', body, headers, duplex: 'half' } as RequestInit)
  return response.text()
}

test('exactly the limit is taken, one byte more is not', async () => {
  const app = appWith(100, 1_000)
  expect(await post(app, stream(10, 10))).toBe('100')
  expect(await post(app, stream(10, 11))).toBe('BODY_TOO_LARGE')
})

test('an endless body is given up after 16 MB', async () => {
  expect(await post(appWith(100, 5_000), stream(Infinity, 100_000))).toBe('BODY_TOO_LARGE')
})

test('what is too large is read on at most at 13 MB a second, all such bodies together, and others are not held up', async () => {
  const app = appWith(65_536, 5_000)
  const started = performance.now()
  const large = [post(app, stream(32, 65_536)), post(app, stream(32, 65_536))]
  expect(await post(app, stream(1, 65_536))).toBe('65536')
  const small = performance.now() - started
  expect(await Promise.all(large)).toEqual(['BODY_TOO_LARGE', 'BODY_TOO_LARGE'])
  // 31 steps of 65,536 bytes each, less the two that the limit lets through at once: 60 pauses of 5 ms.
  expect(performance.now() - started).toBeGreaterThan(290)
  expect(small).toBeLessThan(performance.now() - started)
})

test('a body that is too large already and stops coming is refused for its size', async () => {
  const stalled = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(500)),
  })
  expect(await post(appWith(100, 50), stalled)).toBe('BODY_TOO_LARGE')
})

test('a body that stops coming is BODY_TIMEOUT', async () => {
  const stalled = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(5)),
  })
  expect(await post(appWith(100, 50), stalled)).toBe('BODY_TIMEOUT')
  const promised = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(5)),
  })
  expect(await post(appWith(100, 50), promised, { 'content-length': '10' })).toBe('BODY_TIMEOUT')
})
