import assert from 'node:assert/strict'
import type { Check, World } from './world.ts'

interface Bad {
  readonly name: string
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly status: number
  readonly substatus?: number
  readonly code: string
  readonly message?: RegExp
}

const KEY = { 'x-ms-documentdb-partitionkey': '["x"]' }
const QUERY = { ...KEY, 'x-ms-documentdb-isquery': 'True', 'content-type': 'application/query+json' }

function bad(given: Bad): Check {
  return {
    name: `bad request: ${given.name}`,
    run: async (world: World) => {
      const { id } = await world.container()
      const path = (given.path ?? '/dbs/conformance/colls/{c}/docs').replace('{c}', id)
      const reply = await world.raw(given.method ?? 'POST', path, {
        headers: given.headers ?? KEY,
        ...(given.body === undefined ? {} : { body: given.body }),
      })
      assert.deepEqual([reply.status, reply.substatus], [given.status, given.substatus ?? 0], reply.text)
      assert.equal(reply.json['code'], given.code)
      const message = String(reply.json['message'])
      assert.match(message, /^Message: [\s\S]+\r\nActivityId: [0-9a-f-]{36}/)
      if (given.message !== undefined) assert.match(message, given.message)
    },
  }
}

/** Cosmos's own status, substatus and message shape for what is wrong. */
export const errors: readonly Check[] = [
  bad({ name: 'no JSON', body: '{"id":', status: 400, code: 'BadRequest', message: /payload is invalid/ }),
  bad({ name: 'an array', body: '[1]', status: 400, code: 'BadRequest' }),
  bad({ name: 'no id', body: '{"pk":"x"}', status: 400, code: 'BadRequest', message: /'id; '/ }),
  bad({ name: 'a number as id', body: '{"id":1,"pk":"x"}', status: 400, code: 'BadRequest' }),
  bad({ name: 'an id with a slash', body: '{"id":"a/b","pk":"x"}', status: 400, code: 'BadRequest' }),
  bad({ name: 'an id that ends in a space', body: '{"id":"a ","pk":"x"}', status: 400, code: 'BadRequest' }),
  bad({
    name: 'an id of 1,024 bytes',
    body: JSON.stringify({ id: 'i'.repeat(1024), pk: 'x' }),
    status: 400,
    code: 'BadRequest',
  }),
  bad({
    name: 'a document over 2 MB',
    body: JSON.stringify({ id: 'a', pk: 'x', fill: 'x'.repeat(2 ** 21) }),
    status: 413,
    code: 'RequestEntityTooLarge',
  }),
  bad({
    name: 'wrong media type for an item',
    headers: { ...KEY, 'content-type': 'text/html' },
    body: '{"id":"a","pk":"x"}',
    status: 415,
    code: 'UnsupportedMediaType',
  }),
  bad({
    name: 'bad SQL',
    headers: QUERY,
    body: '{"query":"SELEC * FROM c"}',
    status: 400,
    code: 'BadRequest',
    message: /SC1001/,
  }),
  bad({ name: 'a query body without a query', headers: QUERY, body: '{}', status: 400, code: 'BadRequest' }),
  bad({
    name: 'an unknown container',
    path: '/dbs/conformance/colls/none/docs',
    body: '{"id":"a","pk":"x"}',
    status: 404,
    code: 'NotFound',
  }),
  bad({
    name: 'an unknown database',
    path: '/dbs/none/colls/none/docs',
    body: '{"id":"a","pk":"x"}',
    status: 404,
    code: 'NotFound',
  }),
  bad({
    name: 'an unknown item',
    method: 'GET',
    path: '/dbs/conformance/colls/{c}/docs/none',
    status: 404,
    code: 'NotFound',
  }),
  bad({
    name: 'a read without a partition key',
    method: 'GET',
    path: '/dbs/conformance/colls/{c}/docs/a',
    headers: {},
    status: 400,
    substatus: 1001,
    code: 'BadRequest',
  }),
  bad({
    name: 'a partition key of another length',
    body: '{"id":"a","pk":"x"}',
    headers: { 'x-ms-documentdb-partitionkey': '["x","y"]' },
    status: 400,
    substatus: 1001,
    code: 'BadRequest',
  }),
  bad({
    name: 'a partition key that is no JSON',
    body: '{"id":"a","pk":"x"}',
    headers: { 'x-ms-documentdb-partitionkey': 'x' },
    status: 400,
    substatus: 1001,
    code: 'BadRequest',
  }),
  bad({
    name: 'a patch without operations',
    method: 'PATCH',
    path: '/dbs/conformance/colls/{c}/docs/a',
    body: '{"operations":[]}',
    status: 400,
    code: 'BadRequest',
  }),
  bad({
    name: 'a continuation that is none',
    method: 'GET',
    headers: { ...KEY, 'x-ms-continuation': 'nonsense' },
    status: 400,
    code: 'BadRequest',
  }),
  bad({ name: 'a verb that is not known', method: 'PUT', body: '{}', status: 405, code: 'MethodNotAllowed' }),
  bad({
    name: 'a container by PUT',
    method: 'PUT',
    path: '/dbs/conformance/colls',
    body: '{"id":"put","partitionKey":{"paths":["/a"]}}',
    status: 405,
    code: 'MethodNotAllowed',
  }),
  bad({
    name: 'unique keys that are none',
    path: '/dbs/conformance/colls',
    body: '{"id":"odd","partitionKey":{"paths":["/a"]},"uniqueKeyPolicy":{"uniqueKeys":5}}',
    status: 400,
    code: 'BadRequest',
  }),
  bad({
    name: 'a cross-partition query when it is not allowed',
    headers: { 'x-ms-documentdb-isquery': 'True', 'content-type': 'application/query+json' },
    body: '{"query":"SELECT * FROM c"}',
    status: 400,
    code: 'BadRequest',
    message: /Cross partition query is required but disabled/,
  }),
]
