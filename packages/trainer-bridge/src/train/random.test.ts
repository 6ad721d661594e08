import { expect, test } from 'vitest'
import { createRandom, createSampler, shuffle } from './random.ts'

test('weights 1, 2, 0 and 5 are drawn in that proportion to within 1 % of 200,000 draws', () => {
  const draw = createSampler(Float64Array.of(1, 2, 0, 5), createRandom(1))
  const counts = [0, 0, 0, 0]
  for (let index = 0; index < 200_000; index++) counts[draw()]!++
  expect(counts[2]).toBe(0)
  for (const [row, share] of [1 / 8, 2 / 8, 0, 5 / 8].entries()) {
    expect(Math.abs(counts[row]! / 200_000 - share)).toBeLessThan(0.01)
  }
})

test('the same seeds give the same stream, others another', () => {
  const take = (...seeds: number[]) => {
    const random = createRandom(...seeds)
    return Array.from({ length: 5 }, () => random.next())
  }
  expect(take(1, 2)).toEqual(take(1, 2))
  expect(take(1, 2)).not.toEqual(take(1, 3))
  expect(take(1, 2)).not.toEqual(take(2, 2))
})

test('a shuffle keeps every value, and each of 6 orders of 3 comes up about as often', () => {
  const random = createRandom(8)
  const seen = new Map<string, number>()
  for (let round = 0; round < 6_000; round++) {
    const values = Uint32Array.of(1, 2, 3)
    shuffle(values, random)
    const key = values.join('')
    seen.set(key, (seen.get(key) ?? 0) + 1)
  }
  expect([...seen.keys()].sort()).toEqual(['123', '132', '213', '231', '312', '321'])
  for (const count of seen.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150)
})

test('normal numbers have mean 0 and deviation 1', () => {
  const random = createRandom(3)
  const values = Array.from({ length: 50_000 }, () => random.normal())
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
  expect(Math.abs(mean)).toBeLessThan(0.02)
  expect(Math.abs(variance - 1)).toBeLessThan(0.03)
})
