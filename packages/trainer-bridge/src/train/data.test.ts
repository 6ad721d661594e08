import { expect, test } from 'vitest'
import { checkData, examplesOf, sliceVisits, type TrainingData } from './data.ts'

const data: TrainingData = {
  ids: ['a', 'b', 'c'],
  offsets: Uint32Array.of(0, 1, 5, 7),
  rows: Uint32Array.of(2, 0, 1, 0, 2, 1, 1),
}

test('every click with one before it is an example with at most 2 steps of history', () => {
  const { target, start } = examplesOf(data, 2)
  expect(Array.from(target)).toEqual([2, 3, 4, 6])
  expect(Array.from(start)).toEqual([1, 1, 2, 5])
})

test('a slice of visits starts its offsets at 0 again', () => {
  const slice = sliceVisits(data, 1, 3)
  expect(Array.from(slice.offsets)).toEqual([0, 4, 6])
  expect(Array.from(slice.rows)).toEqual([0, 1, 0, 2, 1, 1])
})

test.each([
  ['offsets that go back', { offsets: Uint32Array.of(0, 5, 1, 7) }, 'TRAIN_DATA_MALFORMED', /offsets\[2\]/],
  [
    'offsets that end early',
    { offsets: Uint32Array.of(0, 5) },
    'TRAIN_DATA_MALFORMED',
    /expected to end with 7/,
  ],
  [
    'a row without an id',
    { rows: Uint32Array.of(2, 0, 1, 3, 2, 1, 1) },
    'TRAIN_DATA_MALFORMED',
    /rows\[3\].*below 3, received 3/,
  ],
  ['an id twice', { ids: ['a', 'b', 'a'] }, 'TRAIN_DATA_MALFORMED', /3 different/],
  ['kinds of another length', { kinds: new Uint8Array(3) }, 'TRAIN_DATA_MALFORMED', /kinds.*7/],
  ['an unknown kind', { kinds: Uint8Array.of(0, 0, 0, 0, 9, 0, 0) }, 'TRAIN_DATA_MALFORMED', /kinds\[4\]/],
  [
    'only visits of one click',
    { offsets: Uint32Array.of(0, 1, 2, 3, 4, 5, 6, 7) },
    'TRAIN_DATA_TOO_SMALL',
    /two clicks/,
  ],
])('%s is refused', (_, change, code, message) => {
  const check = () => checkData({ ...data, ...change })
  expect(check).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) as string }))
})
