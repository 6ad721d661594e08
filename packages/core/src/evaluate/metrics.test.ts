import { expect, test } from 'vitest'
import { addQuery, emptyTotals, metrics } from './metrics.ts'

test('targets at places 1, 4 and nowhere give HR 2/3, MRR 1.25/3, worked by hand', () => {
  const totals = emptyTotals()
  addQuery(totals, ['a', 'b'], 'a', 20)
  addQuery(totals, ['b', 'c', 'd', 'a'], 'a', 20)
  addQuery(totals, ['b', 'c'], 'a', 20)
  const { hr, mrr, ndcg } = metrics(totals)
  expect(hr).toBeCloseTo(2 / 3, 12)
  expect(mrr).toBeCloseTo((1 + 0.25) / 3, 12)
  // gains 1 / log2(2) and 1 / log2(5)
  expect(ndcg).toBeCloseTo((1 + 1 / Math.log2(5)) / 3, 12)
})

test('place 3 does not count at k = 2', () => {
  const totals = emptyTotals()
  addQuery(totals, ['b', 'c', 'a'], 'a', 2)
  expect(metrics(totals).hr).toBe(0)
})
