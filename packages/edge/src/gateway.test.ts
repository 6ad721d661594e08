import { once } from 'node:events'
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Problem, RankResponse } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ConfigError, readConfig } from './config.ts'
import { startNodeEdge } from './node.ts'
import type { RunningEdge } from './host/options.ts'
import { environmentOf } from './host/options.ts'
import { ADMIN_KEY, Api, edgeOptions, PUSH_KEY, SITE } from './testing/api.ts'
import { buildArtifact, createSigner, type TestArtifact, type TestSigner } from './testing/artifact.ts'

// Duties of a gateway that concern headers, over real HTTP.

const GONE = {
  v1: { deprecated: '2027-01-01', sunset: '2027-07-01T00:00:00Z', link: 'https://docs.example/v2' },
}
let folder: string
let signer: TestSigner
let artifact: TestArtifact
let edge: RunningEdge
let api: Api

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-gateway-'))
  signer = await createSigner()
  artifact = await buildArtifact(seededRandom(1), { items: 100, epoch: 1 })
  const options = edgeOptions({ endpoint: 'http://127.0.0.1:9', key: 'c2VjcmV0' }, signer)
  edge = await startNodeEdge({ ...options, persist: folder, deprecations: GONE })
  api = new Api(edge.url)
  expect((await api.pushArtifact(signer, artifact)).status).toBe(200)
})

afterAll(async () => {
  await edge.close()
  await rm(folder, { recursive: true, force: true })
})

const list = (query: string, headers: Record<string, string> = {}) =>
  fetch(`${api.url}/v1/rank?key=${SITE.key}&${query}`, { headers })

test('a list for everybody is cacheable; asked again with its tag it is 304, until the model changes', async () => {
  const first = await list('slot=home&strategy=trending&k=5')
  expect([first.status, first.headers.get('cache-control')]).toEqual([
    200,
    'public, max-age=10, stale-while-revalidate=60',
  ])
  expect(first.headers.get('vary')).toContain('origin')
  const body = (await first.json()) as RankResponse
  expect([body.strategy, body.items.length]).toEqual(['trending', 5])
  const tag = first.headers.get('etag') ?? ''
  // The minute may turn between two requests.
  await expect
    .poll(async () => {
      const { headers } = await list('slot=home&strategy=trending&k=5')
      return (await list('slot=home&strategy=trending&k=5', { 'if-none-match': headers.get('etag') ?? '' }))
        .status
    })
    .toBe(304)
  expect((await list('slot=home&strategy=trending&k=6', { 'if-none-match': tag })).status).toBe(200)
  const second = await buildArtifact(seededRandom(1), { items: 100, epoch: 2 })
  await api.pushArtifact(signer, second)
  expect((await list('slot=home&strategy=trending&k=5', { 'if-none-match': tag })).status).toBe(200)
})

test('whatever else is asked for by GET no cache in between keeps: not whether it lives, nor that something is not there', async () => {
  const operators = { headers: { authorization: `Bearer ${ADMIN_KEY}` } }
  for (const [path, status, init] of [
    ['/healthz', 200, {}],
    ['/readyz', 200, {}],
    ['/nothing', 404, {}],
    [`/v1/rank?key=${SITE.key}`, 400, {}],
    ['/v1/rank?slot=home', 401, {}],
    [`/v1/weights/${'0'.repeat(64)}?key=${SITE.key}`, 404, {}],
    ['/v1/models', 200, operators],
    ['/metrics', 200, { headers: { authorization: `Bearer ${PUSH_KEY}` } }],
    ['/v1/items/none', 503, operators],
  ] as const) {
    const answer = await fetch(`${api.url}${path}`, init)
    expect([path, answer.status, answer.headers.get('cache-control')]).toEqual([path, status, 'no-store'])
  }
  const kept = await fetch(`${api.url}/docs`)
  expect(kept.headers.get('cache-control')).toMatch(/^public, max-age=/)
})

test('such a list takes nothing of a visitor, and what it takes is checked', async () => {
  for (const query of [
    'slot=home&visitor=x',
    'slot=home&recent=[]',
    'k=5',
    'slot=home&k=0',
    'slot=home&k=many',
    'slot=home&strategy=magic',
  ]) {
    const answer = await list(query)
    expect([query, answer.status, ((await answer.json()) as Problem).code]).toEqual([
      query,
      400,
      'RANK_MALFORMED',
    ])
  }
})

test('a version that goes away says so on every answer, of errors too', async () => {
  for (const answer of [await list('slot=home'), await list('slot='), await fetch(`${api.url}/v1/rank`)]) {
    // 2027-01-01T00:00:00Z is 1798761600, by `date -u -d 2027-01-01 +%s`.
    expect(answer.headers.get('deprecation')).toBe('@1798761600')
    expect(answer.headers.get('sunset')).toBe('Thu, 01 Jul 2027 00:00:00 GMT')
    expect(answer.headers.get('link')).toBe('<https://docs.example/v2>; rel="deprecation"; type="text/html"')
  }
  expect((await fetch(`${api.url}/healthz`)).headers.get('deprecation')).toBeNull()
})

/** As it came over the line: fetch would decompress it. */
async function raw(path: string, body?: string): Promise<{ headers: IncomingHttpHeaders; body: Buffer }> {
  const call = request(`${api.url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'accept-encoding': 'gzip' },
  })
  call.end(body)
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  return { headers: response.headers, body: Buffer.concat(await response.toArray()) }
}

test('what is large is compressed for those who can read it', async () => {
  const plain = await fetch(`${api.url}/openapi.json`, { headers: { 'accept-encoding': 'identity' } })
  expect(plain.headers.get('content-encoding')).toBeNull()
  const text = await plain.text()
  const compressed = await raw('/openapi.json')
  expect(compressed.headers['content-encoding']).toBe('gzip')
  expect(compressed.body.length).toBeLessThan(text.length / 5)
  expect(gunzipSync(compressed.body).toString()).toBe(text)
})

test('weights, which pages keep for ever, are compressed, and a cache in between keeps both forms apart', async () => {
  const path = `/v1/weights/${artifact.manifest.files.weights?.sha256 ?? ''}?key=${SITE.key}`
  const plain = await fetch(`${api.url}${path}`, { headers: { 'accept-encoding': 'identity' } })
  const text = await plain.text()
  const { headers, body } = await raw(path)
  expect([headers['content-encoding'], gunzipSync(body).toString() === text]).toEqual(['gzip', true])
  // Half floats in base64: 16 bits of 21.3 are left at best.
  expect(body.length).toBeLessThan(0.85 * text.length)
  for (const vary of [headers.vary, plain.headers.get('vary')])
    expect(vary?.toLowerCase()).toContain('accept-encoding')
})

test('a list of 100 items is compressed, one of 5 is not', async () => {
  for (const path of [`/v1/rank?key=${SITE.key}&slot=home&strategy=popular&k=`, `/v1/rank?key=${SITE.key}`]) {
    const ask = (k: number) =>
      path.endsWith('k=')
        ? raw(`${path}${k}`)
        : raw(path, JSON.stringify({ slot: 'home', strategy: 'popular', k }))
    const long = await ask(100)
    const { items } = JSON.parse(String(gunzipSync(long.body))) as RankResponse
    expect([long.headers['content-encoding'], items.length]).toEqual(['gzip', 100])
    expect(long.headers.vary).toContain('accept-encoding')
    expect(long.headers['content-length']).toBe(String(long.body.length))
    const short = await ask(5)
    expect(short.headers['content-encoding']).toBeUndefined()
    expect((JSON.parse(String(short.body)) as RankResponse).items).toEqual(items.slice(0, 5))
  }
})

test('quotas and deprecations that make no sense are refused by name, all at once', async () => {
  const env = environmentOf(edgeOptions({ endpoint: 'http://127.0.0.1:9', key: 'c2VjcmV0' }, signer))
  const problems = (): string[] => {
    try {
      readConfig({
        ...env,
        ATTUNE_QUOTAS: '{"shop":{"perDay":0,"perHour":1},"hats":{"perDay":1}}',
        ATTUNE_DEPRECATIONS:
          '{"v1":{"deprecated":"2027-07-01","sunset":"2027-01-01"},"one":{"deprecated":"soon"}}',
        ATTUNE_IDENTITY_SECRETS: '{"hats":["a secret that is long enough"],"shop":["short"]}',
        ATTUNE_MAX_RANK_MS: '-1',
      })
      return []
    } catch (error) {
      return error instanceof ConfigError ? error.issues.map(({ path }) => path) : []
    }
  }
  expect(problems().toSorted()).toEqual(
    [
      'ATTUNE_DEPRECATIONS.one',
      'ATTUNE_DEPRECATIONS.one.deprecated',
      'ATTUNE_DEPRECATIONS.v1.sunset',
      'ATTUNE_IDENTITY_SECRETS.hats',
      'ATTUNE_IDENTITY_SECRETS.shop',
      'ATTUNE_MAX_RANK_MS',
      'ATTUNE_QUOTAS.hats',
      'ATTUNE_QUOTAS.shop.perDay',
      'ATTUNE_QUOTAS.shop.perHour',
    ].toSorted(),
  )
})
