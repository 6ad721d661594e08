import { expect, test } from 'vitest'
import { adoptToken, keepToken } from './session.ts'

test('the token of an answer whose question carried the kept one replaces it', () => {
  const first = keepToken({}, 't1')
  expect(adoptToken(first, 't2', 't1').session).toBe('t2')
})

test('a list asked for before a write and answered after it does not take the proof of the write away', () => {
  const before = adoptToken({}, 'before', undefined)
  const wrote = keepToken(before, 'write')
  expect(adoptToken(wrote, 'late list', 'before').session).toBe('write')
})

test('a write is kept even when a list came in between', () => {
  const list = adoptToken(keepToken({}, 't1'), 'list', 't1')
  expect(keepToken(list, 't2').session).toBe('t2')
})

test.each([undefined, '', 7, null])('an answer with %j for a token changes nothing', (token) => {
  const kept = { session: 't1', visitor: 'v' }
  expect(keepToken(kept, token)).toEqual(kept)
})
