import { ServingModel, TypeScriptScanner } from '@attune/core/rank'
import { buildRandomModel, seededRandom } from '@attune/core/testing'
import { expect, test } from 'vitest'
import { Current, Epoch } from './current.ts'
import type { OrtEngine } from './ort.ts'

function model(epoch: number): ServingModel {
  const { manifest, data } = buildRandomModel(seededRandom(epoch), { items: 20, epoch })
  return new ServingModel(manifest, data, (dim, capacity) => new TypeScriptScanner(dim, capacity))
}

/** Stands for ORT; counts its releases. */
function engine(): OrtEngine & { released: number } {
  const fake = {
    name: 'ort' as const,
    released: 0,
    encode: () => new Float32Array(64),
    score: () => new Float32Array(1),
    release: () => {
      fake.released++
      return Promise.resolve()
    },
  }
  return fake
}

test('a request in flight during a swap keeps its epoch, whose sessions are freed after it and not before', async () => {
  const current = new Current()
  const [first, second] = [engine(), engine()]
  current.swap(new Epoch(model(1), '', first))
  let finish = (): void => undefined
  const held = new Promise<void>((resolve) => {
    finish = resolve
  })
  const request = current.epoch?.use(async (epoch) => {
    await held
    return [epoch.model.epoch, epoch.engine === first]
  })
  current.swap(new Epoch(model(2), '', second))
  expect(current.state).toMatchObject({ epoch: 2, engine: 'ort' })
  expect(first.released).toBe(0)
  finish()
  expect(await request).toEqual([1, true])
  expect([first.released, second.released]).toEqual([1, 0])
})

test("until ORT is warm core's TypeScript ranks; a request keeps the engine it took", async () => {
  const epoch = new Epoch(model(1), '')
  expect([epoch.engineName, epoch.warmed]).toEqual(['core', false])
  const before = epoch.engine
  const ort = engine()
  epoch.warm(ort)
  expect(before?.name).toBe('core')
  expect([epoch.engineName, epoch.warmed]).toEqual(['ort', true])
  const late = engine()
  epoch.warm(late)
  expect([late.released, ort.released]).toEqual([1, 0])
})

test('sessions that come after the epoch was retired are freed at once', () => {
  const epoch = new Epoch(model(1), '')
  epoch.retire()
  const ort = engine()
  epoch.warm(ort)
  expect(ort.released).toBe(1)
})
