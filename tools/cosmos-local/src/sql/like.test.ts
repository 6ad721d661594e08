import { expect, test } from 'vitest'
import { likePattern } from './like.ts'

test.each([
  ['a%', 'abc', true],
  ['a_c', 'abc', true],
  ['a_c', 'abbc', false],
  ['a-b/c.d*', 'a-b/c.d*', true],
  ['a.c', 'abc', false],
  ['[a-c]x', 'bx', true],
  ['[^a-c]x', 'bx', false],
  ['[z-a]', 'a', false],
  ['_', '\u{1F600}', true],
  ['%\n%', 'a\nb', true],
  ['[', '[', true],
])('LIKE %j on %j is %j', (pattern, text, expected) => {
  expect(likePattern(pattern, undefined).test(text)).toBe(expected)
})

test('an escape character takes the next one as it is', () => {
  expect(likePattern('50!%', '!').test('50%')).toBe(true)
  expect(likePattern('50!%', '!').test('500')).toBe(false)
})
