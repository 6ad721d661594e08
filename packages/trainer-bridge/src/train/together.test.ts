import { HISTORY_KINDS } from '@attune/core'
import { NO_ITEM } from '@attune/core/artifact'
import { expect, test } from 'vitest'
import { buildTogether, TOGETHER_WIDTH } from './together.ts'

const CLICK = HISTORY_KINDS.indexOf('click')
const CART = HISTORY_KINDS.indexOf('add-to-cart')
const BOUGHT = HISTORY_KINDS.indexOf('purchase')

test('two visits worked by hand: weights e^(−1/2) and 1, both ways, each item of a basket once', () => {
  const table = buildTogether({
    ids: ['a', 'b', 'c', 'd'],
    offsets: Uint32Array.of(0, 4, 8),
    // a b a c(looked at) | a c b d(looked at)
    rows: Uint32Array.of(0, 1, 0, 2, 0, 2, 1, 3),
    kinds: Uint8Array.of(CART, BOUGHT, BOUGHT, CLICK, CART, CART, CART, CLICK),
  })
  const partners = (row: number): [number, number][] =>
    Array.from({ length: TOGETHER_WIDTH }, (_, place) => row * TOGETHER_WIDTH + place).flatMap((slot) => {
      const partner = table?.items[slot] ?? NO_ITEM
      const count = ((table?.scales[row] ?? 0) * (table?.scores[slot] ?? 0) ** 2) / 65_025
      return partner === NO_ITEM ? [] : [[partner, Math.round(count * 100) / 100] as [number, number]]
    })
  // a+b in both visits: e^(−1/2) + 1 = 1.61; c in the second alone: 1.
  expect(partners(0)).toEqual([
    [1, 1.61],
    [2, 1],
  ])
  expect(partners(1)).toEqual([
    [0, 1.61],
    [2, 1],
  ])
  expect(partners(2)).toEqual([
    [0, 1],
    [1, 1],
  ])
  expect(partners(3)).toEqual([])
})

test('baskets told apart from visits count by their own order, whatever kinds say', () => {
  const table = buildTogether({
    ids: ['a', 'b', 'c'],
    offsets: Uint32Array.of(0, 2),
    rows: Uint32Array.of(0, 1),
    kinds: Uint8Array.of(CART, CART),
    baskets: [
      [0, 2],
      [2, 0],
      [2, 1],
    ],
  })
  // a+c: e^(−2/3) + e^(−1/3) = 1.23; b+c: 1.
  expect(table?.scales[0]).toBeCloseTo(Math.exp(-2 / 3) + Math.exp(-1 / 3), 5)
  expect(table?.scales[1]).toBe(1)
  expect(table?.items[0]).toBe(2)
  expect([...(table?.items.subarray(2 * TOGETHER_WIDTH, 2 * TOGETHER_WIDTH + 2) ?? [])]).toEqual([0, 1])
})

test('no table without kinds, nor without a basket of two', () => {
  const visits = { ids: ['a', 'b'], offsets: Uint32Array.of(0, 2), rows: Uint32Array.of(0, 1) }
  expect(buildTogether(visits)).toBeUndefined()
  expect(buildTogether({ ...visits, kinds: Uint8Array.of(CART, CLICK) })).toBeUndefined()
})
