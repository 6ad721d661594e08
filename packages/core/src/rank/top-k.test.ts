import fc from 'fast-check'
import { expect, test } from 'vitest'
import { topK } from './top-k.ts'

test('the 2 best of 3, 1, 2 are at 0 and 2', () => {
  expect(Array.from(topK([3, 1, 2], 2))).toEqual([0, 2])
})

test('ties go to the smaller index and NaN comes last', () => {
  expect(Array.from(topK([1, Number.NaN, 1, 2], 4))).toEqual([3, 0, 2, 1])
})

test('equals a stable full sort', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -5, max: 5 })), fc.nat(20), (scores, k) => {
      const sorted = scores
        .map((_, index) => index)
        .sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b)
      expect(Array.from(topK(scores, k))).toEqual(sorted.slice(0, k))
    }),
  )
})
