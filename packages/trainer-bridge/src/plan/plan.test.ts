import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BREAK_EVEN, hourly, plan, type PlanInput } from './plan.ts'

const INPUT: PlanInput = {
  eventsPerDay: 4_320_000,
  ranksPerDay: 864_000,
  items: 100_000,
  peakHour: 1,
  burst: 1,
  batches: 4,
  recentShare: 0,
  decisions: 0,
  retentionDays: 90,
  ranges: 1,
  prices: {},
}

test('864,000 batches and as many lists a day, ten a second each, by hand', () => {
  const result = plan(INPUT)
  // 10 · 3.06; 10 · (2.28 + 4 · 0.182); 10 · 0.45 + 10 empty reads of 1.
  expect(result.ruPerSecond.writes).toBeCloseTo(30.6, 6)
  expect(result.ruPerSecond.lists).toBeCloseTo(30.08, 6)
  expect(result.ruPerSecond.feed).toBeCloseTo(14.5, 6)
  expect(result.meanRu).toBeCloseTo(75.18, 6)
  // Flat: 864,000 batches of 1,160 bytes for 90 days; 1,728,000 requests a day on 730/24 days.
  expect(result.storageGb).toBeCloseTo(90.2, 1)
  expect(result.workerRequestsPerMonth).toBeCloseTo(52_560_000, 0)
  expect(result).toMatchObject({ edgePods: 2, nodes: 1, monthly: undefined, costs: {} })
  expect(result.missingPrices.length).toBe(4)
})

test('autoscale bills 1.5 times: flat traffic is cheaper manual, a day that peaks at four times its mean is not', () => {
  // A hundred times the traffic, so that neither minimum nor rounding decides.
  const busy = { ...INPUT, eventsPerDay: 4.32e8, ranksPerDay: 8.64e7 }
  const flat = plan(busy)
  expect(flat.cheaper).toBe('manual')
  expect(flat.autoscale.billedRu).toBeCloseTo(1.5 * flat.meanRu, 6)
  expect(flat.averageUse).toBeGreaterThan(0.98)
  const peaked = plan({ ...busy, peakHour: 4 })
  expect(peaked.cheaper).toBe('autoscale')
  expect(peaked.averageUse).toBeLessThan(BREAK_EVEN)
  expect(peaked.peakRu / peaked.meanRu).toBeCloseTo(4, 2)
})

test('a price for each gives the month: 100 RU/s at 0.01 an hour for 730 hours, and the rest by hand', () => {
  const { manual, costs, monthly } = plan({
    ...INPUT,
    prices: { ruHour: 0.01, gbMonth: 0.25, nodeMonth: 100, workerMillion: 0.3 },
  })
  // 400 RU/s is the least there is.
  expect(manual.setRu).toBe(400)
  expect(manual.monthly).toBeCloseTo(29.2, 6)
  // Autoscale of at least 1,000: never below 100 RU/s, at 1.5: 150 RU/s.
  expect(costs['cosmosThroughput']).toBeCloseTo(10.95, 6)
  expect(costs['cosmosStorage']).toBeCloseTo(22.55, 2)
  expect(costs['workers']).toBeCloseTo(15.77, 2)
  expect(monthly).toBeCloseTo(10.95 + 22.55 + 100 + 15.77, 1)
})

test('whatever the peak, a day’s hours have mean 1, the highest is the peak, and none is below 0', () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 12, noNaN: true }), (peak) => {
      const hours = hourly(peak)
      expect(hours.reduce((sum, hour) => sum + hour, 0) / 24).toBeCloseTo(1, 6)
      expect(Math.max(...hours)).toBeCloseTo(peak, 4)
      expect(Math.min(...hours)).toBeGreaterThanOrEqual(0)
    }),
  )
})

test('autoscale is cheaper exactly where the average use is below two thirds, whatever the traffic', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1_000, max: 1e9 }),
      fc.integer({ min: 1_000, max: 1e9 }),
      fc.double({ min: 1, max: 10, noNaN: true }),
      (eventsPerDay, ranksPerDay, peakHour) => {
        const { cheaper, averageUse, autoscale, peakRu, manual } = plan({
          ...INPUT,
          eventsPerDay,
          ranksPerDay,
          peakHour,
        })
        expect(cheaper).toBe(averageUse < BREAK_EVEN - 1e-12 ? 'autoscale' : 'manual')
        expect(autoscale.setRu).toBeGreaterThanOrEqual(peakRu)
        expect(manual.setRu).toBeGreaterThanOrEqual(peakRu)
      },
    ),
  )
})
