import { seededRandom } from '@attune/core/testing'
import { expect, test } from 'vitest'
import { rulesModel } from '../testing/rules-model.ts'
import type { TrainingData } from '../train/data.ts'
import { bootstrap, meanOf } from './bootstrap.ts'
import { compareModels } from './gate.ts'
import { BOUNDS, judge } from './judge.ts'

const ITEMS = 200
const AGAINST = { epoch: 1, created: '2026-11-01T00:00:00.000Z' }
/** `from`, `from + 1`, …: 20 rows. */
const run = (from: number) => Array.from({ length: 20 }, (_, place) => (from + place) % ITEMS)
/** Visits that go from r to r + 1: one prefix each. */
const steps = (visits: number): TrainingData => ({
  ids: Array.from({ length: ITEMS }, (_, row) => `item-${row}`),
  offsets: Uint32Array.from({ length: visits + 1 }, (_, visit) => 2 * visit),
  rows: Uint32Array.from({ length: 2 * visits }, (_, place) => ((place >> 1) + (place & 1)) % ITEMS),
})
const fresh = (visits: TrainingData) => ({ visits, seen: false })
const finding = (report: Awaited<ReturnType<typeof compareModels>>, metric: string) =>
  report.findings.find((one) => one.metric === metric)

const right = rulesModel(ITEMS, (row) => run(row + 1))

test('a model that always has the next item first beats one that never lists it: HR@20 1 against 0, and not the other way round', async () => {
  const wrong = rulesModel(ITEMS, (row) => run(row + 50))
  const better = await compareModels(right, wrong, AGAINST, fresh(steps(400)), { threads: 2 })
  expect(better).toMatchObject({ verdict: 'passed', against: AGAINST, visits: 400, prefixes: 400 })
  expect(finding(better, 'hr20')).toMatchObject({ candidate: 1, serving: 0, difference: 1, ok: true })
  const worse = await compareModels(wrong, right, AGAINST, fresh(steps(400)), { threads: 2 })
  expect(worse.verdict).toBe('failed')
  expect(finding(worse, 'hr20')).toMatchObject({ difference: -1, interval: [-1, -1], ok: false })
})

test('the next item in second place keeps HR@20 and halves MRR@20, which the gate refuses by that name alone', async () => {
  const second = rulesModel(ITEMS, (row) => [
    (row + 2) % ITEMS,
    (row + 1) % ITEMS,
    ...run(row + 3).slice(0, 18),
  ])
  const report = await compareModels(second, right, AGAINST, fresh(steps(400)), { threads: 2 })
  expect(finding(report, 'mrr20')).toMatchObject({ candidate: 0.5, serving: 1, difference: -0.5, ok: false })
  expect(report.findings.filter(({ ok }) => !ok).map(({ metric }) => metric)).toEqual(['mrr20'])
})

test('lists of the same 20 items for everybody cover 20 of 200: coverage falls by 90 %, popularity rises to the top tenth', async () => {
  // Items 0 to 19 were clicked 100 times, the others once; the next item is never in the list of either model.
  const popular = (row: number) => (row < 20 ? 100 : 1)
  const varied = rulesModel(ITEMS, (row) => run(row + 50), popular)
  const same = rulesModel(ITEMS, () => run(0), popular)
  const visits: TrainingData = {
    ...steps(160),
    // From 20 on, so that no next item is popular.
    rows: Uint32Array.from({ length: 320 }, (_, place) => 20 + (((place >> 1) + (place & 1)) % 180)),
  }
  const report = await compareModels(same, varied, AGAINST, fresh(visits), { threads: 2 })
  // From items 20 to 179 the other's lists reach items 70 to 248, without the last 1 of a round 179 different ones.
  expect(finding(report, 'coverage')).toMatchObject({ candidate: 0.1, serving: 0.895, ok: false })
  // 180 of 200 items are clicked less than each of the 20.
  expect(finding(report, 'popularity')).toMatchObject({ candidate: 0.9, ok: false })
})

test('a model beside itself passes with differences of exactly 0', async () => {
  const report = await compareModels(right, right, AGAINST, fresh(steps(100)), { threads: 1 })
  expect(report.verdict).toBe('passed')
  for (const { difference, interval } of report.findings) {
    expect([difference, ...interval].map(Math.abs)).toEqual([0, 0, 0])
  }
})

test('nine visits are too few to compare on, and visits of one click do not count', async () => {
  const some = steps(12)
  await expect(
    compareModels(
      right,
      right,
      AGAINST,
      fresh({
        ...some,
        offsets: Uint32Array.from([0, 1, 2, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21]),
        rows: some.rows.subarray(0, 21),
      }),
    ),
  ).rejects.toMatchObject({
    code: 'GATE_DATA_TOO_SMALL',
    message: expect.stringContaining('received 9') as string,
  })
})

test('the bootstrap interval of a mean of 400 visits agrees with the normal approximation', () => {
  // 100 of 400 ones: standard error √(0.25·0.75/400) = 0.02165, so ±1.96 of it is 0.0424.
  const sums = Float64Array.from({ length: 400 }, (_, visit) => (visit % 4 === 0 ? 1 : 0))
  const counts = new Float64Array(400).fill(1)
  const { estimate, low, high } = bootstrap(400, meanOf(sums, counts), {
    resamples: 4_000,
    confidence: 0.95,
    random: seededRandom(7),
  })
  expect(estimate).toBe(0.25)
  expect(Math.abs(low - (0.25 - 0.0424))).toBeLessThan(0.005)
  expect(Math.abs(high - (0.25 + 0.0424))).toBeLessThan(0.005)
})

test.each([
  // An interval no wider than the bound decides: half a point down, for sure less than one and a half.
  [-0.005, [-0.01, 0], true, 'interval'],
  [-0.01, [-0.016, -0.004], false, 'interval'],
  // Too wide to show anything: the difference itself decides.
  [-0.01, [-0.08, 0.06], true, 'estimate'],
  [-0.02, [-0.09, 0.05], false, 'estimate'],
])(
  'HR@20 %d with interval %j is within 0.015: %s, by the %s',
  (estimate, [low = 0, high = 0], ok, judgedBy) => {
    const models = { candidate: 0.5 + estimate, serving: 0.5 }
    expect(judge('hr20', models, { estimate, low, high }, BOUNDS.hr20, 'higher')).toMatchObject({
      ok,
      judgedBy,
    })
  },
)

test('more popular items than the serving model’s count against an epoch, less popular ones never do', () => {
  const models = { candidate: 0, serving: 0 }
  const up = judge('popularity', models, { estimate: 0.06, low: 0.055, high: 0.065 }, 0.05, 'lower')
  const down = judge('popularity', models, { estimate: -0.3, low: -0.31, high: -0.29 }, 0.05, 'lower')
  expect([up.ok, down.ok]).toEqual([false, true])
})
