import { gzipSync } from 'node:zlib'
import { seededRandom } from '@attune/core/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleWorker } from './host/bundle.ts'
import type { RunningEdge } from './host/options.ts'
import { startWorkerdEdge, WORKER_ENTRIES } from './host/workerd.ts'
import { Api, edgeOptions } from './testing/api.ts'
import { buildArtifact, createSigner, type TestArtifact, type TestSigner } from './testing/artifact.ts'

let signer: TestSigner
let artifact: TestArtifact
const edges: RunningEdge[] = []
let small: Api
let full: Api

beforeAll(async () => {
  signer = await createSigner()
  artifact = await buildArtifact(seededRandom(1), { items: 300, epoch: 1 })
  const options = edgeOptions({ endpoint: 'http://127.0.0.1:9', key: 'c2VjcmV0' }, signer)
  edges.push(await startWorkerdEdge(options, 'small'), await startWorkerdEdge(options, 'full'))
  ;[small, full] = edges.map((edge) => new Api(edge.url)) as [Api, Api]
})

afterAll(async () => {
  for (const edge of edges) await edge.close()
})

test('the build without ONNX Runtime is at most 150 KB gzip', async () => {
  const { script, modules } = await bundleWorker(WORKER_ENTRIES.small, true)
  const bytes = [Buffer.from(script), ...modules.values()].reduce(
    (sum, part) => sum + gzipSync(part).length,
    0,
  )
  expect([...modules.keys()]).toEqual(['scan.wasm'])
  expect(bytes).toBeLessThanOrEqual(150_000)
})

test('it serves the same epoch, golden vectors checked, with the same lists as ONNX Runtime', async () => {
  expect((await small.pushArtifact(signer, artifact)).status).toBe(200)
  expect((await full.pushArtifact(signer, artifact)).status).toBe(200)
  for (let item = 0; item < 10; item++) {
    const recent = [
      { id: crypto.randomUUID(), kind: 'click' as const, item: `item-${item * 29}`, at: Date.now() },
    ]
    const [one, other] = [await small.rank({ recent }), await full.rank({ recent })]
    expect([one.body.diagnostics?.engine, other.body.diagnostics?.engine]).toEqual(['core', 'ort'])
    expect(one.body.items.map(({ id }) => id)).toEqual(other.body.items.map(({ id }) => id))
  }
})

test('a model of graphs alone is refused by it, and taken by the full build', async () => {
  const { weights: _, ...files } = artifact.manifest.files
  const manifest = { ...artifact.manifest, epoch: 2, files }
  const refused = await small.pushManifest(signer, manifest)
  expect([refused.status, refused.body.code]).toEqual([422, 'ARTIFACT_FILE_MISSING'])
  expect((await small.models()).body.serving).toMatchObject({ epoch: 1, engine: 'core' })
  expect((await full.pushManifest(signer, manifest)).status).toBe(200)
  expect((await full.models()).body.serving).toMatchObject({ epoch: 2, engine: 'ort' })
})
