import { expect, test } from 'vitest'
import { buildTables, visitWeight } from './tables.ts'

test('sequential rules of two visits, worked by hand: 1/distance, repeats and self transitions kept, older visits weigh less', () => {
  // Visit 1 of 2: a b a. Visit 2 of 2: a c. Weights e^(−1/2) and 1.
  const w = Math.exp(-0.5)
  const tables = buildTables(
    { ids: ['a', 'b', 'c', 'd'], offsets: Uint32Array.of(0, 3, 5), rows: Uint32Array.of(0, 1, 0, 0, 2) },
    3,
  )
  // a → c 1, a → b w, a → a w/2; b → a w; c and d lead nowhere.
  expect(Array.from(tables.srItems.subarray(0, 3))).toEqual([2, 1, 0])
  expect(Array.from(tables.srItems.subarray(3, 6))).toEqual([0, 0xffff_ffff, 0xffff_ffff])
  expect(Array.from(tables.srItems.subarray(6))).toEqual(Array(6).fill(0xffff_ffff))
  expect(tables.srSums[0]).toBeCloseTo(1 + w + w / 2, 6)
  expect(Array.from(tables.srSums.subarray(1))).toEqual([Math.fround(w), 0, 0])
  // count ≈ scale · score²/255²: the largest exactly, others to half a step of the square root.
  expect(tables.srScales[0]).toBe(1)
  expect(tables.srScores[0]).toBe(255)
  expect(tables.srScores[1]! ** 2 / 65_025).toBeCloseTo(w, 2)
  expect(tables.srScores[2]! ** 2 / 65_025).toBeCloseTo(w / 2, 2)
  // Popularity sums the weights; the newest tenth of 2 visits is the last one.
  expect(tables.popularity[0]).toBeCloseTo(1 + 2 * w, 6)
  expect(Array.from(tables.trend)).toEqual([1, 0, 1, 0])
})

test('pairs 11 apart say nothing, 10 apart a tenth', () => {
  const rows = Uint32Array.from({ length: 12 }, (_, step) => step)
  const ids = Array.from(rows, String)
  const tables = buildTables({ ids, offsets: Uint32Array.of(0, 12), rows }, 12)
  const harmonic = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].reduce((sum, distance) => sum + 1 / distance, 0)
  expect(tables.srSums[0]).toBeCloseTo(harmonic, 6)
  expect(Array.from(tables.srItems.subarray(0, 12))).not.toContain(11)
  expect(Array.from(tables.srItems.subarray(0, 12))).toContain(10)
})

test('a row keeps its K largest, its sum counts all', () => {
  // 0 → 1 three times, 0 → 2 twice, 0 → 3 once, each its own visit.
  const rows = Uint32Array.of(0, 3, 0, 2, 0, 2, 0, 1, 0, 1, 0, 1)
  const tables = buildTables(
    { ids: ['0', '1', '2', '3'], offsets: Uint32Array.of(0, 2, 4, 6, 8, 10, 12), rows },
    2,
  )
  expect(Array.from(tables.srItems.subarray(0, 2))).toEqual([1, 2])
  const sum = [0, 1, 2, 3, 4, 5].reduce((total, visit) => total + visitWeight(visit, 6), 0)
  expect(tables.srSums[0]).toBeCloseTo(sum, 6)
})
