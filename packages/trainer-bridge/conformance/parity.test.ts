import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CandidateSet, coreEngine, rankerInput, topK } from '@attune/core/rank'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeScanner } from '../src/train/node-scanner.ts'
import { randomModel, ringVisits } from '../src/train/testing/small-model.ts'
import { artifactFiles, servingModel } from '../src/train/trained-model.ts'
import { pythonWith } from './python.ts'

const requirements = new URL('requirements.txt', import.meta.url)
let python: Awaited<ReturnType<typeof pythonWith>>
let folder: string

beforeAll(async () => {
  python = await pythonWith(requirements)
  folder = await mkdtemp(join(tmpdir(), 'attune-parity-'))
}, 600_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

test('Python (numpy, onnxruntime, safetensors, onnx) agrees to 1e-4 on the golden vectors and on 40 lists of 20', async (context) => {
  if ('missing' in python) {
    if (process.env['CI']) throw new Error(python.missing)
    context.skip(python.missing)
    return
  }
  const model = randomModel()
  const data = ringVisits(300, 40, 2)
  const histories = Array.from({ length: 40 }, (_, visit) => ({
    items: Array.from(
      data.rows.subarray(data.offsets[visit], data.offsets[visit + 1]),
      (row) => data.ids[row] ?? '',
    ),
  }))
  const files = await artifactFiles(model, histories, nodeScanner)
  const names = {
    factors: 'factors.safetensors',
    tables: 'tables.safetensors',
    items: 'items.json',
    weights: 'weights.safetensors',
    encoder: 'encoder.onnx',
    ranker: 'ranker.onnx',
    golden: 'golden.json',
  } as const
  for (const role of Object.keys(names) as (keyof typeof names)[])
    await writeFile(join(folder, names[role]), files[role])

  const serving = servingModel(model, nodeScanner)
  const engine = coreEngine(model.weights)
  const scratch = new CandidateSet()
  const cases = []
  for (const { items } of histories) {
    const rows = items.map((item) => serving.rowOf(item) ?? -1)
    const kinds = rows.map((_, step) => step % 6)
    const ages = rows.map((_, step) => (rows.length - 1 - step) / 4)
    const input = await rankerInput(
      serving,
      { rows, kinds, ages, visitStart: 0 },
      engine,
      undefined,
      [],
      scratch,
    )
    const scores = await engine.score(input)
    const width = input.features.length / input.count
    const idAt = (place: number) => serving.ids[input.rows[place] ?? -1] ?? ''
    cases.push({
      items,
      kinds,
      ages,
      candidates: Array.from({ length: input.count }, (_, place) => idAt(place)),
      features: Array.from({ length: input.count }, (_, place) =>
        Array.from(input.features.subarray(place * width, (place + 1) * width)),
      ),
      context: Array.from(input.context),
      top: Array.from(topK(scores, 20), idAt),
    })
  }
  await writeFile(join(folder, 'cases.json'), JSON.stringify(cases))

  const script = fileURLToPath(new URL('parity.py', import.meta.url))
  const { stdout } = await promisify(execFile)(python.python, [script, folder])
  const report = JSON.parse(stdout) as Record<string, number>
  expect(report).toMatchObject({ different_lists: 0, lists: 80, golden: [8, 8, 8] })
  for (const name of ['encoder_ort', 'encoder_numpy', 'ranker_ort', 'ranker_numpy']) {
    expect(report[name], name).toBeLessThan(1e-4)
  }
})
