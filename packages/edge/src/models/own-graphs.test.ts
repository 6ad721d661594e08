import { seededRandom } from '@attune/core/testing'
import { expect, test } from 'vitest'
import { startNodeEdge } from '../node.ts'
import { Api, edgeOptions } from '../testing/api.ts'
import { buildArtifact, createSigner, namesOf } from '../testing/artifact.ts'
import { tediousEncoderGraph } from '../testing/open-graphs.ts'
import { describeOwnGraphs } from './own-graphs.contract.ts'

describeOwnGraphs(startNodeEdge)

test('a graph that takes hours is ended and refused; lists are made meanwhile as ever', async () => {
  const signer = await createSigner()
  const artifact = await buildArtifact(seededRandom(1), { items: 100, epoch: 1, golden: 1 })
  const edge = await startNodeEdge(edgeOptions({ endpoint: 'http://127.0.0.1:9', key: 'c2VjcmV0' }, signer))
  try {
    const api = new Api(edge.url)
    expect((await api.pushArtifact(signer, artifact)).status).toBe(200)
    const files = new Map(artifact.files)
    files.set('encoder', tediousEncoderGraph(artifact.manifest.dim, artifact.manifest.historyLength))
    const manifest = { ...artifact.manifest, epoch: 2, files: await namesOf(files) }
    const answered = new AbortController()
    const pushed = api.pushArtifact(signer, { ...artifact, files, manifest }).finally(() => {
      answered.abort()
    })
    const times: number[] = []
    while (!answered.signal.aborted) {
      const started = performance.now()
      expect((await api.rank({ strategy: 'popular' })).body.epoch).toBe(1)
      times.push(performance.now() - started)
    }
    expect(await pushed).toMatchObject({ status: 422, body: { code: 'ARTIFACT_TOO_SLOW', epoch: 1 } })
    expect(times.length).toBeGreaterThan(100)
    expect(Math.max(...times)).toBeLessThan(1_000)
  } finally {
    await edge.close()
  }
})
