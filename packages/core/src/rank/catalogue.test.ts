import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  ArtifactError,
  deltaTensors,
  NO_ITEM,
  parseDeltaHeader,
  readModel,
  writeSafetensors,
} from '../artifact/index.ts'
import { parseAttributes, type ItemAttributes } from '../item.ts'
import { buildRandomModel, seededRandom } from '../testing/index.ts'
import { Catalogue } from './catalogue.ts'
import { ServingModel } from './model.ts'
import { coreEngine, rankHistory } from './pipeline.ts'
import { CandidateSet } from './retrieve.ts'
import { TypeScriptScanner } from './typescript-scanner.ts'

const NOTHING = writeSafetensors({})

const build = (attributes?: ReadonlyMap<string, ItemAttributes | null>) => {
  const { manifest, data } = buildRandomModel(seededRandom(1), { items: 300 })
  return new ServingModel(
    manifest,
    { ...data, ...(attributes && { attributes }) },
    (dim, capacity) => new TypeScriptScanner(dim, capacity),
  )
}

const delta = (number: number, change: Record<string, unknown>) =>
  parseDeltaHeader(
    JSON.parse(
      JSON.stringify({
        format: 1,
        epoch: 1,
        delta: number,
        through: null,
        created: '2026-01-01T00:00:00.000Z',
        sha256: '0'.repeat(64),
        bytes: NOTHING.length,
        items: [],
        ...change,
      }),
    ),
  )

const clicks = [{ item: 'item-3', kind: 'click' as const, at: 1e12 }]

test('attributes of the items file are those of its rows', () => {
  const model = build(new Map([['item-7', { category: 'hats', stock: 3 }]]))
  expect(model.attributesOf(7)).toEqual({ category: 'hats', stock: 3 })
  expect(model.attributesOf(8)).toBeUndefined()
})

test('an item deleted by a delta is in no list, given as a candidate or not, until a delta brings it back', async () => {
  const model = build()
  const engine = coreEngine(model.weights ?? expect.unreachable())
  const scratch = new CandidateSet()
  const list = async (candidates?: number[]) =>
    (await rankHistory(model, { history: clicks, k: 20, ...(candidates && { candidates }) }, engine, scratch))
      .rows
  const [first = -1] = await list()
  const popular = model.popular[0] ?? -1
  const id = (row: number) => model.ids[row] ?? ''
  model.apply(delta(1, { attributes: { [id(first)]: null, [id(popular)]: null } }), NOTHING)
  expect(await list()).not.toContain(first)
  expect(await list([first, 5])).toEqual([5])
  for (const order of [model.popular, model.trending, model.newest]) expect(order).not.toContain(popular)
  model.apply(delta(2, { attributes: { [id(first)]: { stock: 1 } } }), NOTHING)
  expect(await list()).toContain(first)
  expect(model.attributesOf(first)).toEqual({ stock: 1 })
})

test('an item known to the catalogue alone is a new row, and the newest by the time it was added', () => {
  const model = build(new Map([['item-9', { added: 2_000 }]]))
  expect(model.newest.slice(0, 2)).toEqual(Uint32Array.of(9, 299))
  model.apply(
    delta(1, { items: ['sku-a', 'sku-b'], attributes: { 'sku-a': { added: 3_000 }, 'sku-b': {} } }),
    NOTHING,
  )
  expect(model.newest.slice(0, 3)).toEqual(Uint32Array.of(300, 9, 301))
})

test('a delta with attributes of a foreign item changes nothing; deleting a foreign item is no mistake', () => {
  const model = build()
  expect(() => model.apply(delta(1, { attributes: { nobody: {} } }), NOTHING)).toThrow(/"nobody"/)
  expect([model.delta, model.catalogue.version]).toEqual([0, 0])
  expect(model.apply(delta(1, { attributes: { nobody: null } }), NOTHING)).toBe(true)
})

test.each([
  ['not an object', [], 'delta.attributes'],
  ['a number', { x: 7 }, 'delta.attributes["x"]'],
  ['a nested object', { x: { size: { eu: 7 } } }, 'delta.attributes["x"]["size"]'],
  ['a stock in words', { x: { stock: 'many' } }, 'delta.attributes["x"]["stock"]'],
  ['a category of numbers', { x: { category: 7 } }, 'delta.attributes["x"]["category"]'],
  ['too long a text', { x: { text: 'x'.repeat(1_025) } }, 'delta.attributes["x"]["text"]'],
  ['a list of 65', { x: { tags: Array(65).fill('a') } }, 'delta.attributes["x"]["tags"]'],
  [
    '65 attributes',
    { x: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`a${n}`, n])) },
    'delta.attributes["x"]',
  ],
  ['an empty id', { '': {} }, 'delta.attributes[""]'],
])('attributes that are %s are refused with their path', (_, attributes, path) => {
  const error = (() => {
    try {
      delta(1, { attributes })
    } catch (caught) {
      return caught
    }
    return undefined
  })()
  expect(error).toBeInstanceOf(ArtifactError)
  expect(error).toMatchObject({ code: 'ARTIFACT_MALFORMED', issues: [{ path }] })
})

test('items files with and without attributes are read; one that names a foreign item is refused', () => {
  const { manifest, data } = buildRandomModel(seededRandom(1), { items: 16, dim: 16, neighbours: 2 })
  const { ids } = data
  const vector = (values: Float32Array) => ({ shape: [values.length], data: values })
  const files = (items: unknown) => ({
    factors: writeSafetensors({
      factors: { shape: [16, 16], data: data.factors },
      scales: vector(data.scales),
      quantized: { shape: [16, 16], data: data.quantized },
    }),
    tables: writeSafetensors({
      sr_items: { shape: [16, 2], data: data.srItems },
      sr_scores: { shape: [16, 2], data: data.srScores },
      sr_scales: vector(data.srScales),
      sr_sums: vector(data.srSums),
      popularity: vector(data.popularity),
      trend: vector(data.trend),
    }),
    items: new TextEncoder().encode(JSON.stringify(items)),
  })
  expect(readModel(manifest, files({ ids })).attributes).toBeUndefined()
  const attributes = { 'item-1': { stock: 2 }, 'item-2': null }
  expect(readModel(manifest, files({ ids, attributes })).attributes).toEqual(
    new Map<string, unknown>([
      ['item-1', { stock: 2 }],
      ['item-2', null],
    ]),
  )
  expect(() => readModel(manifest, files({ ids, attributes: { other: {} } }))).toThrow(/"other"/)
})

test('a delta brings a table of what is bought together; its rows grow with the model, its width stays', () => {
  const model = build()
  expect(model.together).toBeUndefined()
  const together = {
    rows: Uint32Array.of(4, 300),
    items: Uint32Array.of(9, NO_ITEM, 4, 9),
    scores: Uint8Array.of(255, 0, 255, 128),
    scales: Float32Array.of(3, 2),
    width: 2,
  }
  const first = writeSafetensors(deltaTensors({ together }, 64, 20))
  model.apply(delta(1, { items: ['sku-a'], bytes: first.length }), first)
  const table = model.together ?? expect.unreachable()
  expect([table.items.slice(8, 10), table.items.slice(600, 602), table.scales[300]]).toEqual([
    Uint32Array.of(9, NO_ITEM),
    Uint32Array.of(4, 9),
    2,
  ])
  expect(table.items[0]).toBe(NO_ITEM)
  const wider = { rows: Uint32Array.of(1), items: new Uint32Array(3), scores: new Uint8Array(3), width: 3 }
  const second = writeSafetensors(
    deltaTensors({ together: { ...wider, scales: Float32Array.of(1) } }, 64, 20),
  )
  expect(() => model.apply(delta(2, {}), second)).toThrow(/bt_items: expected Uint32Array \[1, 2\]/)
})

test('any JSON gives attributes or issues, never an exception, and nothing from a prototype', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      const { attributes, issues } = parseAttributes(JSON.parse(json), 'x')
      expect(Object.getPrototypeOf(attributes)).toBeNull()
      for (const issue of issues) expect(issue.path.startsWith('x')).toBe(true)
    }),
  )
  const { attributes } = parseAttributes(JSON.parse('{"__proto__":"a","constructor":1}'), 'x')
  expect(Object.keys(attributes)).toEqual(['__proto__', 'constructor'])
})

test('a catalogue tells which rows changed since a version, until it has forgotten', () => {
  const catalogue = new Catalogue()
  catalogue.set(3, { stock: 1 })
  const version = catalogue.version
  catalogue.set(5, null)
  expect(catalogue.changedSince(version)).toEqual([5])
  expect(catalogue.changedSince(catalogue.version)).toEqual([])
  for (let change = 0; change < 20_000; change++) catalogue.set(1, { stock: change })
  expect(catalogue.changedSince(version)).toBeUndefined()
})
