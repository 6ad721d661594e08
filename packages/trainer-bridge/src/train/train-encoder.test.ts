import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { folderCheckpoints } from './checkpoint.ts'
import { ringVisits } from './testing/small-model.ts'
import { trainEncoder, type EncoderOptions } from './train-encoder.ts'

const data = ringVisits(200, 2_000, 1)
const validation = ringVisits(200, 200, 2)
const small: EncoderOptions = { iterations: 4, batch: 256, negatives: 128, seed: 5, threads: 2 }

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-train-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('learns a ring of 200 items: loss falls every iteration and the next item is among the first 20 for 80 % of unseen visits', async () => {
  const seen: number[] = []
  const trained = await trainEncoder(data, {
    ...small,
    validation,
    onProgress: ({ iteration }) => seen.push(iteration),
  })
  const { losses } = trained
  expect(losses.length).toBe(4)
  losses.slice(1).forEach((loss, index) => expect(loss).toBeLessThan(losses[index]!))
  // 10 % of steps jump anywhere, so about 0.9 is the most there is; guessing would give 0.1.
  expect(trained.hr20).toBeGreaterThan(0.8)
  expect(seen.at(-1)).toBe(4)
  for (let row = 0; row < 200; row++) {
    expect(Math.hypot(...trained.factors.subarray(row * 64, (row + 1) * 64))).toBeCloseTo(1, 5)
  }
})

test('one thread and three give the same bits', async () => {
  const [one, three] = [
    await trainEncoder(data, { ...small, iterations: 1, threads: 1 }),
    await trainEncoder(data, { ...small, iterations: 1, threads: 3 }),
  ]
  expect(three.losses).toEqual(one.losses)
  expect(Buffer.from(three.factors.buffer).equals(Buffer.from(one.factors.buffer))).toBe(true)
  const other = await trainEncoder(data, { ...small, iterations: 1, threads: 1, seed: 6 })
  expect(other.losses).not.toEqual(one.losses)
})

test('stopped by its signal in iteration 3 and taken up again, it ends with the bits of a run that was never stopped', async () => {
  const whole = await trainEncoder(data, small)
  const controller = new AbortController()
  const checkpoints = folderCheckpoints(folder, 'encoder', 'key')
  const stopped = trainEncoder(data, {
    ...small,
    checkpoints,
    signal: controller.signal,
    onProgress: ({ iteration }) => {
      if (iteration >= 2) controller.abort()
    },
  })
  await expect(stopped).rejects.toMatchObject({ code: 'TRAIN_ABORTED' })
  const iterations: number[] = []
  const resumed = await trainEncoder(data, {
    ...small,
    checkpoints,
    onProgress: ({ iteration }) => iterations.push(iteration),
  })
  expect(Math.min(...iterations)).toBeGreaterThan(2)
  expect(resumed.losses).toEqual(whole.losses)
  expect(Buffer.from(resumed.factors.buffer).equals(Buffer.from(whole.factors.buffer))).toBe(true)
  expect(resumed.weights).toEqual(whole.weights)
})

test('stops when held-out visits have seen nothing better for 2 iterations, and says which was best', async () => {
  // Items 200 and 201 are never trained on, so whatever is learned, they stay out of reach: HR@20 is 0 from the start.
  const ids = [...data.ids, 'never', 'seen']
  const hopeless = { ids, offsets: Uint32Array.of(0, 2), rows: Uint32Array.of(0, 201) }
  const trained = await trainEncoder(
    { ...data, ids },
    { ...small, iterations: 8, patience: 2, validation: hopeless },
  )
  expect(trained.losses.length).toBe(3)
  expect(trained.stoppedAt).toBe(1)
})

test('a checkpoint of another training is ignored, a damaged one refused', async () => {
  const state = { values: Float32Array.of(1, 2, 3) }
  const notes = { losses: [1], hr20s: [0.5], mrr20s: [0.25] }
  folderCheckpoints(folder, 'other', 'key').save(state, notes)
  const target = { values: new Float32Array(3) }
  expect(folderCheckpoints(folder, 'other', 'another key').load(target)).toBeUndefined()
  expect(folderCheckpoints(folder, 'other', 'key').load(target)).toEqual(notes)
  expect(target).toEqual(state)
  const file = join(folder, 'other.checkpoint')
  const bytes = await readFile(file)
  bytes[bytes.length - 1] = bytes[bytes.length - 1]! ^ 1
  await writeFile(file, bytes)
  expect(() => folderCheckpoints(folder, 'other', 'key').load(target)).toThrow(/damaged/)
})

test.each([
  ['threads', 0],
  ['historyLength', 17],
  ['negatives', 100],
  ['iterations', 1.5],
])('option %s of %d is refused by name', async (name, value) => {
  await expect(trainEncoder(data, { ...small, [name]: value })).rejects.toMatchObject({
    code: 'TRAIN_OPTION_INVALID',
    message: expect.stringContaining(`${name}: expected`) as string,
  })
})

test('kinds and times are learned from: purchases that foretell the next item end up stronger than views that do not', async () => {
  // A view of a random item, then a purchase of r, then r + 1: only the purchase tells what comes.
  const visits = 1_500
  const rows = new Uint32Array(visits * 3)
  const kinds = new Uint8Array(visits * 3)
  const times = new Float64Array(visits * 3)
  for (let visit = 0; visit < visits; visit++) {
    const row = (visit * 37) % 60
    // The purchase comes first, the view is the last step, so attention has to look past it.
    rows.set([row, 60 + ((visit * 17) % 40), (row + 1) % 60], visit * 3)
    kinds.set([3, 1, 0], visit * 3)
    times.set([0, 6e4, 12e4], visit * 3)
  }
  const offsets = Uint32Array.from({ length: visits + 1 }, (_, visit) => visit * 3)
  const ids = Array.from({ length: 100 }, (_, row) => String(row))
  const { weights } = await trainEncoder({ ids, offsets, rows, kinds, times }, { ...small, iterations: 6 })
  const [, view = 0, , purchase = 0] = weights.strength
  expect(Math.abs(purchase)).toBeGreaterThan(Math.abs(view))
  expect(weights.decay).toBeGreaterThanOrEqual(0)
})
