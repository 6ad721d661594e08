import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '@attune/core/testing'
import { is } from 'valibot'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEdgeApi, type EdgeApi } from './api.ts'
import { eventsResponse } from './schema/events.ts'
import { itemsResponse } from './schema/items.ts'
import { healthResponse, modelsResponse, readyResponse } from './schema/models.ts'
import { problem } from './schema/problem.ts'
import { rankResponse } from './schema/rank.ts'
import { deleteResponse, exportResponse, visitorResponse } from './schema/visitors.ts'
import { ADMIN_KEY, PUSH_KEY, SITE } from './testing/api.ts'
import { CONTEXT, createTestApp } from './testing/app.ts'
import { buildArtifact, createSigner } from './testing/artifact.ts'

let folder: string
let page: EdgeApi
let operator: EdgeApi

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-api-'))
  const signer = await createSigner()
  const app = await createTestApp({ signer, folder })
  const through: typeof fetch = async (input, init) =>
    app.request(input instanceof URL ? input.href : input, init, {}, CONTEXT)
  const artifact = await buildArtifact(seededRandom(1), { items: 100, epoch: 1, golden: 1 })
  const authorization = `Bearer ${PUSH_KEY}`
  for (const [role, bytes] of artifact.files) {
    const path = `http://edge.test/v1/models/files/${artifact.manifest.files[role]?.sha256 ?? ''}`
    await through(path, { method: 'PUT', body: Uint8Array.from(bytes), headers: { authorization } })
  }
  const body = await signer.sign(artifact.manifest, 'attune-manifest+jws')
  await through('http://edge.test/v1/models/1', { method: 'PUT', body, headers: { authorization } })
  page = createEdgeApi('http://edge.test', { siteKey: SITE.key, fetch: through })
  operator = createEdgeApi('http://edge.test', { bearer: ADMIN_KEY, fetch: through })
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('the typed client calls every route, and the answers are what the schemas say', async () => {
  const created = await page.v1.visitors.$post({ json: {} })
  expect(created.status).toBe(201)
  const { visitor } = (await created.json()) as { visitor: string }
  expect(is(visitorResponse, { visitor })).toBe(true)

  const events = [{ id: crypto.randomUUID(), kind: 'click' as const, item: 'item-1', at: Date.now() }]
  const stored = await page.v1.events.$post({ json: { batch: crypto.randomUUID(), visitor, events } })
  expect([stored.status, is(eventsResponse, await stored.json())]).toEqual([202, true])

  for (const device of [false, true]) {
    const list = await page.v1.rank.$post({ json: { slot: 'home', visitor, recent: events, device } })
    const body = await list.json()
    expect([list.status, is(rankResponse, body)]).toEqual([200, true])
    expect('items' in body && body.items.length).toBe(20)
  }

  const exported = await page.v1.visitors.export.$post({ json: { visitor } })
  expect([exported.status, is(exportResponse, await exported.json())]).toEqual([200, true])
  const deleted = await page.v1.visitors.delete.$post({ json: { visitor } })
  expect([deleted.status, is(deleteResponse, await deleted.json())]).toEqual([200, true])

  const items = await operator.v1.items.$put({ json: { items: [{ id: 'a', attributes: { stock: 1 } }] } })
  expect([items.status, is(itemsResponse, await items.json())]).toEqual([200, true])
  const models = await operator.v1.models.$get()
  expect([models.status, is(modelsResponse, await models.json())]).toEqual([200, true])
  const health = await page.healthz.$get()
  expect([health.status, is(healthResponse, await health.json())]).toEqual([200, true])
  const ready = await page.readyz.$get()
  expect([ready.status, is(readyResponse, await ready.json())]).toEqual([200, true])
})

test('a refused call is a problem with its code', async () => {
  const answer = await page.v1.rank.$post({ json: { slot: '' } })
  const body = await answer.json()
  expect([answer.status, is(problem, body), 'code' in body && body.code]).toEqual([
    400,
    true,
    'RANK_MALFORMED',
  ])
  const refused = await page.v1.items.$put({ json: { items: [] } })
  expect(refused.status).toBe(403)
})
