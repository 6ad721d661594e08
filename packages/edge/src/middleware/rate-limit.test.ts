import { Hono } from 'hono'
import { expect, test } from 'vitest'
import type { AppEnv } from '../app.ts'
import { RateLimiter, takeFor } from './rate-limit.ts'

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

test('what was let through is told after a tenth of a burst, and a debt of others closes this bucket too', async () => {
  let now = 1_000
  const told: [string, number][] = []
  const limiter = new RateLimiter({ address: { perSecond: 2, burst: 20 } }, () => now, {
    spend(name, requests) {
      told.push([name, requests])
      return Promise.resolve(told.length < 3 ? 0 : 4_000)
    },
  })
  limiter.take('address', 'a')
  await limiter.settle()
  expect(told).toEqual([])
  limiter.take('address', 'a')
  await limiter.settle()
  await limiter.settle()
  expect(told).toEqual([['address a', 2]])
  for (let request = 0; request < 4; request++) {
    limiter.take('address', 'a')
    await limiter.settle()
  }
  expect(told.map(([, requests]) => requests)).toEqual([2, 2, 2])
  expect(() => limiter.take('address', 'a')).toThrowError(expect.objectContaining({ retryAfterS: 4 }))
  limiter.take('address', 'b')
  now += 4_000
  limiter.take('address', 'a')
})

test('without the others each counts for itself', async () => {
  const limiter = new RateLimiter({ address: { perSecond: 1, burst: 2 } }, () => 0, {
    spend: () => Promise.reject(new Error('gone')),
  })
  limiter.take('address', 'a')
  await limiter.settle()
  limiter.take('address', 'a')
  expect(() => limiter.take('address', 'a')).toThrowError(expect.objectContaining({ code: 'RATE_LIMITED' }))
})

test('an answer tells of the emptiest bucket: 10 with 2 a second, 4 with 1 a second, worked by hand; GET tells nothing', async () => {
  let now = 1_000
  const limits = { address: { perSecond: 2, burst: 10 }, visitor: { perSecond: 1, burst: 4 } }
  const limiter = new RateLimiter(limits, () => now)
  const app = new Hono<AppEnv>()
  app.all('/:visitor', (c) => {
    takeFor(c, { limiter }, 'address', 'a')
    takeFor(c, { limiter }, 'key', 'k')
    takeFor(c, { limiter }, 'visitor', c.req.param('visitor'))
    return c.body(null, 204)
  })
  const ask = async (visitor: string, method = 'POST') => {
    const { headers } = await app.request(`/${visitor}`, { method })
    return ['limit', 'remaining', 'reset'].map((name) => headers.get(`ratelimit-${name}`))
  }
  expect(await ask('v')).toEqual(['4', '3', '1'])
  now += 500
  // 3.5 and one less: 2.5, full again in 1.5 s.
  expect(await ask('v')).toEqual(['4', '2', '2'])
  expect(await ask('v', 'GET')).toEqual([null, null, null])
  // The address: 9, 9 half a second later, 8, and 7 to 4 with these.
  for (const visitor of ['b', 'c', 'd', 'e']) expect(await ask(visitor)).toEqual(['4', '3', '1'])
  expect(await ask('f')).toEqual(['10', '3', '4'])
})
