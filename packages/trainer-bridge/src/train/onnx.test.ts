import { parseGolden } from '@attune/core/artifact'
import {
  CandidateSet,
  checkGolden,
  CONTEXT,
  coreEngine,
  FEATURES,
  rankHistory,
  type EncoderInput,
  type RankerInput,
} from '@attune/core/rank'
import onnxProto from 'onnx-proto'
import * as ortNode from 'onnxruntime-node'
import * as ortWeb from 'onnxruntime-web/wasm'
import { describe, expect, test } from 'vitest'
import { GOLDEN_VECTORS, makeGolden } from './golden.ts'
import { nodeScanner } from './node-scanner.ts'
import { encoderOnnx, rankerOnnx } from './onnx.ts'
import { createRandom } from './random.ts'
import { ortEngine, type Ort } from './ort-engine.ts'
import { randomModel, ringVisits } from './testing/small-model.ts'
import { artifactFiles, servingModel } from './trained-model.ts'

ortWeb.env.wasm.numThreads = 1
const model = randomModel()
const { encoder, ranker } = model.weights
const data = ringVisits(300, 40, 2)
const histories = Array.from({ length: 40 }, (_, visit) => ({
  items: Array.from(
    data.rows.subarray(data.offsets[visit], data.offsets[visit + 1]),
    (row) => data.ids[row] ?? '',
  ),
}))

test('both files say opset 17 and IR 8, and name their inputs and outputs as the artifact format does', () => {
  const { ModelProto } = onnxProto.onnx
  const [first, second] = [encoderOnnx(encoder), rankerOnnx(ranker, 64)].map((bytes) =>
    ModelProto.decode(bytes),
  )
  for (const file of [first, second]) {
    expect(Number(file?.irVersion)).toBe(8)
    expect(file?.opsetImport.map(({ version }) => Number(version))).toEqual([17])
  }
  expect(first?.graph?.input?.map(({ name }) => name)).toEqual(['history', 'kind', 'age', 'mask'])
  expect(first?.graph?.output?.map(({ name }) => name)).toEqual(['query'])
  expect(second?.graph?.input?.map(({ name }) => name)).toEqual([
    'query',
    'candidates',
    'features',
    'context',
  ])
  expect(second?.graph?.output?.map(({ name }) => name)).toEqual(['scores'])
  expect(second?.graph?.input?.[1]?.type?.tensorType?.shape?.dim?.[0]?.dimParam).toBe('n')
})

describe.each([
  { name: 'onnxruntime-web', ort: ortWeb as unknown as Ort },
  { name: 'onnxruntime-node', ort: ortNode as unknown as Ort },
])('$name', ({ ort }) => {
  const core = coreEngine(model.weights)

  test('gives the queries and scores of core for random inputs to 1e-4, with 1 and with 317 candidates', async () => {
    const engine = await ortEngine(ort, encoderOnnx(encoder), rankerOnnx(ranker, 64))
    const random = createRandom(4)
    const normal = (length: number) => Float32Array.from({ length }, () => random.normal())
    for (const steps of [1, 5, 16]) {
      const input: EncoderInput = {
        history: normal(16 * 64).fill(0, 0, (16 - steps) * 64),
        kind: Int32Array.from({ length: 16 }, (_, at) => at % 6),
        age: Float32Array.from({ length: 16 }, (_, at) => (15 - at) / 3),
        mask: Float32Array.from({ length: 16 }, (_, at) => (at < 16 - steps ? 0 : 1)),
      }
      const expected = await core.encode(input)
      const received = await engine.encode(input)
      expect(received.length).toBe(64)
      expected.forEach((value, at) => expect(Math.abs(value - received[at]!)).toBeLessThan(1e-4))
    }
    for (const count of [1, 317]) {
      const input: RankerInput = {
        count,
        query: normal(64).map((value) => value / 8),
        candidates: normal(count * 64).map((value) => value / 8),
        features: normal(count * FEATURES),
        context: normal(CONTEXT),
      }
      const expected = await core.score(input)
      const received = await engine.score(input)
      expect(received.length).toBe(count)
      expected.forEach((value, at) => expect(Math.abs(value - received[at]!)).toBeLessThan(1e-4))
    }
  })

  test('reproduces the golden vectors and ranks the same 20 items for 40 visits', async () => {
    const serving = servingModel(model, nodeScanner)
    const golden = await makeGolden(serving, model.weights, histories)
    const engine = await ortEngine(ort, encoderOnnx(encoder), rankerOnnx(ranker, 64))
    const scratch = new CandidateSet()
    await checkGolden(serving, golden, engine, scratch)
    for (const { items } of histories) {
      const history = items.map((item, step) => ({ item, kind: 'click' as const, at: step * 1_000 }))
      const [ours, theirs] = [
        await rankHistory(serving, { history, k: 20 }, core, scratch),
        await rankHistory(serving, { history, k: 20 }, engine, scratch),
      ]
      expect(theirs.rows).toEqual(ours.rows)
    }
  })
})

test('golden.json of an artifact has 8 vectors of each sort, and a changed weight is noticed', async () => {
  const files = await artifactFiles(model, histories, nodeScanner)
  const golden = parseGolden(files.golden)
  expect([golden.encoder.length, golden.ranker.length, golden.rank.length]).toEqual([8, 8, 8])
  expect(golden.rank.every(({ top }) => top.length >= 1)).toBe(true)
  const other = structuredClone(model.weights)
  other.encoder.w3[5] = other.encoder.w3[5]! + 0.05
  const check = checkGolden(servingModel(model, nodeScanner), golden, coreEngine(other), new CandidateSet())
  await expect(check).rejects.toMatchObject({ code: 'ARTIFACT_GOLDEN_MISMATCH' })
})

test('golden vectors need 8 histories with a known item', async () => {
  const few = [...histories.slice(0, GOLDEN_VECTORS - 1), { items: ['unheard of'] }]
  await expect(makeGolden(servingModel(model, nodeScanner), model.weights, few)).rejects.toMatchObject({
    code: 'TRAIN_GOLDEN_TOO_FEW',
  })
})
