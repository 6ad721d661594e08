import type { TrackedEvent } from '@attune/core'
import type { FileRole } from '@attune/core/artifact'
import { CONTEXT, FEATURES, readWeights, type RankEngine } from '@attune/core/rank'
import { seededRandom } from '@attune/core/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Api } from '../testing/api.ts'
import { buildArtifact, namesOf, type TestArtifact, type TestSigner } from '../testing/artifact.ts'
import { cosineRankerGraph, placeEncoderGraph, rankerGraph } from '../testing/graphs.ts'
import { endlessEncoderGraph } from '../testing/open-graphs.ts'
import { createLoneEdge, type LoneEdge, type StartEdge } from '../testing/worlds.ts'
import { MAX_GRAPH_BYTES } from './graphs.ts'

const ITEMS = 300
const DIM = 64
const LENGTH = 16

/** Clicks weighted by their place and ten times the cosine, in TypeScript: what the graphs below should compute. */
const ownEngine: RankEngine = {
  name: 'core',
  encode({ history, mask }) {
    const sum = new Float32Array(DIM)
    for (let step = 0; step < LENGTH; step++)
      for (let c = 0; c < DIM; c++)
        sum[c] = (sum[c] ?? 0) + (step + 1) * (mask[step] ?? 0) * (history[step * DIM + c] ?? 0)
    const length = Math.hypot(...sum)
    return sum.map((value) => value / length)
  },
  score({ count, query, candidates }) {
    return Float32Array.from({ length: count }, (_, row) =>
      query.reduce((total, value, c) => total + 10 * value * (candidates[row * DIM + c] ?? 0), 0),
    )
  },
}

/** Encoders and rankers that somebody brings, over real HTTP, on any host. */
export function describeOwnGraphs(start: StartEdge): void {
  let lone: LoneEdge
  let signer: TestSigner
  let artifact: TestArtifact
  let api: Api

  beforeAll(async () => {
    lone = await createLoneEdge(start)
    ;({ api, signer } = lone)
    // A newer version of ONNX than our own graphs are of, and inputs that they have no use for left out.
    artifact = await buildArtifact(seededRandom(5), {
      items: ITEMS,
      epoch: 1,
      own: {
        encoder: placeEncoderGraph(DIM, LENGTH, { irVersion: 10, opset: 21 }),
        ranker: cosineRankerGraph(DIM, { irVersion: 9, opset: 18 }),
        engine: ownEngine,
      },
    })
  })

  afterAll(() => lone.close())

  const push = async (epoch: number, changes: Partial<Record<FileRole, Uint8Array>> = {}) => {
    const files = new Map(artifact.files)
    for (const [role, bytes] of Object.entries(changes)) files.set(role as FileRole, bytes)
    const manifest = { ...artifact.manifest, epoch, files: await namesOf(files) }
    return api.pushArtifact(signer, { ...artifact, files, manifest })
  }

  test('an encoder and a ranker of somebody’s own, without weights, serve: the list is by the cosine to 15 parts of one click and 16 of the next', async () => {
    expect(artifact.manifest.files.weights).toBeUndefined()
    const pushed = await push(1)
    expect([pushed.status, pushed.body.detail]).toEqual([200, undefined])
    expect([pushed.status, pushed.body]).toMatchObject([200, { epoch: 1, delta: 0 }])
    expect((await api.models()).body.serving?.engine).toBe('ort')
    const now = Date.now()
    const recent: TrackedEvent[] = ['item-3', 'item-9'].map((item, index) => ({
      id: crypto.randomUUID(),
      kind: index === 0 ? 'purchase' : 'click',
      item,
      at: now + index,
    }))
    const { factors } = artifact.data
    const row = (at: number) => factors.subarray(at * DIM, (at + 1) * DIM)
    const dot = (a: Float32Array, b: Float32Array) =>
      a.reduce((sum, value, c) => sum + value * (b[c] ?? 0), 0)
    const query = row(3).map((value, c) => 15 * value + 16 * (row(9)[c] ?? 0))
    const length = Math.hypot(...query)
    const expected = Array.from({ length: ITEMS }, (_, at) => ({
      id: `item-${at}`,
      score: (10 * dot(row(at), query)) / length,
    }))
      .toSorted((a, b) => b.score - a.score)
      .slice(0, 10)
    const { items } = (await api.rank({ recent, history: 'recent', k: 10 })).body
    expect(items.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
    items.forEach(({ score }, place) => {
      expect(score).toBeCloseTo(expected[place]?.score ?? NaN, 3)
    })
  })

  test.each<[string, string, string, () => Partial<Record<FileRole, Uint8Array>>]>([
    [
      'an encoder of opset 27',
      'ARTIFACT_OPSET_UNSUPPORTED',
      'encoder: opset ai.onnx: expected 7 to 26, received 27',
      () => ({ encoder: placeEncoderGraph(DIM, LENGTH, { opset: 27 }) }),
    ],
    [
      'a ranker of opset 6',
      'ARTIFACT_OPSET_UNSUPPORTED',
      'ranker: opset ai.onnx: expected 7 to 26, received 6',
      () => ({ ranker: cosineRankerGraph(DIM, { opset: 6 }) }),
    ],
    [
      'a ranker with operators of ai.onnx.ml 6',
      'ARTIFACT_OPSET_UNSUPPORTED',
      'ranker: opset ai.onnx.ml: expected 1 to 5, received 6',
      () => ({ ranker: cosineRankerGraph(DIM, { domains: { 'ai.onnx.ml': 6 } }) }),
    ],
    [
      'an encoder of IR version 14',
      'ARTIFACT_OPSET_UNSUPPORTED',
      'encoder: IR version: expected 1 to 13, received 14',
      () => ({ encoder: placeEncoderGraph(DIM, LENGTH, { irVersion: 14 }) }),
    ],
    [
      'an encoder of 32 in place of 64',
      'ARTIFACT_SHAPE_MISMATCH',
      'encoder: history: expected float32 [1, 16, 64], received float32 [1, 16, 32]',
      () => ({ encoder: placeEncoderGraph(32, LENGTH) }),
    ],
    [
      'a ranker of 8 candidates only',
      'ARTIFACT_SHAPE_MISMATCH',
      'ranker: candidates: expected float32 [n, 64], received float32 [8, 64]',
      () => ({ ranker: cosineRankerGraph(DIM, {}, { count: 8 }) }),
    ],
    [
      'a ranker in half precision',
      'ARTIFACT_SHAPE_MISMATCH',
      'ranker: query: expected float32 [1, 64], received float16 [1, 64]',
      () => ({ ranker: cosineRankerGraph(DIM, {}, { type: 10 }) }),
    ],
    [
      'the ranker in place of the encoder',
      'ARTIFACT_SHAPE_MISMATCH',
      'encoder: expected output query, received scores',
      () => ({ encoder: cosineRankerGraph(DIM) }),
    ],
    [
      'a ranker that wants another width of features',
      'ARTIFACT_SHAPE_MISMATCH',
      `ranker: features: expected float32 [n, ${FEATURES}], received float32 [?, ${FEATURES + 1}]`,
      () => {
        const weights = readWeights(artifact.data.weights ?? new Map(), DIM, LENGTH)
        return { ranker: rankerGraph(weights, FEATURES + 1, CONTEXT) }
      },
    ],
    [
      'an encoder that loops for ever',
      'ARTIFACT_GRAPH_UNBOUNDED',
      'encoder: node the looped (Loop): expected subgraphs in If alone, received one in Loop',
      () => ({ encoder: endlessEncoderGraph(DIM, LENGTH) }),
    ],
    [
      'a graph of 10,000,001 bytes',
      'ARTIFACT_TOO_LARGE',
      `ranker: expected at most ${MAX_GRAPH_BYTES} bytes, received ${MAX_GRAPH_BYTES + 1}`,
      () => ({ ranker: new Uint8Array(MAX_GRAPH_BYTES + 1) }),
    ],
    [
      'text as ranker',
      'ARTIFACT_MALFORMED',
      'ranker: expected an ONNX model, received none',
      () => ({ ranker: new TextEncoder().encode('no graph') }),
    ],
    [
      'golden vectors of another shape',
      'ARTIFACT_MALFORMED',
      'golden vectors could not be run',
      () => ({
        golden: new TextEncoder().encode('{"encoder":[{}],"ranker":[{}],"rank":[{}]}'),
      }),
    ],
  ])(
    '%s is 422 %s, saying what was expected and received; the old epoch serves on',
    async (_, code, detail, change) => {
      const answer = await push(2, change())
      expect([answer.status, answer.body.code]).toEqual([422, code])
      expect(answer.body.detail).toContain(detail)
      expect(answer.body).toMatchObject({ epoch: 1, delta: 0 })
      expect((await api.models()).body.serving).toMatchObject({ epoch: 1 })
    },
  )
}
