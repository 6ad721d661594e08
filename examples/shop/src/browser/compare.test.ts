import { expect, test } from 'vitest'
import { compareLists } from './compare.ts'

test('a, b, c → c, a, d: c rose by two, a fell by one, d is new and b is gone', () => {
  const { moves, gone, counts } = compareLists(['a', 'b', 'c'], ['c', 'a', 'd'])
  expect(moves).toEqual([
    { id: 'c', to: 0, from: 2 },
    { id: 'a', to: 1, from: 0 },
    { id: 'd', to: 2, from: undefined },
  ])
  expect(gone).toEqual([{ id: 'b', from: 1 }])
  expect(counts).toEqual({ fresh: 1, up: 1, down: 1, stayed: 0 })
})

test('the same list twice: everything stayed', () => {
  expect(compareLists(['a', 'b'], ['a', 'b']).counts).toEqual({ fresh: 0, up: 0, down: 0, stayed: 2 })
})
