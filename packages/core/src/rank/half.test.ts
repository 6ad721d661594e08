import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromHalf, toHalves } from './half.ts'

const toHalf = (value: number) => toHalves(Float32Array.of(value))[0]

test('halves of the examples in Wikipedia\'s "Half-precision floating-point format"', () => {
  const examples: [number, number][] = [
    [0, 0x0000],
    [2 ** -24, 0x0001], // smallest subnormal
    [1023 * 2 ** -24, 0x03ff], // largest subnormal
    [2 ** -14, 0x0400], // smallest normal
    [0.333_251_953_125, 0x3555], // nearest to 1/3
    [1 - 2 ** -11, 0x3bff], // largest below one
    [1, 0x3c00],
    [1 + 2 ** -10, 0x3c01], // smallest above one
    [65_504, 0x7bff], // largest
    [-2, 0xc000],
  ]
  expect(examples.map(([value]) => toHalf(value))).toEqual(examples.map(([, half]) => half))
  expect(examples.map(([, half]) => fromHalf(half))).toEqual(examples.map(([value]) => value))
})

test('ties go to even: 2049 lies between 2048 and 2050, 2051 between 2050 and 2052; beyond the largest is the largest', () => {
  expect([2049, 2051, 1e9, -1e9, 1e-9].map((value) => fromHalf(toHalf(value) ?? 0))).toEqual([
    2048, 2052, 65_504, -65_504, 0,
  ])
})

test('every finite half survives the way there and back', () => {
  for (let half = 0; half < 0x7c00; half++) {
    if (toHalf(fromHalf(half)) !== half) expect(toHalf(fromHalf(half))).toBe(half)
    if (half > 0 && toHalf(-fromHalf(half)) !== (half | 0x8000)) expect(half).toBe(-1)
  }
})

test('no other half is nearer', () => {
  fc.assert(
    fc.property(fc.float({ min: -65_000, max: 65_000, noNaN: true }), (value) => {
      const half = toHalf(value) ?? 0
      const distance = Math.abs(fromHalf(half) - value)
      for (const other of [half - 1, half + 1]) {
        if (other >= 0 && (other & 0x7fff) < 0x7c00)
          expect(Math.abs(fromHalf(other) - value)).toBeGreaterThanOrEqual(distance)
      }
    }),
  )
})
