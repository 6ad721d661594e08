import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileQuery, newRuntime, runRows } from './compile.ts'
import { SqlError } from './error.ts'

const WORDS =
  `SELECT VALUE DISTINCT TOP FROM c IN JOIN t WHERE GROUP BY ORDER ASC OFFSET LIMIT AND OR NOT BETWEEN LIKE EXISTS ARRAY
   c.a c.b[0] c["x"] @p 1 -2.5 'text' "more" null true undefined ( ) [ ] { } , . : ? ?? || = != < >= + - * / % & | ^ ~
   COUNT(1) SUM(c.a) UPPER(c.b) ARRAY_CONTAINS(c.l,1) IS_DEFINED(c.z) LENGTH(c.b) (SELECT VALUE t FROM t IN c.l)`.split(
    /\s+/,
  )

const DOCUMENTS: readonly unknown[] = [{ a: 1, b: 'x', l: [1, 2] }, { a: null, b: {} }, { l: 'no array' }, {}]

/** Runs a query on a few documents; what it throws must be the refusal of a query. */
function runs(text: string): void {
  try {
    const query = compileQuery(text)
    const runtime = newRuntime(query, new Map([['@p', 1]]), 0)
    runRows(query, runtime, (row) => {
      for (const document of DOCUMENTS) {
        runtime.slots[query.root] = document as null
        if (!query.iterate(runtime, row)) return
      }
    })
  } catch (error) {
    expect(error).toBeInstanceOf(SqlError)
    const { start, end } = error as SqlError
    expect(start >= 0 && start <= end && end <= text.length).toBe(true)
  }
}

test('3,000 random rows of words are answered or refused with a place inside the text', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...WORDS), { maxLength: 18 }), (words) => runs(words.join(' '))),
    { numRuns: 1500, seed: 1 },
  )
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...WORDS), { maxLength: 12 }), (words) =>
      runs(`SELECT VALUE ${words.join(' ')} FROM c`),
    ),
    { numRuns: 1500, seed: 2 },
  )
})

test('random text is refused, never a crash', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => runs(text)),
    { numRuns: 1000, seed: 3 },
  )
})
