import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Problem } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import fc from 'fast-check'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AppEnv } from './app.ts'
import { PUSH_KEY, SITE } from './testing/api.ts'
import { CONTEXT, createTestApp } from './testing/app.ts'
import { buildArtifact, createSigner } from './testing/artifact.ts'

// Whatever is sent, the answer is what was asked for or a problem with a code: never a 500, never a hang.

let folder: string
let app: Hono<AppEnv>
let visitor: string
let defects: unknown[]
async function send(
  method: string,
  path: string,
  body: BodyInit | null,
  headers: Record<string, string> = {},
): Promise<Response> {
  return app.request(path, { method, headers, ...(body !== null && { body }) }, {}, CONTEXT)
}
const page = (path: string, body: BodyInit) => send('POST', `${path}?key=${SITE.key}`, body)
const push = (method: string, path: string, body: BodyInit | null) =>
  send(method, path, body, { authorization: `Bearer ${PUSH_KEY}` })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-fuzz-'))
  const signer = await createSigner()
  defects = []
  app = await createTestApp({ signer, folder, onDefect: (fields) => defects.push(fields) })
  const artifact = await buildArtifact(seededRandom(1), { items: 100, epoch: 1, golden: 1 })
  for (const [role, bytes] of artifact.files) {
    await push(
      'PUT',
      `/v1/models/files/${artifact.manifest.files[role]?.sha256 ?? ''}`,
      Uint8Array.from(bytes),
    )
  }
  const pushed = await push(
    'PUT',
    '/v1/models/1',
    await signer.sign(artifact.manifest, 'attune-manifest+jws'),
  )
  expect(pushed.status).toBe(200)
  visitor = ((await (await page('/v1/visitors', '{}')).json()) as { visitor: string }).visitor
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function expectSane(response: Response, allowed: readonly number[]): Promise<void> {
  expect(defects).toEqual([])
  expect(allowed).toContain(response.status)
  expect(response.headers.get('x-request-id')).toBeTruthy()
  if (response.status < 400) return
  const problem = (await response.json()) as Problem
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect([problem.status, typeof problem.code, typeof problem.detail]).toEqual([
    response.status,
    'string',
    'string',
  ])
}

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('__proto__', 'constructor', '../..', '%00', 'item-1'),
)
const value = fc.oneof(
  text,
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.array(text, { maxLength: 3 }),
  fc.object({ maxDepth: 2 }),
)
/** An object with mostly the right names and values. */
const nearly = (good: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record(
    Object.fromEntries(
      Object.entries(good).map(([name, right]) => [
        name,
        fc.oneof(
          { weight: 8, arbitrary: right },
          { weight: 1, arbitrary: value },
          { weight: 1, arbitrary: fc.constant(undefined) },
        ),
      ]),
    ),
  )
const time = fc.integer({ min: Date.now() - 1e9, max: Date.now() })
const item = fc.constantFrom('item-1', 'item-2', 'item-99', 'unknown')
const event = nearly({
  id: fc.uuid(),
  kind: fc.constantFrom('click', 'view', 'like', 'dislike', 'impression', 'search', 'custom:x'),
  item,
  at: time,
  slot: text,
  position: fc.nat(),
  value: fc.double(),
  query: text,
})
const session = fc.constantFrom('0:-1#1', '0:-1#0', '0:1#2#1=-1,1:0#3', '9:9#999999999999999')
const own = fc.constant(null).map(() => visitor)

test('300 rank requests with anything in them are answered or refused', async () => {
  const request = nearly({
    slot: fc.constant('home'),
    visitor: own,
    session,
    strategy: fc.constantFrom('for-you', 'similar', 'trending'),
    item,
    candidates: fc.array(item),
    k: fc.integer({ min: 1, max: 200 }),
    exclude: fc.array(item),
    recent: fc.array(event, { maxLength: 6 }),
    history: fc.constantFrom('full', 'recent'),
  })
  let ranked = 0
  await fc.assert(
    fc.asyncProperty(request, async (body) => {
      const response = await page('/v1/rank', JSON.stringify(body))
      if (response.status === 200) ranked++
      await expectSane(response, [200, 400, 403])
    }),
    { numRuns: 300, seed: 1 },
  )
  expect(ranked).toBeGreaterThan(30)
})

test('300 batches with anything in them are stored or refused', async () => {
  const request = nearly({
    batch: fc.uuid(),
    visitor: own,
    session,
    events: fc.array(event, { maxLength: 6 }),
  })
  let stored = 0
  await fc.assert(
    fc.asyncProperty(request, async (body) => {
      const response = await page('/v1/events', JSON.stringify(body))
      if (response.status === 202) stored++
      await expectSane(response, [202, 400, 403, 422])
    }),
    { numRuns: 300, seed: 2 },
  )
  expect(stored).toBeGreaterThan(8)
})

test('300 bodies of any bytes are refused on every route that takes one', async () => {
  const routes = ['/v1/visitors', '/v1/visitors/export', '/v1/visitors/delete', '/v1/events', '/v1/rank']
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...routes), fc.uint8Array({ maxLength: 200 }), async (path, bytes) => {
      await expectSane(await page(path, Uint8Array.from(bytes)), [400])
    }),
    { numRuns: 300, seed: 3 },
  )
})

test('200 manifests and deltas of any bytes are refused, whatever the path says', async () => {
  await fc.assert(
    fc.asyncProperty(
      text,
      text,
      fc.uint8Array({ maxLength: 300 }),
      fc.boolean(),
      async (epoch, delta, bytes, both) => {
        const path = `/v1/models/${encodeURIComponent(epoch)}${both ? `/deltas/${encodeURIComponent(delta)}` : ''}`
        await expectSane(await push('PUT', path, Uint8Array.from(bytes)), [400, 401, 404, 422])
        await expectSane(
          await push('PUT', both ? '/v1/models/2/deltas/1' : '/v1/models/2', Uint8Array.from(bytes)),
          [401, 422],
        )
      },
    ),
    { numRuns: 200, seed: 4 },
  )
})

test('200 strangers: no key, handle or path of theirs gets anywhere', async () => {
  await fc.assert(
    fc.asyncProperty(text, text, async (one, other) => {
      await expectSane(await send('POST', `/v1/rank?key=${encodeURIComponent(one)}`, '{}'), [401])
      await expectSane(await page('/v1/rank', JSON.stringify({ slot: 's', visitor: `v${one}` })), [400, 403])
      await expectSane(await page('/v1/visitors/delete', JSON.stringify({ visitor: other })), [403])
      await expectSane(await send('GET', `/v1/${encodeURIComponent(one)}`, null), [401, 404])
    }),
    { numRuns: 200, seed: 5 },
  )
})
