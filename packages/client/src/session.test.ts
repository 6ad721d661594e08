import { expect, test } from 'vitest'
import { adoptToken } from './session.ts'

const write = null

test('the token of an answer whose question carried the kept one replaces it', () => {
  const first = adoptToken({}, 't1', write)
  expect(adoptToken(first, 't2', 't1').session).toBe('t2')
})

test('a list asked for before a write and answered after it does not take the proof of the write away', () => {
  const before = adoptToken({}, 'before', undefined)
  const wrote = adoptToken(before, 'write', write)
  expect(adoptToken(wrote, 'late list', 'before').session).toBe('write')
})

test('a write is kept even when a list came in between', () => {
  const list = adoptToken(adoptToken({}, 't1', write), 'list', 't1')
  expect(adoptToken(list, 't2', write).session).toBe('t2')
})

test.each([undefined, '', 7, null])('an answer with %j for a token changes nothing', (token) => {
  const kept = { session: 't1', visitor: 'v' }
  expect(adoptToken(kept, token, write)).toEqual(kept)
})
