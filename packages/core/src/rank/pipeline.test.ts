import { expect, test } from 'vitest'
import { deltaTensors, writeSafetensors, type DeltaContent, type DeltaHeader } from '../artifact/index.ts'
import { buildRandomModel, seededRandom } from '../testing/index.ts'
import { FEATURE_NAMES, FEATURES } from './features.ts'
import { explain } from './explain.ts'
import { ServingModel } from './model.ts'
import { coreEngine, rankerInput, rankHistory, toRows, type RankEngine } from './pipeline.ts'
import { CandidateSet } from './retrieve.ts'
import { TypeScriptScanner } from './typescript-scanner.ts'

const build = (items = 300, seed = 1) => {
  const { manifest, data } = buildRandomModel(seededRandom(seed), { items })
  const model = new ServingModel(manifest, data, (dim, capacity) => new TypeScriptScanner(dim, capacity))
  if (model.weights === undefined) throw new Error('a random model has weights')
  return { model, engine: coreEngine(model.weights), scratch: new CandidateSet() }
}
const clicks = (...items: string[]) =>
  items.map((item, index) => ({ item, kind: 'click' as const, at: 1e12 + index * 1_000 }))

const header = (change: Partial<DeltaHeader>): DeltaHeader => ({
  format: 1,
  epoch: 1,
  delta: 1,
  through: '0:-1#7',
  created: '2026-01-01T00:00:00.000Z',
  sha256: '',
  bytes: 1,
  items: [],
  ...change,
})
const tensors = (content: DeltaContent) => writeSafetensors(deltaTensors(content, 64, 20))

test('the list has k different items, best first, without the excluded one', async () => {
  const { model, engine, scratch } = build()
  const all = await rankHistory(model, { history: clicks('item-3', 'item-9'), k: 20 }, engine, scratch)
  expect(new Set(all.rows).size).toBe(20)
  expect([...all.scores].sort((a, b) => b - a)).toEqual(all.scores)
  const without = await rankHistory(
    model,
    { history: clicks('item-3', 'item-9'), k: 20, exclude: [all.rows[0] ?? -1] },
    engine,
    scratch,
  )
  expect(without.rows).not.toContain(all.rows[0])
})

test('given candidates are the only ones ranked', async () => {
  const { model, engine, scratch } = build()
  const ranked = await rankHistory(
    model,
    { history: clicks('item-3'), candidates: [5, 6, 7], k: 20 },
    engine,
    scratch,
  )
  expect([...ranked.rows].sort()).toEqual([5, 6, 7])
})

test('a visitor without known items gets the popular ones, by count', async () => {
  const { model, engine, scratch } = build()
  const ranked = await rankHistory(model, { history: clicks('unknown'), k: 3 }, engine, scratch)
  const counts = Array.from(model.popularity.subarray(0, 300)).sort((a, b) => b - a)
  expect(ranked.rows.map((row) => model.popularity[row])).toEqual(counts.slice(0, 3))
  expect(ranked.engine).toBe('none')
})

test('features of a table of one rule, worked by hand', async () => {
  const { model, engine, scratch } = build()
  model.srItems.fill(0xffff_ffff)
  model.srScores.fill(0)
  model.srItems[3 * 20] = 8 // from item 3 to item 8: count 4 of 10
  model.srScores[3 * 20] = 255
  model.srScales[3] = 4
  model.srSums[3] = 10
  model.popularity[8] = Math.E - 1
  model.trend[8] = 0
  const history = toRows(model, clicks('item-8', 'item-5', 'item-8', 'item-3'))
  const input = await rankerInput(model, history, engine, [8, 3], [], scratch)
  const { features, context } = input
  const of = (place: number, name: (typeof FEATURE_NAMES)[number]) =>
    features[place * FEATURES + FEATURE_NAMES.indexOf(name)]
  expect(of(0, 'sr_last')).toBeCloseTo(Math.log1p(400), 5)
  expect(of(0, 'sr_last_count')).toBeCloseTo(Math.log1p(4), 5)
  expect(of(0, 'sr_decayed')).toBeCloseTo(Math.log1p(400), 5)
  expect(of(0, 'log_popularity')).toBeCloseTo(1, 5)
  expect(of(0, 'log_trend')).toBeCloseTo(-1, 5)
  expect(of(0, 'is_last')).toBe(0)
  expect(of(0, 'in_visit')).toBe(1)
  expect(of(0, 'inverse_age')).toBeCloseTo(1 / 2, 6)
  expect(of(0, 'log_repeats')).toBeCloseTo(Math.log1p(2), 6)
  expect(of(0, 'cos_best')).toBeCloseTo(1, 5) // itself is among the last 5
  expect(of(0, 'support')).toBe(1)
  expect(of(1, 'is_last')).toBe(1)
  expect(of(1, 'cos_last')).toBeCloseTo(1, 5)
  expect(context[0]).toBeCloseTo(Math.log1p(4), 6)
  expect(context[2]).toBe(0)
  // e⁰ · 0.4 from item 3, far above a tenth of any cosine
  expect(explain(model, history, [8])).toEqual([3])
})

test('a delta changes rows, appends items and applies once; a gap changes nothing', () => {
  const { model } = build()
  const factors = new Float32Array(64)
  factors[0] = 1
  const content: DeltaContent = {
    factors: { rows: Uint32Array.of(300), factors },
    popularity: { rows: Uint32Array.of(300), popularity: Float32Array.of(1_000), trend: Float32Array.of(9) },
  }
  expect(() => model.apply(header({ delta: 2, items: ['new'] }), tensors(content))).toThrowError(
    expect.objectContaining({ code: 'DELTA_GAP' }),
  )
  expect(model.items).toBe(300)
  expect(model.apply(header({ items: ['new'] }), tensors(content))).toBe(true)
  expect(model.apply(header({ items: ['new'] }), tensors(content))).toBe(false)
  expect([model.rowOf('new'), model.items, model.delta, model.through]).toEqual([300, 301, 1, '0:-1#7'])
  expect(model.popular[0]).toBe(300)
  expect([...model.scanner.scan(factors, 301, 1).rows]).toEqual([300])
  expect(model.srItems[300 * 20]).toBe(0xffff_ffff)
})

test.each([
  [
    'a row past the end',
    { factors: { rows: Uint32Array.of(300), factors: new Float32Array(64) } },
    'ARTIFACT_SHAPE_MISMATCH',
  ],
  [
    'a wrong width',
    { factors: { rows: Uint32Array.of(1), factors: new Float32Array(32) } },
    'ARTIFACT_SHAPE_MISMATCH',
  ],
  [
    'not a number',
    { factors: { rows: Uint32Array.of(1), factors: new Float32Array(64).fill(Number.NaN) } },
    'ARTIFACT_MALFORMED',
  ],
])('a delta with %s is refused whole', (_, content, code) => {
  const { model } = build()
  const before = model.factors.slice()
  const written = writeSafetensors(
    Object.fromEntries(
      Object.entries({ rows: content.factors.rows, factors: content.factors.factors }).map(([name, data]) => [
        name,
        { shape: name === 'rows' ? [1] : [1, data.length], data },
      ]),
    ),
  )
  expect(() => model.apply(header({}), written)).toThrowError(expect.objectContaining({ code }))
  expect(model.factors).toEqual(before)
  expect(model.delta).toBe(0)
})

test('a delta that lands while the encoder runs starts it again', async () => {
  const { model, engine, scratch } = build()
  let calls = 0
  const slow: RankEngine = {
    ...engine,
    encode: async (input) => {
      if (calls++ === 0)
        model.apply(
          header({}),
          tensors({ factors: { rows: Uint32Array.of(9), factors: new Float32Array(64).fill(0.125) } }),
        )
      return await engine.encode(input)
    },
  }
  const ranked = await rankHistory(model, { history: clicks('item-9'), k: 5 }, slow, scratch)
  const after = await rankHistory(model, { history: clicks('item-9'), k: 5 }, engine, scratch)
  expect(calls).toBe(2)
  expect(ranked).toEqual(after)
  expect(ranked.delta).toBe(1)
})

test('the scan and the neighbours find what an exhaustive ranking of all candidates puts first', async () => {
  const { model, engine, scratch } = build(500, 4)
  const everything = Array.from({ length: 500 }, (_, row) => row)
  const history = toRows(model, clicks('item-1', 'item-2'))
  const all = await rankerInput(model, history, engine, everything, [], scratch)
  const query = all.query
  const exact = everything
    .map((row) => ({
      row,
      cosine: model.factors
        .subarray(row * 64, row * 64 + 64)
        .reduce((sum, x, c) => sum + x * (query[c] ?? 0), 0),
    }))
    .sort((a, b) => b.cosine - a.cosine)
    .slice(0, 200)
  const found = new Set((await rankerInput(model, history, engine, undefined, [], scratch)).rows)
  expect(exact.filter(({ row }) => !found.has(row))).toEqual([])
})

test('floats given back are lent again, whole; a longer wish gets new ones', () => {
  const set = new CandidateSet()
  const first = set.borrow(100)
  set.giveBack(first)
  const second = set.borrow(60)
  expect([second.length, second.buffer]).toEqual([60, first.buffer])
  const third = set.borrow(60)
  expect(third.buffer).not.toBe(first.buffer)
  set.giveBack(second)
  expect(set.borrow(100).buffer).toBe(first.buffer)
  expect(set.borrow(101).length).toBe(101)
})
