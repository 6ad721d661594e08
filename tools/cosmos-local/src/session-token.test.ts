import { expect, test } from 'vitest'
import { formatSessionToken, requiredLsn } from './session-token.ts'

const range = { num: 9, id: '4', min: '', max: 'FF', parents: ['0', '2'], lsn: 20 }

test('one region writes 4:-1#20, three write the version and the write region', () => {
  expect(formatSessionToken(range, 20, { regions: 1, version: 1, writeRegion: 1 })).toBe('4:-1#20')
  expect(formatSessionToken(range, 20, { regions: 3, version: 2, writeRegion: 3 })).toBe('4:2#20#3=-1')
})

test('a token asks its own range and the children of its range, nobody else', () => {
  expect(requiredLsn('4:-1#12', range)).toBe(12)
  expect(requiredLsn('2:1#15#1=-1,4:1#12#1=-1', range)).toBe(15)
  expect(requiredLsn('7:-1#99', range)).toBe(0)
  expect(requiredLsn(undefined, range)).toBe(0)
})

test('a token without a number is a 400', () => {
  expect(() => requiredLsn('4:-1#many', range)).toThrow(/session token/)
})
