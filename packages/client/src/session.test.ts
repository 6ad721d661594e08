import { expect, test } from 'vitest'
import { createSessionKeeper } from './session.ts'
import { createMemoryStore } from './store/memory.ts'

test('the token of an answer whose question carried the kept one replaces it', async () => {
  const keeper = createSessionKeeper(createMemoryStore())
  await keeper.adopt('t1', undefined, true)
  await keeper.adopt('t2', 't1', false)
  expect([keeper.known(), await keeper.read()]).toEqual(['t2', 't2'])
})

test('a list asked for before a write and answered after it does not take the proof of the write away', async () => {
  const keeper = createSessionKeeper(createMemoryStore())
  await keeper.adopt('before', undefined, false)
  await keeper.adopt('write', 'before', true)
  await keeper.adopt('late list', 'before', false)
  expect(await keeper.read()).toBe('write')
})

test('a write is kept even when a list came in between, and two tabs see one token', async () => {
  const store = createMemoryStore()
  const [a, b] = [createSessionKeeper(store), createSessionKeeper(store)]
  await a.adopt('t1', undefined, true)
  await b.adopt('list', 't1', false)
  await a.adopt('t2', 't1', true)
  expect(await b.read()).toBe('t2')
})

test.each([undefined, '', 7, null])('an answer with %j for a token changes nothing', async (token) => {
  const keeper = createSessionKeeper(createMemoryStore())
  await keeper.adopt('t1', undefined, true)
  await keeper.adopt(token, 't1', true)
  expect(await keeper.read()).toBe('t1')
})
