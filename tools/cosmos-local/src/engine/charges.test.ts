import { expect, test } from 'vitest'
import type { Container } from '../store/catalog.ts'
import { readCharge, writeCharge } from './charges.ts'

const KB = 1024
const indexed = { indexedPaths: 'all' } as Container

// Published: https://learn.microsoft.com/azure/cosmos-db/key-value-store-cost
test.each([
  [1, 1, 4.95],
  [2, 1.04, 6.29],
  [4, 1.14, 6.67],
  [8, 1.33, 7.04],
  [16, 1.67, 9.52],
  [64, 4.76, 22.67],
])('%d KB costs %d RU to read and %d RU to write', (kb, read, write) => {
  expect(readCharge(kb * KB)).toBe(read)
  expect(writeCharge(kb * KB, indexed)).toBe(write)
})

test('a strong read costs twice as much', () => {
  expect(readCharge(KB, true)).toBe(2)
})

test('40 KB lies in the middle of 16 and 64 KB', () => {
  expect(readCharge(40 * KB)).toBeCloseTo((1.67 + 4.76) / 2, 1)
})
