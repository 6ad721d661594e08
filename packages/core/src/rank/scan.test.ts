import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { quantizeRows } from '../artifact/quantize.ts'
import { buildRandomModel, seededRandom } from '../testing/index.ts'
import { TypeScriptScanner, WasmScanner, type ScanExports, type Scanner } from './scan.ts'

const module = new WebAssembly.Module(readFileSync(new URL('../../wasm/scan.wasm', import.meta.url)))
const instantiate = () => new WebAssembly.Instance(module).exports as unknown as ScanExports

const fill = (scanner: Scanner, factors: Float32Array, dim: number) => {
  scanner.reserve(factors.length / dim)
  quantizeRows(factors, dim, scanner)
  scanner.rowsWritten(0, factors.length / dim)
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
  // query → (8, 15); rows → 127, −127, (64, 127); scales 1/127
  expect(pairs(scanner.scan(query, 3, 1))).toEqual([
    [2, Math.fround((64 * 8 + 127 * 15) * Math.fround(1 / 127))],
  ])
})

test('the largest numbers there are do not overflow the kernel: 64 times 127 and 15', () => {
  const scanner = fill(new WasmScanner(instantiate, 64, 1), new Float32Array(64).fill(-1), 64)
  const found = pairs(scanner.scan(new Float32Array(64).fill(-3), 1, 1))
  expect(found).toEqual([[0, Math.fround(64 * 127 * 15 * Math.fround(1 / 127))]])
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
  expect(scanner.scales.length).toBeGreaterThanOrEqual(100_000)
})

test('a width that is no multiple of 16 is SCAN_DIM_UNSUPPORTED', () => {
  expect(() => new WasmScanner(instantiate, 20, 1)).toThrowError(
    expect.objectContaining({ code: 'SCAN_DIM_UNSUPPORTED' }),
  )
})
