import { expect, test } from 'vitest'
import { randomTrainedModel } from '../testing/random-model.ts'
import type { StoredBatch } from '../windows.ts'
import { DriftGuard, MAX_STEP_LOSS, MAX_TOTAL_LOSS } from './guard.ts'
import { LiveModel } from './live-model.ts'
import type { MicroBatch } from './micro-batch.ts'

const T0 = 1_764_000_000_000
const DIM = 64
const visit = (name: string, items: string[]): StoredBatch => ({
  id: name,
  visitor: name,
  received: T0 + items.length,
  events: items.map((item, index) => ({ id: `${name}-${index}`, kind: 'click', item, at: T0 + index })),
})
const micro = (seq: number, batches: StoredBatch[]): MicroBatch => ({
  seq,
  at: T0,
  pages: [{ range: '-FF', continuation: null, through: null, batches }],
})
/** The encoder's query is the last item: W3 = [0 | 1]. */
const lastItemModel = () => {
  const base = randomTrainedModel(300)
  const { w3 } = base.weights.encoder
  w3.fill(0)
  for (let c = 0; c < DIM; c++) w3[c * 2 * DIM + DIM + c] = 1
  return base
}
const unit = (values: Float32Array) => {
  const length = Math.hypot(...values)
  return values.map((value) => value / length)
}

test('rows that did not change leave every probe as it was: a step of exactly 0', () => {
  const base = randomTrainedModel(300)
  const old = new Map([3, 50, 120].map((row) => [row, base.factors.slice(row * DIM, (row + 1) * DIM)]))
  const finding = new DriftGuard(base).judge(base.factors.slice(), old, [], 1)
  expect(finding).toEqual({ step: 0, total: 0, held: false })
})

test('when all rows are one the loss is the log of how many are compared: 48 others, the next item, 20 intruders', () => {
  const base = lastItemModel()
  const same = unit(base.factors.slice(0, DIM))
  for (let row = 0; row < 300; row++) base.factors.set(same, row * DIM)
  const factors = new Float32Array(320 * DIM)
  factors.set(base.factors)
  const guard = new DriftGuard(base)
  const fresh = Array.from({ length: 20 }, (_, index) => 300 + index)
  for (const row of fresh) factors.set(same, row * DIM)
  // Opposite to the query, they count e^(−2/0.07): nothing.
  const away = new Map(fresh.map((row) => [row, same.map((value) => -value)]))
  const { step } = guard.judge(factors, away, [], 1)
  // The next item is one of the others for some probes, which then have 47 of them.
  expect(step).toBeGreaterThan(Math.log(69 / 49) - 1e-6)
  expect(step).toBeLessThan(Math.log(68 / 48) + 1e-6)
})

test('sixty rows thrown onto what visitors look for are held, and are again when they come a second time', () => {
  const base = randomTrainedModel(300)
  const guard = new DriftGuard(base)
  const factors = base.factors.slice()
  const old = new Map<number, Float32Array>()
  for (let row = 0; row < 300; row += 5) {
    old.set(row, factors.slice(row * DIM, (row + 1) * DIM))
    factors.set(factors.subarray(((row + 1) % 300) * DIM, (((row + 1) % 300) + 1) * DIM), row * DIM)
  }
  for (const seq of [1, 2]) {
    const finding = guard.judge(factors, old, [], seq)
    expect(finding.held).toBe(true)
    expect(finding.step).toBeGreaterThan(MAX_STEP_LOSS)
    expect(finding.total).toBe(0)
  }
})

test('rows that are no numbers are held', () => {
  const base = randomTrainedModel(300)
  const old = new Map([[0, base.factors.slice(0, DIM)]])
  const factors = base.factors.slice()
  factors.fill(Number.NaN, 0, DIM)
  expect(new DriftGuard(base).judge(factors, old, [], 1).held).toBe(true)
})

test('a model whose temperature makes steps fifty times too long: factor rows are held, counts go out exact, new items too', () => {
  const base = { ...randomTrainedModel(300), temperature: 0.0014 }
  const live = new LiveModel(base)
  const before = live.factors.slice()
  const walk = (seq: number) =>
    Array.from({ length: 40 }, (_, index) =>
      visit(
        `v${seq}-${index}`,
        [1, 2, 3].map((step) => `item-${(7 * index * step + seq) % 300}`),
      ),
    )
  let held = 0
  for (let seq = 1; seq <= 5; seq++) {
    const { content, guard, items } = live.apply(
      micro(seq, [...walk(seq), visit(`n${seq}`, ['item-1', `new-${seq}`])]),
    )
    expect(content.neighbours?.rows.length).toBeGreaterThan(10)
    expect(items).toEqual([`new-${seq}`])
    if (guard?.held !== true) continue
    held++
    // Only the new item's row goes out.
    expect(Array.from(content.factors?.rows ?? [])).toEqual([299 + seq])
  }
  expect(held).toBe(5)
  expect(live.factors.slice(0, before.length)).toEqual(before)
  expect(live.counts.pairUnits(1, 300)).toBe(2_520)
  for (const row of [300, 304]) {
    expect(Math.hypot(...live.factors.subarray(row * DIM, (row + 1) * DIM))).toBeCloseTo(1, 5)
  }
})

test('what is held goes on as if it had not been learnt: the next micro-batch starts from the rows before it', () => {
  const model = randomTrainedModel(300)
  const live = new LiveModel({ ...model, temperature: 0.0014 })
  const first = live.apply(micro(1, [visit('a', ['item-1', 'item-2', 'item-3'])]))
  const again = new LiveModel({ ...model, temperature: 0.0014 }, structuredClone(live.state()))
  const batch = micro(2, [visit('b', ['item-4', 'item-5', 'item-6'])])
  const [one, other] = [again.apply(batch), live.apply(batch)]
  expect([one.guard, one.content.factors]).toEqual([other.guard, other.content.factors])
  expect(again.state().guard).toEqual(live.state().guard)
  expect(first.guard).toBeDefined()
})

test('small steps that add up are held once the walks are half a nat worse than the base’s, until they get better', () => {
  const base = randomTrainedModel(300)
  // As if earlier micro-batches had brought the walks there.
  const state = new DriftGuard(base).state().map((loss) => loss + MAX_TOTAL_LOSS + 0.01)
  const factors = base.factors.slice()
  const moved = (towards: 1 | -1) => {
    const old = new Map<number, Float32Array>()
    for (let row = 0; row < 300; row += 3) {
      const values = base.factors.slice(row * DIM, (row + 1) * DIM)
      old.set(row, values)
      factors.set(unit(values.map((value, c) => value + towards * 0.01 * base.factors[c]!)), row * DIM)
    }
    return new DriftGuard(base, state).judge(factors, old, [], 1)
  }
  const steps = [moved(1), moved(-1)].sort((a, b) => a.step - b.step)
  expect(steps.map(({ held }) => held)).toEqual([false, true])
  expect(steps[1]?.step).toBeLessThan(MAX_STEP_LOSS)
})
