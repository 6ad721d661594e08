import fc from 'fast-check'
import { expect, test } from 'vitest'
import { writeSafetensors, type DeltaHeader } from '../artifact/index.ts'
import type { ItemAttributes } from '../item.ts'
import { buildRandomModel, seededRandom } from '../testing/index.ts'
import { RowFilter } from './filter.ts'
import { ServingModel } from './model.ts'
import { coreEngine, rankByPopularity, rankHistory } from './pipeline.ts'
import { CandidateSet } from './retrieve.ts'
import { TypeScriptScanner } from './typescript-scanner.ts'

const NOTHING = writeSafetensors({})

const build = (groupOf: (row: number) => number) => {
  const { manifest, data } = buildRandomModel(seededRandom(1), { items: 300 })
  const attributes = new Map(data.ids.map((id, row) => [id, { group: groupOf(row) }]))
  return new ServingModel(
    manifest,
    { ...data, attributes },
    (dim, capacity) => new TypeScriptScanner(dim, capacity),
  )
}
const delta = (number: number, attributes: Record<string, ItemAttributes | null>): DeltaHeader => ({
  format: 1,
  epoch: 1,
  delta: number,
  through: null,
  created: '2026-01-01T00:00:00.000Z',
  sha256: '',
  bytes: NOTHING.length,
  items: [],
  attributes,
})

test('a filter that few items pass still fills the list, from the whole catalogue', async () => {
  const model = build((row) => row % 12)
  const filter = new RowFilter(model, (attributes) => attributes?.['group'] === 5)
  const history = [{ item: 'item-3', kind: 'click' as const, at: 1e12 }]
  const engine = coreEngine(model.weights ?? expect.unreachable())
  const { rows } = await rankHistory(model, { history, k: 20, filter }, engine, new CandidateSet())
  expect([rows.length, rows.every((row) => row % 12 === 5)]).toEqual([20, true])
  const popular = rankByPopularity(model, 'popular', { k: 25, filter }).rows
  // 25 items pass; the model breaks ties of counts by its own order.
  expect(popular.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, at) => 12 * at + 5))
  const counts = popular.map((row) => model.popularity[row] ?? Number.NaN)
  expect(counts).toEqual(counts.toSorted((a, b) => b - a))
})

test('whatever deltas change, a filter says of each row what its test says of the attributes there are now', () => {
  const change = fc.dictionary(
    fc.integer({ min: 0, max: 299 }).map((row) => `item-${row}`),
    fc.option(fc.record({ group: fc.nat(2) }), { nil: null }),
    { maxKeys: 20 },
  )
  fc.assert(
    fc.property(fc.array(change, { maxLength: 5 }), (changes) => {
      const model = build((row) => row % 3)
      const good = (attributes: ItemAttributes | undefined) => attributes?.['group'] === 1
      const filter = new RowFilter(model, good)
      for (const [index, attributes] of changes.entries()) {
        filter.allows(index)
        if (index % 2 === 0) filter.mask()
        model.apply(delta(index + 1, attributes), NOTHING)
      }
      const expected = Array.from(
        { length: 300 },
        (_, row) => !model.isRemoved(row) && good(model.attributesOf(row)),
      )
      expect(expected.map((_, row) => filter.allows(row))).toEqual(expected)
      expect(Array.from(filter.mask(), (one) => one === 1)).toEqual(expected)
    }),
    { numRuns: 50 },
  )
})
