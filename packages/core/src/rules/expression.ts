import { describe, type Issue } from '../error.ts'
import { MAX_ATTRIBUTE_NAME_LENGTH, MAX_ATTRIBUTE_TEXT_LENGTH, type ItemAttributes } from '../item.ts'

export type Scalar = string | number | boolean
/** The value of an attribute of the item a page is about. */
export interface ItemReference {
  readonly item: string
}

export interface Comparison {
  readonly attr: string
  readonly eq?: Scalar | ItemReference
  readonly ne?: Scalar | ItemReference
  readonly lt?: number | ItemReference
  readonly lte?: number | ItemReference
  readonly gt?: number | ItemReference
  readonly gte?: number | ItemReference
  readonly in?: readonly Scalar[]
  /** The list holds the text, or the text equals it. */
  readonly has?: string | ItemReference
  readonly hasAny?: readonly string[]
  readonly exists?: boolean
}

/** What is said of an item's attributes. No code: parsed, bounded, and compiled to closures over these operators. */
export type Expression =
  | { readonly all: readonly Expression[] }
  | { readonly any: readonly Expression[] }
  | { readonly not: Expression }
  | Comparison

export const OPERATORS = ['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'in', 'has', 'hasAny', 'exists'] as const
export type Operator = (typeof OPERATORS)[number]

export const MAX_EXPRESSION_DEPTH = 8
/** Comparisons, `all`, `any` and `not` of one expression together. */
export const MAX_EXPRESSION_NODES = 200
/** Values of `in` and `hasAny`. */
export const MAX_EXPRESSION_VALUES = 200

type Fail = (path: string, expected: string, received: unknown) => undefined

/** Says where something is wrong, in the words of every other issue. */
export function failInto(issues: Issue[], code: string): Fail {
  return (path, expected, received) => {
    const shown = describe(received)
    issues.push({
      path,
      code,
      message: `${path}: expected ${expected}, received ${shown}`,
      expected,
      received: shown,
    })
    return undefined
  }
}

/**
 * Unknown JSON → expression, every problem with its path.
 *
 * @param issues - problems are added
 * @returns undefined when there is one
 */
export function parseExpression(input: unknown, path: string, issues: Issue[]): Expression | undefined {
  const before = issues.length
  const fail = failInto(issues, 'EXPRESSION_INVALID')
  let nodes = 0
  const parse = (value: unknown, at: string, depth: number): Expression | undefined => {
    if (depth > MAX_EXPRESSION_DEPTH)
      return fail(at, `at most ${MAX_EXPRESSION_DEPTH} levels`, 'a deeper one')
    if (++nodes > MAX_EXPRESSION_NODES) {
      if (nodes > MAX_EXPRESSION_NODES + 1) return undefined
      return fail(path, `at most ${MAX_EXPRESSION_NODES} parts`, 'more')
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return fail(at, 'an expression like {"attr":"price","lt":50}', value)
    const keys = Object.keys(value)
    if (keys.length === 1 && (keys[0] === 'all' || keys[0] === 'any')) {
      const parts: unknown = Reflect.get(value, keys[0])
      if (!Array.isArray(parts)) return fail(`${at}.${keys[0]}`, 'an array of expressions', parts)
      const parsed = parts
        .slice(0, MAX_EXPRESSION_NODES + 1)
        .map((part, index) => parse(part, `${at}.${keys[0]}[${index}]`, depth + 1))
      const good = parsed.filter((part) => part !== undefined)
      return keys[0] === 'all' ? { all: good } : { any: good }
    }
    if (keys.length === 1 && keys[0] === 'not') {
      const inner = parse(Reflect.get(value, 'not'), `${at}.not`, depth + 1)
      return inner && { not: inner }
    }
    return parseComparison(value, keys, at, fail)
  }
  const expression = parse(input, path, 1)
  return issues.length > before ? undefined : expression
}

function parseComparison(
  value: object,
  keys: readonly string[],
  at: string,
  fail: Fail,
): Comparison | undefined {
  const operator = OPERATORS.find((known) => Object.hasOwn(value, known))
  if (keys.length !== 2 || operator === undefined || !Object.hasOwn(value, 'attr'))
    return fail(at, `all, any, not, or attr with one of ${OPERATORS.join(', ')}`, keys.slice(0, 5).join(', '))
  const attr: unknown = Reflect.get(value, 'attr')
  const operand: unknown = Reflect.get(value, operator)
  if (!isName(attr)) return fail(`${at}.attr`, `a name of 1 to ${MAX_ATTRIBUTE_NAME_LENGTH} characters`, attr)
  if (isReference(operand)) {
    if (operator === 'in' || operator === 'hasAny' || operator === 'exists')
      return fail(`${at}.${operator}`, EXPECTED[operator], operand)
    return { attr, [operator]: { item: operand.item } }
  }
  if (!ACCEPTS[operator](operand)) return fail(`${at}.${operator}`, EXPECTED[operator], operand)
  return { attr, [operator]: operand } as Comparison
}

const EXPECTED: Readonly<Record<Operator, string>> = {
  eq: 'a text, number, true or false',
  ne: 'a text, number, true or false',
  lt: 'a number',
  lte: 'a number',
  gt: 'a number',
  gte: 'a number',
  in: `1 to ${MAX_EXPRESSION_VALUES} texts, numbers, true or false`,
  has: 'a text',
  hasAny: `1 to ${MAX_EXPRESSION_VALUES} texts`,
  exists: 'true or false',
}

const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_ATTRIBUTE_TEXT_LENGTH
const isScalar = (value: unknown): value is Scalar =>
  isText(value) || typeof value === 'boolean' || Number.isFinite(value)
const isList = (value: unknown, one: (entry: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length >= 1 && value.length <= MAX_EXPRESSION_VALUES && value.every(one)
const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length >= 1 && value.length <= MAX_ATTRIBUTE_NAME_LENGTH

const ACCEPTS: Readonly<Record<Operator, (value: unknown) => boolean>> = {
  eq: isScalar,
  ne: isScalar,
  lt: Number.isFinite,
  lte: Number.isFinite,
  gt: Number.isFinite,
  gte: Number.isFinite,
  in: (value) => isList(value, isScalar),
  has: isText,
  hasAny: (value) => isList(value, isText),
  exists: (value) => typeof value === 'boolean',
}

function isReference(value: unknown): value is ItemReference {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const keys = Object.keys(value)
  return keys.length === 1 && keys[0] === 'item' && isName(Reflect.get(value, 'item'))
}

/** Nothing is true of it. */
const NEVER: Expression = { any: [] }

/** Whether the expression looks at the item a page is about. */
export function refersToItem(expression: Expression): boolean {
  if ('all' in expression) return expression.all.some(refersToItem)
  if ('any' in expression) return expression.any.some(refersToItem)
  if ('not' in expression) return refersToItem(expression.not)
  return OPERATORS.some((operator) => isReference(expression[operator]))
}

/**
 * Puts the values of the page's item in place of references to them. A comparison with an attribute it does not have, or
 * has as a list, is false.
 */
export function bindItem(expression: Expression, item: ItemAttributes | undefined): Expression {
  if ('all' in expression) return { all: expression.all.map((part) => bindItem(part, item)) }
  if ('any' in expression) return { any: expression.any.map((part) => bindItem(part, item)) }
  if ('not' in expression) return { not: bindItem(expression.not, item) }
  const operator = OPERATORS.find((known) => expression[known] !== undefined)
  const operand = operator && expression[operator]
  if (operator === undefined || !isReference(operand)) return expression
  const value = own(item, operand.item)
  return ACCEPTS[operator](value) ? ({ attr: expression.attr, [operator]: value } as Comparison) : NEVER
}

/** An attribute of one's own; never one of a prototype. */
function own(attributes: ItemAttributes | undefined, name: string): unknown {
  return attributes !== undefined && Object.hasOwn(attributes, name) ? attributes[name] : undefined
}

/**
 * Expression → test. What an item does not say is no number, equals nothing and holds nothing: every comparison but `ne`
 * and `exists: false` is then false.
 *
 * @param expression - without references: see {@link bindItem}
 */
export function compileExpression(
  expression: Expression,
): (attributes: ItemAttributes | undefined) => boolean {
  if ('all' in expression) {
    const tests = expression.all.map(compileExpression)
    return (attributes) => tests.every((test) => test(attributes))
  }
  if ('any' in expression) {
    const tests = expression.any.map(compileExpression)
    return (attributes) => tests.some((test) => test(attributes))
  }
  if ('not' in expression) {
    const test = compileExpression(expression.not)
    return (attributes) => !test(attributes)
  }
  const test = compileComparison(expression)
  const { attr } = expression
  return (attributes) => test(own(attributes, attr))
}

function compileComparison(comparison: Comparison): (value: unknown) => boolean {
  const { eq, ne, lt, lte, gt, gte, in: among, has, hasAny, exists } = comparison
  if (eq !== undefined) return (value) => value === eq
  if (ne !== undefined) return (value) => value !== ne
  if (typeof lt === 'number') return (value) => typeof value === 'number' && value < lt
  if (typeof lte === 'number') return (value) => typeof value === 'number' && value <= lte
  if (typeof gt === 'number') return (value) => typeof value === 'number' && value > gt
  if (typeof gte === 'number') return (value) => typeof value === 'number' && value >= gte
  if (among !== undefined) {
    const values = new Set<unknown>(among)
    return (value) => values.has(value)
  }
  const wanted = new Set<unknown>(has === undefined ? hasAny : [has])
  if (exists === undefined)
    return (value) => (Array.isArray(value) ? value.some((entry) => wanted.has(entry)) : wanted.has(value))
  return (value) => (value !== undefined) === exists
}
