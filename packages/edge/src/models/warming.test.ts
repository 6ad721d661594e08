import type { RankResponse } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startNodeEdge } from '../node.ts'
import { loadOrt } from '../serve/ort-node.ts'
import { PUSH_KEY, SITE } from '../testing/api.ts'
import { createTestApp } from '../testing/app.ts'
import { buildArtifact, buildDelta, type TestArtifact, type TestSigner } from '../testing/artifact.ts'
import { createLoneEdge, type LoneEdge } from '../testing/worlds.ts'
import { REFRESH_MS } from './models.ts'

let lone: LoneEdge
let folder: string
let signer: TestSigner
let artifact: TestArtifact

beforeAll(async () => {
  lone = await createLoneEdge(startNodeEdge)
  ;({
    signer,
    options: { persist: folder },
  } = lone)
  artifact = await buildArtifact(seededRandom(1), { items: 100, epoch: 1, golden: 1 })
  expect((await lone.api.pushArtifact(signer, artifact)).status).toBe(200)
})

afterAll(() => lone.close())

/** Collects what is done behind answers. */
function contextOf(behind: Promise<unknown>[]) {
  const waitUntil = (work: Promise<unknown>): void => void behind.push(work)
  return { waitUntil, passThroughOnException: () => undefined, props: {} }
}

test('in a process that was never asked anything nobody waits for ONNX Runtime: it is loaded behind the first answer, once', async () => {
  let loads = 0
  let allow: (() => void) | undefined
  const allowed = new Promise<void>((resolve) => (allow = resolve))
  const app = await createTestApp({
    signer,
    folder,
    options: { diagnostics: true },
    loadOrt: async () => {
      loads++
      await allowed
      return loadOrt()
    },
  })
  const behind: Promise<unknown>[] = []
  const context = contextOf(behind)
  const ask = async () => {
    const recent = [{ id: crypto.randomUUID(), kind: 'click', item: 'item-3', at: Date.now() }]
    const init = { method: 'POST', body: JSON.stringify({ slot: 'home', recent }) }
    const answer = await app.request(`/v1/rank?key=${SITE.key}`, init, {}, context)
    const { diagnostics, items } = (await answer.json()) as RankResponse
    return [answer.status, diagnostics?.engine, items.length]
  }
  const first = await Promise.all([ask(), ask(), ask()])
  expect(first).toEqual(Array.from({ length: 3 }, () => [200, 'core', 20]))
  expect(await ask()).toEqual([200, 'core', 20])
  const metrics = await app.request('/metrics', { headers: { authorization: `Bearer ${PUSH_KEY}` } })
  expect(await metrics.text()).toContain('attune_fallbacks_total{to="core-engine"} 4\n')
  allow?.()
  await Promise.all(behind)
  expect([await ask(), loads]).toEqual([[200, 'ort', 20], 1])
})

test('what is pushed to another process of the store comes to serve behind an answer, looked for once a second', async () => {
  const behind: Promise<unknown>[] = []
  const app = await createTestApp({ signer, folder })
  const ask = async () => {
    const path = `/v1/rank?key=${SITE.key}&slot=home&strategy=popular&k=1`
    const answer = await app.request(path, {}, {}, contextOf(behind))
    const { delta, items } = (await answer.json()) as RankResponse
    return [delta, items[0]?.id]
  }
  const [, before] = await ask()
  await Promise.all(behind)
  const started = Date.now()
  const popularity = {
    rows: Uint32Array.of(7),
    popularity: Float32Array.of(1e6),
    trend: Float32Array.of(1e6),
  }
  const body = await buildDelta(signer, artifact.manifest, 1, { popularity })
  expect((await lone.api.push('PUT', '/v1/models/1/deltas/1', body)).status).toBe(200)
  const soon = await ask()
  await Promise.all(behind)
  // On a machine that took longer than a second until here the look was due already.
  if (Date.now() - started < REFRESH_MS)
    expect([soon, await ask()]).toEqual([
      [0, before],
      [0, before],
    ])
  await new Promise((resolve) => setTimeout(resolve, REFRESH_MS))
  await ask()
  await Promise.all(behind)
  expect(await ask()).toEqual([1, 'item-7'])
})
