import { expect, test } from 'vitest'
import { compileQuery, newRuntime, runRows } from './compile.ts'
import { SqlError } from './error.ts'
import { parseQuery } from './parse.ts'
import { planQuery } from './plan.ts'

function errorOf(text: string): SqlError {
  try {
    compileQuery(text)
  } catch (error) {
    if (error instanceof SqlError) return error
  }
  throw new Error('no SqlError')
}

function rows(text: string, documents: readonly unknown[]): unknown[] {
  const query = compileQuery(text)
  const runtime = newRuntime(query, new Map(), 0)
  return runRows(query, runtime, (row) => {
    for (const document of documents) {
      runtime.slots[query.root] = document as null
      if (!query.iterate(runtime, row)) return
    }
  })
}

test('a syntax error says what and where: FRM is at 9 to 12', () => {
  const error = errorOf('SELECT * FRM c')
  expect([error.code, error.start, error.end]).toEqual(['SC1001', 9, 12])
  expect(error.message).toBe("Syntax error, incorrect syntax near 'FRM'.")
})

test('an unknown function is named with its place', () => {
  const error = errorOf('SELECT NOSUCH(c.a) FROM c')
  expect([error.message, error.start, error.end]).toEqual([
    "'NOSUCH' is not a recognized built-in function name.",
    7,
    18,
  ])
})

test('1 + 2 * 3 is 7, (1 + 2) * 3 is 9, NOT binds looser than =', () => {
  expect(rows('SELECT VALUE [1 + 2 * 3, (1 + 2) * 3, NOT 1 = 2]', [null])).toEqual([[7, 9, true]])
})

test('a keyword after a dot is a property', () => {
  expect(rows('SELECT VALUE c.value FROM c', [{ value: 1 }])).toEqual([1])
  expect(rows('SELECT VALUE c.order.by FROM c', [{ order: { by: 2 } }])).toEqual([2])
})

test('__proto__ is a property like any other', () => {
  const document = JSON.parse('{"__proto__": {"a": 1}}') as unknown
  expect(rows('SELECT VALUE c.__proto__.a FROM c', [document, {}])).toEqual([1])
})

test('a plan for ORDER BY carries its keys, its rows and a place for the filter', () => {
  const text = 'SELECT c.id FROM c WHERE c.a = 1 OR c.b ORDER BY c.n DESC'
  const plan = planQuery(text, compileQuery(text), { top: null, offset: null, limit: null })
  expect(plan.orderBy).toEqual(['Descending'])
  expect(plan.rewrittenQuery).toBe(
    'SELECT c._rid, [{"item": c.n}] AS orderByItems, {"id": c.id} AS payload FROM c ' +
      'WHERE (c.a = 1 OR c.b) AND ({documentdb-formattableorderbyquery-filter}) ORDER BY c.n DESC',
  )
})

test('brackets stay with what they hold when a plan cuts it out', () => {
  const { where } = parseQuery('SELECT * FROM c WHERE (c.a OR c.b) AND c.d')
  expect([where?.start, where?.end]).toEqual([22, 42])
})
