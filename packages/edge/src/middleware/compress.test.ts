import { gunzipSync, gzipSync } from 'node:zlib'
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import type { AppEnv } from '../app.ts'
import { compressedJson, readsGzip } from './compress.ts'

const value = (length: number) => ({ text: 'a'.repeat(length) })
const gzip = (text: string) => new Uint8Array(gzipSync(text))

async function answer(length: number, accepts: string | undefined, host: { gzip?: typeof gzip }) {
  const app = new Hono<AppEnv>()
  app.get('/', (c) => compressedJson({ gzip: host.gzip }, c, value(length), { vary: 'origin' }))
  const headers = accepts === undefined ? {} : { 'accept-encoding': accepts }
  const response = await app.request('/', { headers })
  const bytes = Buffer.from(await response.arrayBuffer())
  const encoding = response.headers.get('content-encoding')
  expect(response.headers.get('content-type')).toBe('application/json')
  expect(JSON.parse(String(encoding === 'gzip' ? gunzipSync(bytes) : bytes))).toEqual(value(length))
  return [encoding, response.headers.get('vary')]
}

test('large JSON is compressed for callers who read gzip, small JSON and that of hosts that compress by themselves is not', async () => {
  expect(await answer(5_000, 'gzip, deflate, br', { gzip })).toEqual(['gzip', 'origin, accept-encoding'])
  expect(await answer(5_000, undefined, { gzip })).toEqual([null, 'origin, accept-encoding'])
  expect(await answer(1_000, 'gzip', { gzip })).toEqual([null, 'origin'])
  expect(await answer(5_000, 'gzip', {})).toEqual([null, 'origin'])
})

test.each([
  ['gzip', true],
  ['br;q=1.0, GZIP;q=0.5', true],
  ['*', true],
  ['gzip;q=0', false],
  ['gzip; q=0, *', false],
  ['*;q=0', false],
  ['identity', false],
  ['', false],
])('accept-encoding "%s": gzip is read: %s', (header, expected) => {
  expect(readsGzip(header)).toBe(expected)
})
