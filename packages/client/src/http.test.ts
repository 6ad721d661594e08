import { expect, test } from 'vitest'
import { backoff } from './backoff.ts'
import { createPost, parseRetryAfter } from './http.ts'

// RFC 9110 §10.2.3: delay-seconds or an HTTP-date.
test.each([
  ['2', 2_000],
  ['0', 0],
  ['86400', 600_000],
  ['Wed, 21 Oct 2015 07:28:05 GMT', 5_000],
  ['Wed, 21 Oct 2015 07:27:00 GMT', 0],
  ['soon', 0],
  ['', 0],
  [null, 0],
])('Retry-After: %s waits %s ms', (header, expected) => {
  expect(parseRetryAfter(header, Date.UTC(2015, 9, 21, 7, 28, 0))).toBe(expected)
})

test('retries wait between half and all of 1, 2, 4, … 60 s', () => {
  const spans = [1, 2, 3, 6, 7, 30].map((attempt) => [backoff(attempt, () => 0), backoff(attempt, () => 1)])
  expect(spans).toEqual([
    [500, 1_000],
    [1_000, 2_000],
    [2_000, 4_000],
    [16_000, 32_000],
    [30_000, 60_000],
    [30_000, 60_000],
  ])
})

test('a request is a simple one (text/plain, key in the address, no credentials) and never rejects', async () => {
  const calls: [string, RequestInit | undefined][] = []
  const fetcher: typeof fetch = async (input, init) => {
    calls.push([input as string, init])
    if (calls.length === 2) throw new TypeError('failed to fetch')
    return new Response('<html>log in</html>', { status: 200 })
  }
  const post = createPost('https://edge.test/attune/', 'a key', fetcher, () => 0)
  const answer = await post('events', { a: 1 }, true)
  expect([answer._status, answer._body]).toEqual([200, undefined])
  expect((await post('rank', {}, false))._status).toBe(0)
  expect(calls[0]?.[0]).toBe('https://edge.test/attune/v1/events?key=a%20key')
  expect(calls[0]?.[1]).toMatchObject({
    method: 'POST',
    body: '{"a":1}',
    credentials: 'omit',
    keepalive: true,
  })
  // A text for a body: the Fetch standard makes its type text/plain;charset=UTF-8, which needs no preflight.
  expect(calls[0]?.[1]).not.toHaveProperty('headers')
})
