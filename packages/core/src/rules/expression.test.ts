import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Issue } from '../error.ts'
import type { AttributeValue, ItemAttributes } from '../item.ts'
import {
  bindItem,
  compileExpression,
  MAX_EXPRESSION_DEPTH,
  parseExpression,
  refersToItem,
  type Comparison,
  type Expression,
} from './expression.ts'

const attr = fc.constantFrom('price', 'tags', 'category', 'sale', '__proto__', 'constructor')
const scalar = fc.oneof(fc.constantFrom('a', 'b', 'eco', ''), fc.integer({ min: -2, max: 2 }), fc.boolean())
const word = fc.constantFrom('a', 'b', 'eco', '')
const small = fc.integer({ min: -2, max: 2 })

const comparison: fc.Arbitrary<Comparison> = fc.oneof(
  ...(['eq', 'ne'] as const).map((name) =>
    fc.record({ attr, value: scalar }).map((c) => ({ attr: c.attr, [name]: c.value })),
  ),
  ...(['lt', 'lte', 'gt', 'gte'] as const).map((name) =>
    fc.record({ attr, value: small }).map((c) => ({ attr: c.attr, [name]: c.value })),
  ),
  fc.record({ attr, in: fc.array(scalar, { minLength: 1, maxLength: 3 }) }),
  fc.record({ attr, has: word }),
  fc.record({ attr, hasAny: fc.array(word, { minLength: 1, maxLength: 3 }) }),
  fc.record({ attr, exists: fc.boolean() }),
)
const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small', maxDepth: MAX_EXPRESSION_DEPTH - 1, withCrossShrink: true },
    comparison,
    fc.record({ all: fc.array(tie('expression'), { maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('expression'), { maxLength: 3 }) }),
    fc.record({ not: tie('expression') }),
  ),
}))
const value: fc.Arbitrary<AttributeValue> = fc.oneof(scalar, fc.array(word, { maxLength: 3 }))
const attributes: fc.Arbitrary<ItemAttributes | undefined> = fc.option(
  fc
    .array(fc.tuple(attr, value), { maxLength: 4 })
    .map((entries) => Object.assign(Object.create(null), Object.fromEntries(entries)) as ItemAttributes),
  { nil: undefined },
)

/** The documentation, sentence by sentence, without any compiling. */
function interpret(e: Expression, item: ItemAttributes | undefined): boolean {
  if ('all' in e) return !e.all.some((part) => !interpret(part, item))
  if ('any' in e) return e.any.filter((part) => interpret(part, item)).length > 0
  if ('not' in e) return !interpret(e.not, item)
  const present = item !== undefined && Object.keys(item).includes(e.attr)
  const x: unknown = present ? item[e.attr] : undefined
  const [operator, operand] = Object.entries(e).find(([name]) => name !== 'attr') as [string, unknown]
  const listed = (wanted: unknown) => (Array.isArray(x) ? x.includes(wanted) : x === wanted)
  switch (operator) {
    case 'eq':
      return present && x === operand
    case 'ne':
      return !(present && x === operand)
    case 'lt':
      return typeof x === 'number' && x < (operand as number)
    case 'lte':
      return typeof x === 'number' && x <= (operand as number)
    case 'gt':
      return typeof x === 'number' && x > (operand as number)
    case 'gte':
      return typeof x === 'number' && x >= (operand as number)
    case 'in':
      return (operand as unknown[]).some((one) => one === x)
    case 'has':
      return present && listed(operand)
    case 'hasAny':
      return present && (operand as unknown[]).some(listed)
    default:
      return present === operand
  }
}

test('a compiled expression says of any attributes what an interpreter says', () => {
  fc.assert(
    fc.property(expression, attributes, (e, item) => {
      expect(compileExpression(e)(item)).toBe(interpret(e, item))
    }),
    { numRuns: 2_000 },
  )
})

test('what was parsed is what was written, and a second parse changes nothing', () => {
  fc.assert(
    fc.property(expression, (e) => {
      const issues: Issue[] = []
      const parsed = parseExpression(JSON.parse(JSON.stringify(e)), 'filter', issues)
      expect(issues).toEqual([])
      expect(parsed).toEqual(e)
    }),
  )
})

test('any JSON is an expression or issues whose paths start where it stands; never an exception', () => {
  const hostile = fc.oneof(
    fc.json().map((text) => JSON.parse(text) as unknown),
    fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 12 },
        fc.anything(),
        fc.record({ all: fc.array(tie('node'), { maxLength: 4 }) }),
        fc.record({ not: tie('node') }),
        fc.record({ attr: fc.anything(), eq: fc.anything() }),
        fc.constant(JSON.parse('{"__proto__":{"attr":"a"},"eq":1}') as unknown),
      ),
    })).node,
  )
  fc.assert(
    fc.property(hostile, (input) => {
      const issues: Issue[] = []
      const parsed = parseExpression(input, 'filter', issues)
      expect(parsed === undefined).toBe(issues.length > 0)
      for (const issue of issues) expect(issue.path.startsWith('filter')).toBe(true)
      if (parsed !== undefined) expect(typeof compileExpression(bindItem(parsed, {}))({})).toBe('boolean')
    }),
    { numRuns: 1_000 },
  )
})

test.each<[string, unknown, string]>([
  ['nothing', undefined, 'filter'],
  ['an unknown operator', { attr: 'price', below: 3 }, 'filter'],
  ['two operators', { attr: 'price', lt: 3, gt: 1 }, 'filter'],
  ['a number in words', { attr: 'price', lt: 'three' }, 'filter.lt'],
  [
    'a bad one inside',
    { all: [{ attr: 'a', eq: 1 }, { not: { attr: '', eq: 1 } }] },
    'filter.all[1].not.attr',
  ],
  ['no list', { attr: 'tags', hasAny: [] }, 'filter.hasAny'],
  ['a reference in a list', { attr: 'tags', in: { item: 'tags' } }, 'filter.in'],
  ['10,000 levels', deep(10_000), `filter${'.not'.repeat(8)}`],
  ['100,000 parts', { all: Array.from({ length: 100_000 }, () => ({ attr: 'a', eq: 1 })) }, 'filter'],
  ['201 values', { attr: 'a', in: Array.from({ length: 201 }, (_, n) => n) }, 'filter.in'],
])('%s is refused with its path', (_, input, path) => {
  const issues: Issue[] = []
  expect(parseExpression(input, 'filter', issues)).toBeUndefined()
  expect(issues.map((issue) => issue.path)).toContain(path)
})

test('eco goods under 50 that are not hats', () => {
  const good = compileExpression({
    all: [{ attr: 'price', lt: 50 }, { attr: 'tags', has: 'eco' }, { not: { attr: 'category', eq: 'hats' } }],
  })
  expect(good({ price: 49, tags: ['eco', 'new'], category: 'socks' })).toBe(true)
  expect(good({ price: 50, tags: ['eco'], category: 'socks' })).toBe(false)
  expect(good({ price: 9, tags: ['eco'], category: 'hats' })).toBe(false)
  expect(good({ price: 9, tags: ['eco'] })).toBe(true)
  expect(good(undefined)).toBe(false)
})

test('the same category as the item of the page, and no dearer; without that item nothing', () => {
  const e: Expression = {
    all: [
      { attr: 'category', eq: { item: 'category' } },
      { attr: 'price', lte: { item: 'price' } },
    ],
  }
  expect([refersToItem(e), refersToItem({ attr: 'price', lt: 3 })]).toEqual([true, false])
  const near = compileExpression(bindItem(e, { category: 'hats', price: 20 }))
  expect(near({ category: 'hats', price: 20 })).toBe(true)
  expect(near({ category: 'hats', price: 21 })).toBe(false)
  expect(near({ category: 'socks', price: 1 })).toBe(false)
  expect(compileExpression(bindItem(e, undefined))({ category: 'hats', price: 20 })).toBe(false)
  expect(compileExpression(bindItem(e, { category: 'hats', price: 'cheap' }))({ category: 'hats' })).toBe(
    false,
  )
})

function deep(levels: number): unknown {
  let inner: unknown = { attr: 'a', eq: 1 }
  for (let level = 0; level < levels; level++) inner = { not: inner }
  return inner
}
