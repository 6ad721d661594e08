import { Hono } from 'hono'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { AppEnv } from '../app.ts'
import { holdBack } from './hold-back.ts'
import { RateLimitError } from './rate-limit.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

function app(): Hono<AppEnv> {
  const made = new Hono<AppEnv>()
  made.onError((_, c) => c.text('', 429))
  made.use('*', holdBack({ host: 'node', elapsed: () => performance.now() }))
  made.get('/refused', () => {
    throw new RateLimitError('address', { perSecond: 1, burst: 1 }, 1)
  })
  made.get('/failed', () => {
    throw new Error('something else')
  })
  made.get('/good', (c) => c.text('good'))
  return made
}

test('a refusal for too many requests is handed over after 250 ms, everything else at once', async () => {
  const edge = app()
  expect((await edge.request('/good')).status).toBe(200)
  expect((await edge.request('/failed')).status).toBe(429)
  let answered = 0
  const refused = Promise.resolve(edge.request('/refused')).then(({ status }) => {
    answered = status
  })
  await vi.advanceTimersByTimeAsync(249)
  expect(answered).toBe(0)
  await vi.advanceTimersByTimeAsync(1)
  await refused
  expect(answered).toBe(429)
})

test('1,000 are held in 250 ms, the 1,001st is refused at once; then they are held again', async () => {
  const edge = app()
  const held = Array.from({ length: 1_000 }, () => edge.request('/refused'))
  expect((await edge.request('/refused')).status).toBe(429)
  await vi.advanceTimersByTimeAsync(250)
  await Promise.all(held)
  let answered = false
  const next = Promise.resolve(edge.request('/refused')).then(() => {
    answered = true
  })
  await vi.advanceTimersByTimeAsync(200)
  expect(answered).toBe(false)
  await vi.advanceTimersByTimeAsync(50)
  await next
})
