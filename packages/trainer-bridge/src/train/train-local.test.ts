import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CandidateSet, coreEngine, rankHistory } from '@attune/core/rank'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { evaluateModel } from './evaluate.ts'
import { nodeScanner } from './node-scanner.ts'
import { ringVisits } from './testing/small-model.ts'
import { trainLocal, type TrainProgress } from './train-local.ts'
import { prefixesOf } from './train-ranker.ts'
import { servingModel, type TrainedModel } from './trained-model.ts'

const data = ringVisits(300, 1_500, 1)
const unseen = prefixesOf(ringVisits(300, 80, 3), Infinity)
const options = { iterations: 2, threads: 2, seed: 4 }
let folder: string
let model: TrainedModel
const seen: TrainProgress[] = []

beforeAll(async () => {
  model = await trainLocal(data, { ...options, onProgress: (progress) => seen.push(progress) })
  folder = await mkdtemp(join(tmpdir(), 'attune-local-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('a whole model of 1,500 visits on a ring: the ranker beats the encoder on unseen visits, threads agree with one loop', async () => {
  expect([...new Set(seen.map(({ phase }) => phase))]).toEqual(['encoder', 'ranker', 'rebuild'])
  expect(seen.at(-1)).toMatchObject({ phase: 'rebuild', iteration: 2, secondsLeft: 0 })
  expect(model.metrics?.prefixes).toBeGreaterThan(50)
  expect(model.metrics?.hr20).toBeGreaterThan(model.metrics?.hr20EncoderOnly ?? 1)

  const evaluation = await evaluateModel(model, unseen, { threads: 2 })
  expect(evaluation.queries).toBe(unseen.targets.length)
  // 90 % of steps go to one of two neighbours, which two counts suffice to know.
  expect(evaluation.hr).toBeGreaterThan(0.8)
  const serving = servingModel(model, nodeScanner)
  const engine = coreEngine(model.weights)
  const scratch = new CandidateSet()
  let hits = 0
  let reciprocal = 0
  for (const [index, items] of unseen.histories.entries()) {
    const history = items.map((item, step) => ({ item, kind: 'click' as const, at: step * 1_000 }))
    const { rows } = await rankHistory(serving, { history, k: 20 }, engine, scratch)
    const place = rows.findIndex((row) => serving.ids[row] === unseen.targets[index])
    if (place < 0) continue
    hits++
    reciprocal += 1 / (place + 1)
  }
  expect(evaluation.hr).toBeCloseTo(hits / unseen.targets.length, 10)
  expect(evaluation.mrr).toBeCloseTo(reciprocal / unseen.targets.length, 10)

  const onnx = await evaluateModel(model, unseen, { threads: 1, engine: 'ort' })
  expect(Math.abs(onnx.hr - evaluation.hr)).toBeLessThan(0.005)
  expect(onnx.medianUs).toBeGreaterThan(0)
})

test('stopped in the rebuild and started again, it gives the model of a run that was never stopped and leaves no file', async () => {
  const controller = new AbortController()
  const stopped = trainLocal(data, {
    ...options,
    checkpointFolder: folder,
    signal: controller.signal,
    onProgress: ({ phase, iteration }) => {
      if (phase === 'rebuild' && iteration >= 1) controller.abort()
    },
  })
  await expect(stopped).rejects.toMatchObject({ code: 'TRAIN_ABORTED' })
  expect((await readdir(folder)).sort()).toEqual(['encoder-all.checkpoint', 'encoder-older.checkpoint'])
  const resumed = await trainLocal(data, { ...options, checkpointFolder: folder, threads: 1 })
  expect(resumed.factors).toEqual(model.factors)
  expect(resumed.weights).toEqual(model.weights)
  expect(resumed.tables).toEqual(model.tables)
  expect(await readdir(folder)).toEqual([])
})

test.each([
  ['before it began', () => true],
  ['while the ranker is fitted', ({ phase }: TrainProgress) => phase === 'ranker'],
])('a signal that fires %s ends it with TRAIN_ABORTED before anything is rebuilt', async (_, when) => {
  const controller = new AbortController()
  const phases = new Set<string>()
  const early = { phase: 'encoder', iteration: 0, iterations: 1 } as const
  if (when({ ...early, loss: undefined, hr20: undefined, secondsLeft: undefined })) controller.abort()
  const training = trainLocal(data, {
    ...options,
    signal: controller.signal,
    onProgress: (progress) => {
      phases.add(progress.phase)
      // Later, so that it comes while the threads are at work.
      if (when(progress)) setTimeout(() => controller.abort(), 50)
    },
  })
  await expect(training).rejects.toMatchObject({ code: 'TRAIN_ABORTED' })
  expect(phases.has('rebuild')).toBe(false)
})

test.each([
  ['validation', 0.9],
  ['neighbours', 0],
  ['dim', 32],
])('option %s of %d is refused by name', async (name, value) => {
  const bad = { ...options, [name]: value } as never
  await expect(trainLocal(data, bad)).rejects.toMatchObject({
    code: 'TRAIN_OPTION_INVALID',
    message: expect.stringContaining(`${name}: expected`) as string,
  })
})

test('three visits are too few, and it says so', async () => {
  await expect(trainLocal(ringVisits(10, 3), options)).rejects.toMatchObject({ code: 'TRAIN_DATA_TOO_SMALL' })
})
