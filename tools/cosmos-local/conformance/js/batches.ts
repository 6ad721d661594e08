import assert from 'node:assert/strict'
import { BulkOperationType, type Container, type OperationInput, type PatchOperation } from '@azure/cosmos'
import type { Check, World } from './world.ts'
import { failure } from './world.ts'

type Item = { id: string; pk: string; [name: string]: unknown }

function patch(
  name: string,
  operations: PatchOperation[],
  expected: Record<string, unknown> | number,
  condition?: string,
): Check {
  return {
    name: `patch: ${name}`,
    run: async ({ container }) => {
      const made = await container()
      await made.items.create({ id: 'a', pk: 'x', n: 1, list: [1, 2], o: { p: 'q' } })
      const work = made.item('a', 'x').patch(condition === undefined ? operations : { operations, condition })
      if (typeof expected === 'number') {
        assert.equal((await failure(work)).code, expected)
        return
      }
      const { resource } = await work
      const own = Object.fromEntries(Object.entries(resource as Item).filter(([key]) => !key.startsWith('_')))
      assert.deepEqual(own, { id: 'a', pk: 'x', ...expected })
    },
  }
}

const base = { n: 1, list: [1, 2], o: { p: 'q' } }

const patches: readonly Check[] = [
  patch('add a property', [{ op: 'add', path: '/m', value: { a: 1 } }], { ...base, m: { a: 1 } }),
  patch('add into an array', [{ op: 'add', path: '/list/1', value: 9 }], { ...base, list: [1, 9, 2] }),
  patch('add to the end of an array', [{ op: 'add', path: '/list/-', value: 9 }], {
    ...base,
    list: [1, 2, 9],
  }),
  patch('set over an array element', [{ op: 'set', path: '/list/0', value: 9 }], { ...base, list: [9, 2] }),
  patch('set of a nested property', [{ op: 'set', path: '/o/p', value: null }], { ...base, o: { p: null } }),
  patch('replace', [{ op: 'replace', path: '/n', value: 'text' }], { ...base, n: 'text' }),
  patch('replace of a missing path is 400', [{ op: 'replace', path: '/zz', value: 1 }], 400),
  patch('remove', [{ op: 'remove', path: '/o/p' }], { ...base, o: {} }),
  patch('remove of a missing path is 400', [{ op: 'remove', path: '/zz' }], 400),
  patch('incr by a fraction', [{ op: 'incr', path: '/n', value: -0.5 }], { ...base, n: 0.5 }),
  patch('incr of a missing path sets it', [{ op: 'incr', path: '/m', value: 3 }], { ...base, m: 3 }),
  patch('incr of a text is 400', [{ op: 'incr', path: '/o', value: 3 }], 400),
  patch('the id is 400', [{ op: 'set', path: '/id', value: 'b' }], 400),
  patch('the partition key is 400', [{ op: 'set', path: '/pk', value: 'b' }], 400),
  patch('into a missing parent is 400', [{ op: 'add', path: '/no/m', value: 1 }], 400),
  patch(
    'a condition that holds',
    [{ op: 'set', path: '/n', value: 2 }],
    { ...base, n: 2 },
    'FROM c WHERE c.n = 1',
  ),
  patch(
    'a condition that does not hold is 412',
    [{ op: 'set', path: '/n', value: 2 }],
    412,
    'FROM c WHERE c.n > 1',
  ),
  patch(
    'eleven operations are 400',
    Array.from({ length: 11 }, () => ({ op: 'incr', path: '/n', value: 1 }) as PatchOperation),
    400,
  ),
  patch(
    'all or nothing',
    [
      { op: 'set', path: '/n', value: 2 },
      { op: 'remove', path: '/zz' },
    ],
    400,
  ),
]

async function filled(world: World): Promise<Container> {
  const made = await world.container()
  await made.items.create({ id: 'old', pk: 'x', n: 1 })
  return made
}

const batches: readonly Check[] = [
  {
    name: 'batch: every kind of operation at once',
    run: async (world) => {
      const made = await filled(world)
      const operations: OperationInput[] = [
        { operationType: BulkOperationType.Create, resourceBody: { id: 'new', pk: 'x' } },
        { operationType: BulkOperationType.Upsert, resourceBody: { id: 'up', pk: 'x' } },
        {
          operationType: BulkOperationType.Patch,
          id: 'old',
          resourceBody: { operations: [{ op: 'incr', path: '/n', value: 1 }] },
        },
        { operationType: BulkOperationType.Read, id: 'old' },
        { operationType: BulkOperationType.Replace, id: 'new', resourceBody: { id: 'new', pk: 'x', n: 5 } },
        { operationType: BulkOperationType.Delete, id: 'up' },
      ]
      const { result, code } = await made.items.batch(operations, 'x')
      assert.equal(code, 200)
      assert.deepEqual(
        result?.map((one) => one.statusCode),
        [201, 201, 200, 200, 200, 204],
      )
      assert.equal((result?.[3]?.resourceBody as Item | undefined)?.['n'], 2)
    },
  },
  {
    name: 'batch: one failure rolls all back, 207 and 424',
    run: async (world) => {
      const made = await filled(world)
      const { result, code } = await made.items.batch(
        [
          { operationType: BulkOperationType.Create, resourceBody: { id: 'new', pk: 'x' } },
          { operationType: BulkOperationType.Create, resourceBody: { id: 'old', pk: 'x' } },
          { operationType: BulkOperationType.Delete, id: 'old' },
        ],
        'x',
      )
      assert.equal(code, 207)
      assert.deepEqual(
        result?.map((one) => one.statusCode),
        [424, 409, 424],
      )
      assert.equal((await made.item('new', 'x').read()).statusCode, 404)
      assert.equal((await made.item('old', 'x').read()).statusCode, 200)
    },
  },
  {
    name: 'batch: an old etag in it rolls all back',
    run: async (world) => {
      const made = await filled(world)
      const { result } = await made.items.batch(
        [
          { operationType: BulkOperationType.Create, resourceBody: { id: 'new', pk: 'x' } },
          {
            operationType: BulkOperationType.Replace,
            id: 'old',
            ifMatch: '"no"',
            resourceBody: { id: 'old', pk: 'x' },
          },
        ],
        'x',
      )
      assert.deepEqual(
        result?.map((one) => one.statusCode),
        [424, 412],
      )
    },
  },
  {
    name: 'batch: another partition’s item in it is refused',
    run: async (world) => {
      const made = await filled(world)
      const { result } = await made.items.batch(
        [{ operationType: BulkOperationType.Create, resourceBody: { id: 'new', pk: 'other' } }],
        'x',
      )
      assert.deepEqual(
        result?.map((one) => one.statusCode),
        [400],
      )
    },
  },
  {
    name: 'batch: its items share one LSN in the change feed',
    run: async (world) => {
      const made = await world.container()
      const operations = ['a', 'b', 'c'].map((id): OperationInput => ({
        operationType: BulkOperationType.Create,
        resourceBody: { id, pk: 'x' },
      }))
      await made.items.batch(operations, 'x')
      const headers = { 'a-im': 'Incremental Feed', 'x-ms-max-item-count': '1' }
      const reply = await world.raw('GET', `/dbs/conformance/colls/${made.id}/docs`, { headers })
      const documents = reply.json['Documents'] as { _lsn: number }[]
      assert.equal(documents.length, 3)
      assert.equal(new Set(documents.map((one) => one._lsn)).size, 1)
    },
  },
  {
    name: 'bulk: 250 creates over three ranges',
    run: async ({ container }) => {
      const made = await container({ throughput: 30_000 })
      const operations = Array.from({ length: 250 }, (_, i): OperationInput => {
        return {
          operationType: BulkOperationType.Create,
          resourceBody: { id: `a${i}`, pk: `k${i % 40}` },
          partitionKey: `k${i % 40}`,
        }
      })
      const results = await made.items.executeBulkOperations(operations)
      assert.ok(results.every((one) => one.response?.statusCode === 201))
      assert.deepEqual((await made.items.query('SELECT VALUE COUNT(1) FROM c').fetchAll()).resources, [250])
    },
  },
  {
    name: 'bulk: failures stand beside successes',
    run: async (world) => {
      const made = await filled(world)
      const results = await made.items.executeBulkOperations([
        { operationType: BulkOperationType.Create, partitionKey: 'x', resourceBody: { id: 'old', pk: 'x' } },
        { operationType: BulkOperationType.Create, partitionKey: 'x', resourceBody: { id: 'new', pk: 'x' } },
        { operationType: BulkOperationType.Read, partitionKey: 'x', id: 'none' },
      ] as OperationInput[])
      assert.deepEqual(
        results.map((one) => one.response?.statusCode ?? Number(one.error?.code)),
        [409, 201, 404],
      )
    },
  },
  {
    name: 'bulk: without continue-on-error what follows a failure is 424',
    run: async (world) => {
      const made = await filled(world)
      const headers = {
        'x-ms-cosmos-is-batch-request': 'True',
        'x-ms-cosmos-batch-atomic': 'False',
        'x-ms-documentdb-partitionkeyrangeid': '0',
      }
      const body = JSON.stringify(
        ['old', 'new'].map((id) => ({
          operationType: 'Create',
          partitionKey: '["x"]',
          resourceBody: { id, pk: 'x' },
        })),
      )
      const reply = await world.raw('POST', `/dbs/conformance/colls/${made.id}/docs`, { headers, body })
      const results = JSON.parse(reply.text) as { statusCode: number }[]
      assert.deepEqual([reply.status, ...results.map((one) => one.statusCode)], [207, 409, 424])
    },
  },
  {
    name: 'batch: 101 operations are 400',
    run: async (world) => {
      const made = await filled(world)
      const headers = {
        'x-ms-cosmos-is-batch-request': 'True',
        'x-ms-cosmos-batch-atomic': 'True',
        'x-ms-documentdb-partitionkey': '["x"]',
      }
      const body = JSON.stringify(
        Array.from({ length: 101 }, (_, i) => ({
          operationType: 'Create',
          resourceBody: { id: `a${i}`, pk: 'x' },
        })),
      )
      assert.equal(
        (await world.raw('POST', `/dbs/conformance/colls/${made.id}/docs`, { headers, body })).status,
        400,
      )
    },
  },
]

export const batchesAndPatches: readonly Check[] = [...batches, ...patches]
