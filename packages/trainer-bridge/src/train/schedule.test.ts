import { expect, test } from 'vitest'
import { adamSchedule, oneCycle } from './schedule.ts'

test('one-cycle over 100 steps with peak 1 has the corners of PyTorch’s OneCycleLR: 0.04 first, 1 at the tenth, 4e-6 last', () => {
  const rates = oneCycle(100, 1)
  expect(rates[1]).toBeCloseTo(0.04, 12)
  expect(rates[10]).toBe(1)
  expect(rates[55]).toBeCloseTo(0.500002, 9)
  expect(rates[100]).toBeCloseTo(4e-6, 12)
})

test('a run of one step has a finite rate', () => {
  expect(oneCycle(1, 1)[1]).toBeGreaterThan(0)
})

test('the closed form of missed steps equals adding them up one by one', () => {
  const rates = oneCycle(50, 4e-3)
  const schedule = adamSchedule(rates)
  // m = v = 1 at step 7, then 20 steps with zero gradient.
  let moved = 0
  for (let step = 8; step <= 27; step++) {
    const m = 0.9 ** (step - 7) / (1 - 0.9 ** step)
    const v = 0.999 ** (step - 7) / (1 - 0.999 ** step)
    moved += (rates[step]! * m) / Math.sqrt(v)
  }
  expect(schedule.missed(7, 27)).toBeCloseTo(moved, 12)
})
