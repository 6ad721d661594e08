import {
  ArtifactError,
  deltaTensors,
  writeSafetensors,
  type DeltaContent,
  type DeltaHeader,
} from '@attune/core/artifact'
import type { ItemAttributes } from '@attune/core'
import { ServingModel, TypeScriptScanner } from '@attune/core/rank'
import { buildRandomModel, seededRandom } from '@attune/core/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const ITEMS = 12
const DIM = 16
const NEIGHBOURS = 4

/** What one delta says, in plain terms; rows are taken modulo the items there are. */
interface Change {
  readonly added: number
  readonly counts: readonly (readonly [row: number, count: number])[]
  readonly factors: readonly (readonly [row: number, at: number])[]
  readonly attributes: readonly (readonly [row: number, stock: number | null])[]
}

/** What a model should hold, written down from the format's own words. */
interface Expected {
  readonly ids: string[]
  readonly popularity: number[]
  /** Of each row which axis it points along; undefined: nobody said. */
  readonly axis: (number | undefined)[]
  readonly stock: Map<number, number | null>
}

const pairs = <T>(value: fc.Arbitrary<T>) =>
  fc.array(fc.tuple(fc.nat(99), value), { maxLength: 4 }).map((all) => [...new Map(all).entries()])
const change: fc.Arbitrary<Change> = fc.record({
  added: fc.nat(2),
  counts: pairs(fc.integer({ min: 0, max: 1_000 })),
  factors: pairs(fc.nat(DIM - 1)),
  attributes: pairs(fc.option(fc.nat(9))),
})

interface Delta {
  readonly header: DeltaHeader
  readonly tensors: Uint8Array
}

/** Deltas 1, 2, … and what should be there after each. */
function written(changes: readonly Change[], first: Expected): { deltas: Delta[]; states: Expected[] } {
  const states = [first]
  const deltas = changes.map((one, index): Delta => {
    const before = states.at(-1) as Expected
    const items = Array.from({ length: one.added }, (_, nth) => `new-${index}-${nth}`)
    const ids = [...before.ids, ...items]
    const byRow = <T>(all: readonly (readonly [number, T])[]) =>
      new Map(all.map(([row, value]) => [row % ids.length, value]))
    const [counts, axes, stocks] = [byRow(one.counts), byRow(one.factors), byRow(one.attributes)]
    states.push({
      ids,
      popularity: ids.map((_, row) => counts.get(row) ?? before.popularity[row] ?? 0),
      axis: ids.map((_, row) => axes.get(row) ?? before.axis[row]),
      stock: new Map([...before.stock, ...stocks]),
    })
    const content: DeltaContent = {
      ...(counts.size > 0 && {
        popularity: {
          rows: Uint32Array.from(counts.keys()),
          popularity: Float32Array.from(counts.values()),
          trend: new Float32Array(counts.size),
        },
      }),
      ...(axes.size > 0 && {
        factors: {
          rows: Uint32Array.from(axes.keys()),
          factors: Float32Array.from([...axes.values()].flatMap((axis) => unit(axis))),
        },
      }),
    }
    const attributes: Record<string, ItemAttributes | null> = Object.fromEntries(
      [...stocks].map(([row, stock]) => [ids[row] ?? '', stock === null ? null : { stock }]),
    )
    const tensors = writeSafetensors(deltaTensors(content, DIM, NEIGHBOURS))
    const header: DeltaHeader = {
      format: 1,
      epoch: 1,
      delta: index + 1,
      through: null,
      created: '2026-01-01T00:00:00.000Z',
      sha256: '',
      bytes: tensors.length,
      items,
      attributes,
    }
    return { header, tensors }
  })
  return { deltas, states }
}

const unit = (axis: number): number[] => Array.from({ length: DIM }, (_, at) => Number(at === axis))

function shows(model: ServingModel, { ids, popularity, axis, stock }: Expected): void {
  expect(model.items).toBe(ids.length)
  for (const [row, id] of ids.entries()) {
    expect([id, model.rowOf(id), model.popularity[row]]).toEqual([id, row, popularity[row]])
    const along = axis[row]
    if (along !== undefined)
      expect([...model.factors.subarray(row * DIM, (row + 1) * DIM)]).toEqual(unit(along))
    const said = stock.get(row)
    expect(model.isRemoved(row)).toBe(said === null)
    expect(model.attributesOf(row)?.['stock']).toBe(said ?? undefined)
  }
  const listed = [...model.popular]
  expect(listed.toSorted((a, b) => a - b)).toEqual(
    ids.flatMap((_, row) => (stock.get(row) === null ? [] : [row])),
  )
  const counts = listed.map((row) => popularity[row] ?? 0)
  expect(counts).toEqual(counts.toSorted((a, b) => b - a))
}

test('in whatever order and however often deltas come, a model holds what those up to its number say, and nothing of any other', () => {
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(5), { maxLength: 25 }),
      (changes, order) => {
        const { manifest, data } = buildRandomModel(seededRandom(1), {
          items: ITEMS,
          epoch: 1,
          dim: DIM,
          neighbours: NEIGHBOURS,
        })
        const model = new ServingModel(
          manifest,
          data,
          (dim, capacity) => new TypeScriptScanner(dim, capacity),
        )
        const { deltas, states } = written(changes, {
          ids: [...data.ids],
          popularity: Array.from(data.popularity.subarray(0, ITEMS)),
          axis: data.ids.map(() => undefined),
          stock: new Map(),
        })
        let applied = 0
        // Any order, and then all that is missing.
        for (const index of [...order.map((one) => one % deltas.length), ...deltas.keys()]) {
          const { header, tensors } = deltas[index] as Delta
          if (index > applied)
            expect(() => model.apply(header, tensors)).toThrow(
              expect.objectContaining({ name: ArtifactError.name, code: 'DELTA_GAP' }),
            )
          else expect(model.apply(header, tensors)).toBe(index === applied)
          applied = Math.max(applied, index === applied ? index + 1 : applied)
          expect(model.delta).toBe(applied)
          shows(model, states[applied] as Expected)
        }
      },
    ),
    { numRuns: 300 },
  )
})
