import { expect, test } from 'vitest'
import { RateLimiter } from './rate-limit.ts'

test('a bucket of 3 that fills by 2 a second: three at once, then one every half second, worked by hand', () => {
  let now = 1_000
  const limiter = new RateLimiter({ address: { perSecond: 2, burst: 3 } }, () => now)
  const take = () => {
    try {
      limiter.take('address', 'a')
      return 'ok'
    } catch (error) {
      return (error as { retryAfterS: number }).retryAfterS
    }
  }
  expect([take(), take(), take(), take()]).toEqual(['ok', 'ok', 'ok', 1])
  now += 499
  expect(take()).toBe(1)
  now += 1
  expect([take(), take()]).toEqual(['ok', 1])
  now += 60_000
  expect([take(), take(), take(), take()]).toEqual(['ok', 'ok', 'ok', 1])
})

test('buckets are apart; scopes without a limit are free; a clock set back gives nothing away', () => {
  let now = 1_000
  const limiter = new RateLimiter({ visitor: { perSecond: 0.1, burst: 1 } }, () => now)
  limiter.take('visitor', 'a')
  limiter.take('visitor', 'b')
  now -= 500
  expect(() => limiter.take('visitor', 'a')).toThrowError(
    expect.objectContaining({ code: 'RATE_LIMITED', retryAfterS: 10 }),
  )
  for (let request = 0; request < 1_000; request++) limiter.take('key', 'k')
})

test('the bucket used least lately makes room for the 50,001st', () => {
  const limiter = new RateLimiter({ address: { perSecond: 0.001, burst: 1 } }, () => 0)
  for (let address = 0; address < 50_001; address++) limiter.take('address', String(address))
  expect(() => limiter.take('address', '50000')).toThrowError(
    expect.objectContaining({ code: 'RATE_LIMITED' }),
  )
  limiter.take('address', '0')
})
