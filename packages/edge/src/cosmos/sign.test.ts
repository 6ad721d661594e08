import { expect, test } from 'vitest'
import { createSigner } from './sign.ts'

// The worked example of Microsoft's "Access control on Azure Cosmos DB resources" (verb GET, resource type dbs, link dbs/ToDoList).
const KEY = 'dsZQi3KtZmCv1ljt3VNWNm7sQUF1y5rJfC6kv5JiwvW0EndXdDku/dkKBp8/ufDToSxLzR4y+O/0H/t4bQtVNw=='
const AT = Date.UTC(2017, 3, 27, 0, 51, 12)

test("the signature is that of Microsoft's documentation", async () => {
  const sign = createSigner(KEY)
  expect(await sign('GET', 'dbs', 'dbs/ToDoList', AT)).toEqual({
    authorization: 'type%3Dmaster%26ver%3D1.0%26sig%3Dc09PEVJrgp2uQRkr934kFbTqhByc7TVr3OHyqlu%2Bc%2Bc%3D',
    date: 'Thu, 27 Apr 2017 00:51:12 GMT',
  })
})

test('a signature is used again for a minute, and per link', async () => {
  const sign = createSigner(KEY)
  const first = await sign('GET', 'dbs', 'dbs/ToDoList', AT)
  expect(await sign('GET', 'dbs', 'dbs/ToDoList', AT + 59_999)).toBe(first)
  expect((await sign('GET', 'dbs', 'dbs/ToDoList', AT + 60_000)).date).toBe('Thu, 27 Apr 2017 00:52:12 GMT')
  expect((await sign('GET', 'dbs', 'dbs/Other', AT + 60_001)).authorization).not.toBe(first.authorization)
})
