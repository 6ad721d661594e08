import { deltaTensors, writeSafetensors, type DeltaHeader } from '@attune/core/artifact'
import { TypeScriptScanner } from '@attune/core/rank'
import { expect, test } from 'vitest'
import { formatContinuation } from '../change-feed/places.ts'
import { randomTrainedModel } from '../testing/random-model.ts'
import { servingModel } from '../train/trained-model.ts'
import type { StoredBatch } from '../windows.ts'
import { LiveModel } from './live-model.ts'
import type { MicroBatch } from './micro-batch.ts'

const T0 = 1_764_000_000_000
let next = 0
const clicks = (visitor: string, items: string[], at = T0): StoredBatch => ({
  id: `b${next}`,
  visitor,
  received: at + items.length,
  events: items.map((item, index) => ({ id: `e${next++}`, kind: 'click', item, at: at + index })),
})
const place = (lsn: number) =>
  formatContinuation({ rid: 'r', places: [{ min: '', max: 'FF', token: `"${lsn}"` }] })
const micro = (seq: number, batches: StoredBatch[], at = T0): MicroBatch => ({
  seq,
  at,
  pages: [{ range: '-FF', continuation: place(seq), through: `0:-1#${seq}`, batches }],
})
const header = (delta: number, items: readonly string[]): DeltaHeader => ({
  format: 1,
  epoch: 1,
  delta,
  through: null,
  created: '2026-01-01T00:00:00.000Z',
  sha256: '',
  bytes: 1,
  items,
})

test('the row of a clicked pair is the trained one plus one, its sum too, popularity goes up by one step', () => {
  const base = randomTrainedModel(100)
  const live = new LiveModel(base)
  const { content, items } = live.apply(micro(1, [clicks('v', ['item-3', 'item-9'])]))
  expect(items).toEqual([])
  const source = 3
  const row = Array.from(content.neighbours?.rows ?? [])
  expect(row).toEqual([source])
  expect(content.neighbours?.sums[0]).toBeCloseTo((base.tables.srSums[source] ?? 0) + 1, 4)
  const { items: targets, scores, scales } = content.neighbours ?? { items: [], scores: [], scales: [0] }
  const trained = new Map<number, number>()
  for (let slot = source * 20; slot < source * 20 + 20; slot++) {
    const count = ((base.tables.srScales[source] ?? 0) * (base.tables.srScores[slot] ?? 0) ** 2) / 65_025
    if (count > 0) trained.set(base.tables.srItems[slot] ?? 0, count)
  }
  const place = Array.from(targets).indexOf(9)
  const count = ((scales[0] ?? 0) * (scores[place] ?? 0) ** 2) / 65_025
  // The grid of 255 square-root steps is within 1 % of the largest count.
  expect(Math.abs(count - ((trained.get(9) ?? 0) + 1))).toBeLessThan(0.01 * (scales[0] ?? 0))
  expect(Array.from(content.popularity?.rows ?? [])).toEqual([3, 9])
  expect(content.popularity?.popularity[1]).toBe((base.tables.popularity[9] ?? 0) + 1)
  expect(content.popularity?.trend[1]).toBeCloseTo((base.tables.trend[9] ?? 0) + 1, 1)
  expect(live.through).toBe('0:-1#1')
})

test('an edge that applies the deltas holds what a full epoch of the same state says', () => {
  const base = randomTrainedModel(200)
  const live = new LiveModel(base)
  const makeScanner = (dim: number, capacity: number) => new TypeScriptScanner(dim, capacity)
  const edge = servingModel(
    { ...base, factors: base.factors.slice(), tables: structuredClone(base.tables) },
    makeScanner,
  )
  for (let seq = 1; seq <= 30; seq++) {
    const items = [
      `item-${(seq * 7) % 200}`,
      `item-${(seq * 13) % 200}`,
      `new-${seq % 5}`,
      `item-${(seq * 7) % 40}`,
    ]
    const change = live.apply(micro(seq, [clicks(`v${seq % 9}`, items, T0 + seq * 1_000)], T0 + seq * 1_000))
    const tensors = writeSafetensors(deltaTensors(change.content, 64, 20))
    expect(edge.apply(header(seq, change.items), tensors)).toBe(true)
  }
  const full = live.snapshot()
  const n = full.ids.length
  expect(n).toBe(205)
  expect(edge.ids.slice(0, n)).toEqual(full.ids)
  expect(edge.factors.slice(0, n * 64)).toEqual(full.factors)
  expect(edge.srItems.slice(0, n * 20)).toEqual(full.tables.srItems)
  expect(edge.srScores.slice(0, n * 20)).toEqual(full.tables.srScores)
  expect(edge.srSums.slice(0, n)).toEqual(full.tables.srSums)
  expect(edge.popularity.slice(0, n)).toEqual(full.tables.popularity)
})

const purchases = (visitor: string, items: string[], at = T0): StoredBatch => {
  const batch = clicks(visitor, items, at)
  return { ...batch, events: batch.events.map((event) => ({ ...event, kind: 'purchase' })) }
}

test('three visits that bought 1 with 2 and one that bought 1 with 3: the rows of a delta, worked by hand', () => {
  const base = randomTrainedModel(10)
  const live = new LiveModel(base)
  expect(live.apply(micro(1, [clicks('v0', ['item-1', 'item-2'])])).content.together).toBeUndefined()
  live.apply(micro(2, [purchases('v1', ['item-1', 'item-2']), purchases('v2', ['item-2', 'item-1'])]))
  const { together } = live.apply(
    micro(3, [purchases('v3', ['item-1', 'item-2']), purchases('v4', ['item-1', 'item-3'])]),
  ).content
  expect(together?.width).toBe(32)
  expect([...(together?.rows ?? [])]).toEqual([1, 2, 3])
  const row = (index: number) =>
    [0, 1].map((place) => {
      const slot = index * 32 + place
      return [together?.items[slot], together?.scores[slot]]
    })
  // Scores are 255·√(count/largest): 255 for 3 of 3, 255·√(1/3) = 147 for 1 of 3.
  expect(row(0)).toEqual([
    [2, 255],
    [3, 147],
  ])
  expect(row(1)[0]).toEqual([1, 255])
  expect(row(2)[0]).toEqual([1, 255])
  expect([...(together?.scales ?? [])]).toEqual([3, 3, 1])
  expect(live.baskets.visits(2, 1)).toBe(3)
})

test('live baskets go on top of trained ones, and a full epoch says what the deltas told an edge', () => {
  const seed = new LiveModel(randomTrainedModel(10))
  seed.apply(micro(1, [purchases('v1', ['item-1', 'item-2']), purchases('v2', ['item-4', 'item-5'])]))
  const base = seed.snapshot()
  const live = new LiveModel(base)
  const makeScanner = (dim: number, capacity: number) => new TypeScriptScanner(dim, capacity)
  const edge = servingModel({ ...base, tables: structuredClone(base.tables) }, makeScanner)
  const change = live.apply(
    micro(1, [purchases('v3', ['item-2', 'item-1']), purchases('v4', ['new', 'item-1'])]),
  )
  const tensors = writeSafetensors(deltaTensors(change.content, 64, 20))
  expect(edge.apply(header(1, change.items), tensors)).toBe(true)
  // 1 + 1 with item-2, 1 with the new item; 4 and 5 as they were.
  expect(edge.together?.scales[1]).toBe(2)
  expect([...(edge.together?.items.slice(32, 34) ?? [])]).toEqual([2, 10])
  const full = live.snapshot()
  expect(full.tables.together?.scales.length).toBe(11)
  for (const row of full.ids.keys()) {
    const slots = [row * 32, row * 32 + 32] as const
    expect(edge.together?.items.slice(...slots)).toEqual(full.tables.together?.items.slice(...slots))
    expect(edge.together?.scores.slice(...slots)).toEqual(full.tables.together?.scores.slice(...slots))
    expect(edge.together?.scales[row]).toBe(full.tables.together?.scales[row])
  }
  // And through a checkpoint in between.
  const again = new LiveModel(base, structuredClone(live.state()))
  expect(again.snapshot().tables.together).toEqual(full.tables.together)
})

test('the same micro-batches give the same state, bit by bit, also through a state in between', () => {
  const base = randomTrainedModel(150)
  const batches = Array.from({ length: 40 }, (_, index) =>
    micro(index + 1, [
      clicks(
        `v${index % 7}`,
        [`item-${(index * 31) % 150}`, `item-${(index * 17) % 150}`, 'new-1'],
        T0 + index * 60_000,
      ),
      purchases(
        `w${index % 5}`,
        [`item-${(index * 3) % 20}`, `item-${(index * 7) % 20}`],
        T0 + index * 60_000,
      ),
    ]),
  )
  const straight = new LiveModel(base)
  for (const batch of batches) straight.apply(batch)
  const again = new LiveModel(base)
  for (const batch of batches) again.apply(batch)
  expect(again.state()).toEqual(straight.state())

  const first = new LiveModel(base)
  for (const batch of batches.slice(0, 25)) first.apply(batch)
  const second = new LiveModel(base, structuredClone(first.state()))
  for (const batch of batches.slice(25)) second.apply(batch)
  const sorted = ({ pairs, steps }: { pairs: Float64Array; steps: Float64Array }) => ({
    pairs: triples(pairs).sort(),
    steps: triples(steps).sort(),
  })
  expect(sorted(second.counts.state())).toEqual(sorted(straight.counts.state()))
  expect(triples(second.baskets.state()).sort()).toEqual(triples(straight.baskets.state()).sort())
  expect(straight.baskets.state().length).toBeGreaterThan(0)
  expect(second.through).toBe(straight.through)
  expect(second.places('events').continuations).toEqual(straight.places('events').continuations)
})

test('a new item goes towards its neighbours the more often it is clicked: 1/21 of the way, 19/39 after 19 clicks', () => {
  const base = randomTrainedModel(100)
  const live = new LiveModel(base)
  const cosine = (a: number, b: number) => {
    let sum = 0
    for (let c = 0; c < 64; c++) sum += (live.factors[a * 64 + c] ?? 0) * (live.factors[b * 64 + c] ?? 0)
    return sum
  }
  const cosines: number[] = []
  for (let seq = 1; seq <= 19; seq++) {
    live.apply(micro(seq, [clicks(`v${seq}`, ['item-1', 'new'])]))
    cosines.push(cosine(live.rowOf('new') ?? -1, 1))
  }
  // share·mean + (1 − share)·own, nearly at right angles: cos = s / √(s² + (1 − s)²), 0.05 and 0.69; ±0.125 is one
  // deviation of the cosine of two random directions in 64 dimensions.
  expect(Math.abs((cosines[0] ?? 1) - 0.05)).toBeLessThan(0.35)
  expect(Math.abs((cosines[18] ?? 0) - 0.69)).toBeLessThan(0.3)
  expect(cosines).toEqual([...cosines].sort((a, b) => a - b))
})

test('training on a visit moves the clicked item towards the query, and every row keeps unit length', () => {
  const base = randomTrainedModel(300)
  const live = new LiveModel(base)
  const touched = new Set<number>()
  for (let seq = 1; seq <= 50; seq++) {
    const { content } = live.apply(micro(seq, [clicks(`v${seq}`, ['item-5', 'item-6', 'item-7'])]))
    for (const row of content.factors?.rows ?? []) touched.add(row)
  }
  expect(touched.has(7)).toBe(true)
  expect(touched.size).toBeGreaterThan(2)
  for (const row of touched) {
    expect(Math.hypot(...live.factors.subarray(row * 64, row * 64 + 64))).toBeCloseTo(1, 5)
  }
})

test('a trend nobody feeds falls to 1/e after a window of other clicks, and is sent without a click on it', () => {
  const base = randomTrainedModel(50)
  const window = base.tables.trend.reduce((sum, count) => sum + count, 0)
  const live = new LiveModel(base)
  const told = new Map<number, number>()
  for (let click = 1; click <= Math.round(window); click++) {
    const { content } = live.apply(micro(click, [clicks(`v${click}`, ['item-1'])]))
    content.popularity?.rows.forEach((row, index) => told.set(row, content.popularity?.trend[index] ?? 0))
  }
  const row = base.tables.trend.findIndex((count, index) => index !== 1 && count > 3)
  const expected = (base.tables.trend[row] ?? 0) / Math.E
  expect(live.counts.trend(row)).toBeCloseTo(expected, 1)
  // Edges are told when they are off by a fifth.
  expect(Math.abs((told.get(row) ?? 0) - expected)).toBeLessThan(0.25 * expected + 0.1)
  // The whole stays what the trained one was: as many clicks as the window is wide.
  const total = base.ids.reduce((sum, _, index) => sum + live.counts.trend(index), 0)
  expect(Math.abs(total - window)).toBeLessThan(0.01 * window)
})

function triples(values: Float64Array): string[] {
  return Array.from({ length: values.length / 3 }, (_, index) =>
    values.subarray(index * 3, index * 3 + 3).join(),
  )
}

test('folded into its base a model says the same, keeps no pair, and counts on; open visits are one with those before', () => {
  const base = randomTrainedModel(120)
  const [live, twin] = [new LiveModel(base), new LiveModel(base)]
  const first = micro(1, [
    clicks('v', ['item-3', 'item-9', 'fresh']),
    {
      ...clicks('w', ['item-3', 'item-4'], T0 + 10),
      events: [
        { id: 'w1', kind: 'add-to-cart', item: 'item-3', at: T0 },
        { id: 'w2', kind: 'add-to-cart', item: 'item-4', at: T0 + 1 },
      ],
    },
  ])
  for (const model of [live, twin]) model.apply(first)
  const folded = live.folded()
  expect(live.pairs).toBe(6)
  expect([folded.pairs, folded.seq, folded.through, folded.items]).toEqual([0, 1, '0:-1#1', 121])
  expect(folded.snapshot()).toEqual(live.snapshot())
  expect(folded.places('events').continuations).toEqual(live.places('events').continuations)
  // The visit of v is still open: its next click makes pairs with all three before it, and only with those.
  const second = micro(2, [clicks('v', ['item-5'], T0 + 1_000)])
  const [after, without] = [folded.apply(second), twin.apply(second)]
  expect(Array.from(after.content.neighbours?.rows ?? [])).toEqual([3, 9, 120])
  expect(after.content.neighbours?.sums).toEqual(without.content.neighbours?.sums)
  expect([
    folded.counts.pairUnits(120, 5),
    folded.counts.pairUnits(9, 5),
    folded.counts.pairUnits(3, 9),
  ]).toEqual([2_520, 1_260, 0])
  // And a restart from its state is the same model.
  expect(new LiveModel(folded.base, folded.state()).snapshot()).toEqual(folded.snapshot())
})

test('a late event takes back what a fold has forgotten: nothing is told of less than nothing', () => {
  // 20 neighbours a row: of the pairs of item-0 with 30 others, ten are forgotten by the fold.
  const live = new LiveModel({ ...randomTrainedModel(60), tables: emptyTables(60) })
  const others = Array.from({ length: 30 }, (_, index) => `item-${index + 1}`)
  others.forEach((other, index) => live.apply(micro(index + 1, [clicks(`v${index}`, ['item-0', other])])))
  expect(live.counts.size).toBe(30)
  const folded = live.folded()
  others.forEach((other, index) => {
    // Between the two clicks of each visit came a third: the pair was 2 apart, not 1.
    const event = { id: `l${index}`, kind: 'click' as const, item: 'item-40', at: T0 + 0.5 }
    const late = { id: `late${index}`, visitor: `v${index}`, received: T0 + 2, events: [event] }
    const { content } = folded.apply(micro(31 + index, [late]))
    expect(content.neighbours?.scales.every((scale) => scale >= 0)).toBe(true)
    expect(folded.counts.pairUnits(0, folded.rowOf(other) ?? 0)).toBe(-1_260)
  })
  const { tables } = folded.snapshot()
  const scores = Array.from(tables.srScores.subarray(0, 20))
  expect(scores.filter((score) => score > 0).length).toBe(20)
  // 30 clicks on item-40 right after item-0 are the most; the others are half of what they were.
  expect([tables.srItems[0], tables.srScales[0]]).toEqual([40, 30])
  expect(tables.srSums[0]).toBeCloseTo(30 + 15, 3)
})

test('an item that only the catalogue knew when it was folded is placed when it is clicked, as any new one', () => {
  const base = randomTrainedModel(60)
  const live = new LiveModel(base)
  const page = { feed: 'items' as const, range: '-FF', continuation: null, through: null, batches: [] }
  live.apply({ seq: 1, at: T0, pages: [{ ...page, items: [{ item: 'quiet', attributes: {} }] }] })
  const [folded, twin] = [live.folded(), live]
  const clicked = micro(2, [clicks('v', ['item-1', 'quiet', 'item-2'])])
  folded.apply(clicked)
  twin.apply(clicked)
  const [there, here] = [twin, folded].map(({ factors }) => Array.from(factors.subarray(60 * 64, 61 * 64)))
  expect(Math.hypot(...(here ?? []))).toBeCloseTo(1, 5)
  // The negatives of the step that follows are drawn from other rows: hardly any difference.
  expect(here?.reduce((sum, value, at) => sum + value * (there?.[at] ?? 0), 0)).toBeCloseTo(1, 2)
})

function emptyTables(items: number) {
  return {
    srItems: new Uint32Array(items * 20).fill(0xffff_ffff),
    srScores: new Uint8Array(items * 20),
    srScales: new Float32Array(items),
    srSums: new Float32Array(items),
    popularity: new Float32Array(items),
    trend: new Float32Array(items),
  }
}
