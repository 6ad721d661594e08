import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { quantizeRows } from '../artifact/quantize.ts'
import { buildRandomModel, seededRandom } from '../testing/index.ts'
import type { Scanner } from './scan.ts'
import { TypeScriptScanner } from './typescript-scanner.ts'
import { WasmScanner, type ScanExports } from './wasm-scanner.ts'

const module = new WebAssembly.Module(readFileSync(new URL('../../wasm/scan.wasm', import.meta.url)))
const instantiate = () => new WebAssembly.Instance(module).exports as unknown as ScanExports

const fill = (scanner: Scanner, factors: Float32Array, dim: number) => {
  const rows = factors.length / dim
  const out = { quantized: new Int8Array(rows * dim), scales: new Float32Array(rows) }
  quantizeRows(factors, dim, out)
  scanner.reserve(rows)
  scanner.write(0, out.quantized, out.scales)
  return scanner
}
const pairs = ({ rows, scores }: { rows: Uint32Array; scores: Float32Array }) =>
  Array.from(rows, (row, place) => [row, scores[place]] as const).sort((a, b) => a[0] - b[0])

test('the kernel finds row 2 of 3 for the query that equals it; scores worked by hand', () => {
  const factors = new Float32Array(3 * 16)
  factors[0] = 1 // row 0: e0; row 1: −e0; row 2: e0/2 + e1
  factors[16] = -1
  factors[32] = 0.5
  factors[33] = 1
  const query = new Float32Array(16)
  query[0] = 0.5
  query[1] = 1
  const scanner = fill(new WasmScanner(instantiate, 16, 3), factors, 16)
  // query → (32, 63); rows → 127, −127, (64, 127); scales 1/127
  expect(pairs(scanner.scan(query, 3, 1))).toEqual([
    [2, Math.fround((64 * 32 + 127 * 63) * Math.fround(1 / 127))],
  ])
})

test('the longest row there is does not overflow int16: 64 times 127 and 4, where 5 would be 40,640', () => {
  const scanner = fill(new WasmScanner(instantiate, 64, 1), new Float32Array(64).fill(-1), 64)
  const found = pairs(scanner.scan(new Float32Array(64).fill(-3), 1, 1))
  expect(found).toEqual([[0, Math.fround(64 * 127 * 4 * Math.fround(1 / 127))]])
})

/** Rows as an artifact may hold them, any int8 and scales that differ a thousandfold, in both scanners. */
const both = (dim: number, rows: number, random: () => number) => {
  const quantized = Int8Array.from({ length: rows * dim }, () =>
    random() < 0.1 ? -128 : Math.floor(255 * random()) - 127,
  )
  const scales = Float32Array.from({ length: rows }, () => (random() < 0.1 ? 0 : 10 ** (-3 * random())))
  return [new WasmScanner(instantiate, dim, 1), new TypeScriptScanner(dim, 1)].map((scanner) => {
    scanner.reserve(rows)
    scanner.write(0, quantized, scales)
    return scanner
  })
}

test('any int8 rows, scales, widths, masks and lengths: the kernel equals its TypeScript twin, ties to the smaller row', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 220 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer(),
      (sixteenths, rows, k, masked, seed) => {
        const random = seededRandom(seed)
        const dim = 16 * sixteenths
        const [kernel, twin] = both(dim, rows, random)
        const query = Float32Array.from({ length: dim }, () => 10 ** (3 * random()) * (random() - 0.5))
        const mask =
          masked < 0.5 ? undefined : Uint8Array.from({ length: rows }, () => Number(random() < masked))
        const count = Math.ceil(rows * random())
        expect(kernel && pairs(kernel.scan(query, count, k, mask))).toEqual(
          twin && pairs(twin.scan(query, count, k, mask)),
        )
      },
    ),
    { numRuns: 300 },
  )
})

test.each([
  ['everywhere', 1],
  ['in 30 neighbouring rows, so that the threshold guessed from some blocks is too high', 1_000],
])('20,000 rows with the best %s: the kernel equals its TypeScript twin', (_, step) => {
  const [dim, rows] = [16, 20_000]
  const random = seededRandom(step)
  const scanners = both(dim, rows, random)
  // The blocks that are looked at first are every 16th, so block 16 is one of them.
  const best = new Int8Array(30 * dim).fill(100)
  const query = Float32Array.from({ length: dim }, () => random())
  for (const scanner of scanners) if (step > 1) scanner.write(16 * 64, best, new Float32Array(30).fill(step))
  const [found, expected] = scanners.map((scanner) => pairs(scanner.scan(query, rows, 50)))
  expect(found).toEqual(expected)
  expect(found).toHaveLength(50)
})

test('rows written later, with scales a thousand times larger and smaller, are found where they belong', () => {
  const random = seededRandom(3)
  const scanners = both(64, 300, random)
  const query = Float32Array.from({ length: 64 }, () => random())
  for (const [row, scale] of [
    [7, 1_000],
    [8, 1e-6],
    [9, 900],
  ] as const) {
    const values = new Int8Array(64).fill(row)
    const [kernel, twin] = scanners.map((scanner) => {
      scanner.write(row, values, Float32Array.of(scale))
      return pairs(scanner.scan(query, 300, 20))
    })
    expect(kernel).toEqual(twin)
  }
})

test('masked rows are not found, and every other one is', () => {
  const random = seededRandom(2)
  const { data } = buildRandomModel(random, { items: 103 })
  const mask = Uint8Array.from({ length: 103 }, () => (random() < 0.3 ? 1 : 0))
  const allowed = [...mask.keys()].filter((row) => mask[row] === 1)
  const query = data.factors.subarray(0, 64)
  for (const scanner of [new WasmScanner(instantiate, 64, 103), new TypeScriptScanner(64, 103)]) {
    fill(scanner, data.factors, 64)
    expect(Array.from(scanner.scan(query, 103, 200, mask).rows).sort((a, b) => a - b)).toEqual(allowed)
    expect(scanner.scan(query, 103, 200, new Uint8Array(103)).length).toBe(0)
  }
})

test.each([
  [16, 7, 3],
  [64, 1_000, 50],
  [128, 333, 333],
  [64, 5, 200],
])('the kernel equals its TypeScript twin: d = %i, %i rows, k = %i', (dim, rows, k) => {
  const random = seededRandom(dim + rows)
  const { data } = buildRandomModel(random, { items: rows, dim })
  const wasm = fill(new WasmScanner(instantiate, dim, rows), data.factors, dim)
  const twin = fill(new TypeScriptScanner(dim, rows), data.factors, dim)
  for (let query = 0; query < 5; query++) {
    const vector = Float32Array.from({ length: dim }, () => random() - 0.5)
    expect(pairs(wasm.scan(vector, rows, k))).toEqual(pairs(twin.scan(vector, rows, k)))
  }
})

test('inner products of rows 1 and 0 with two vectors, worked by hand; 2,500 rows equal the twin', () => {
  const scanner = new WasmScanner(instantiate, 16, 2_500)
  scanner.factors.set([1, 2], 0)
  scanner.factors.set([3, 4], 16)
  const vectors = new Float32Array(32)
  vectors.set([10, 1], 0)
  vectors.set([0, -1], 16)
  expect(Array.from(scanner.dots(Uint32Array.of(1, 0), vectors))).toEqual([34, -4, 12, -2])

  const { data } = buildRandomModel(seededRandom(9), { items: 2_500, dim: 16 })
  const twin = new TypeScriptScanner(16, 2_500)
  for (const filled of [scanner, twin]) filled.factors.set(data.factors)
  const rows = Uint32Array.from({ length: 2_500 }, (_, index) => (index * 7) % 2_500)
  const expected = twin.dots(rows, vectors)
  scanner.dots(rows, vectors).forEach((value, at) => expect(value).toBeCloseTo(expected[at] ?? Number.NaN, 5))
  expect(() => scanner.dots(rows, new Float32Array(20))).toThrowError(
    expect.objectContaining({ code: 'SCAN_VECTORS_MISSHAPEN' }),
  )
})

test('growing from 10 to 100,000 rows keeps factors and scales', () => {
  const random = seededRandom(5)
  const { data } = buildRandomModel(random, { items: 10 })
  const scanner = fill(new WasmScanner(instantiate, 64, 10), data.factors, 64)
  const before = pairs(scanner.scan(data.factors.subarray(0, 64), 10, 10))
  scanner.factors.set(data.factors)
  scanner.reserve(100_000)
  expect(scanner.factors.subarray(0, 640)).toEqual(data.factors)
  expect(pairs(scanner.scan(data.factors.subarray(0, 64), 10, 10))).toEqual(before)
  scanner.write(99_999, new Int8Array(64).fill(1), Float32Array.of(1))
  expect([...scanner.scan(new Float32Array(64).fill(1), 100_000, 1).rows]).toEqual([99_999])
})

test('a width that is no multiple of 16 is SCAN_DIM_UNSUPPORTED', () => {
  expect(() => new WasmScanner(instantiate, 20, 1)).toThrowError(
    expect.objectContaining({ code: 'SCAN_DIM_UNSUPPORTED' }),
  )
})
