import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RankResponse } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startNodeEdge } from '../node.ts'
import { loadOrt } from '../serve/ort-node.ts'
import { Api, edgeOptions, SITE } from '../testing/api.ts'
import { createTestApp } from '../testing/app.ts'
import { buildArtifact, createSigner, type TestSigner } from '../testing/artifact.ts'

let folder: string
let signer: TestSigner

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-warming-'))
  signer = await createSigner()
  const options = edgeOptions({ endpoint: 'http://127.0.0.1:9', key: 'c2VjcmV0' }, signer)
  const edge = await startNodeEdge({ ...options, persist: folder })
  const artifact = await buildArtifact(seededRandom(1), { items: 100, epoch: 1, golden: 1 })
  expect((await new Api(edge.url).pushArtifact(signer, artifact)).status).toBe(200)
  await edge.close()
})

afterAll(() => rm(folder, { recursive: true, force: true }))

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
  const waitUntil = (work: Promise<unknown>): void => void behind.push(work)
  const context = { waitUntil, passThroughOnException: () => undefined, props: {} }
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
  allow?.()
  await Promise.all(behind)
  expect([await ask(), loads]).toEqual([[200, 'ort', 20], 1])
})
