import { MAX_ATTRIBUTE_NAME_LENGTH, MAX_ATTRIBUTE_TEXT_LENGTH, type Issue } from '@attune/core'
import {
  MAX_EXPRESSION_DEPTH,
  MAX_EXPRESSION_NODES,
  MAX_EXPRESSION_VALUES,
  parseExpression,
  type Comparison,
  type Expression,
  type ItemReference,
  type Operator,
  type Scalar,
} from '@attune/core/rules'
import * as v from 'valibot'
import { finite, flag, text } from './fields.ts'
import { says } from './object.ts'

// Describes; core's parser is what expressions go through. A property test holds the two together.

const name = text(MAX_ATTRIBUTE_NAME_LENGTH)
const words = text(MAX_ATTRIBUTE_TEXT_LENGTH, 0)
const scalar: v.GenericSchema<Scalar> = v.union([words, finite, flag])

/** The value of an attribute of the item a page is about. */
export const itemReference: v.GenericSchema<ItemReference> = says(
  v.strictObject({ item: name }),
  'The attribute of that name of the request’s `item`',
)

const oneOrReference = <T>(value: v.GenericSchema<T>): v.GenericSchema<T | ItemReference> =>
  v.union([value, itemReference])
const values = <T>(value: v.GenericSchema<T>): v.GenericSchema<readonly T[]> =>
  v.pipe(v.array(value), v.minLength(1), v.maxLength(MAX_EXPRESSION_VALUES))

const OPERANDS: { readonly [Name in Operator]-?: v.GenericSchema<NonNullable<Comparison[Name]>> } = {
  eq: oneOrReference(scalar),
  ne: oneOrReference(scalar),
  lt: oneOrReference(finite),
  lte: oneOrReference(finite),
  gt: oneOrReference(finite),
  gte: oneOrReference(finite),
  in: values(scalar),
  has: says(oneOrReference(words), 'The list holds the text, or the text equals it'),
  hasAny: values(words),
  exists: flag,
}

const comparisons = Object.entries(OPERANDS).map(([operator, operand]) =>
  v.strictObject({ attr: says(name, 'Name of an attribute'), [operator]: operand }),
)
const part = v.lazy(() => expressionNode)
const parts = v.pipe(v.array(part), v.maxLength(MAX_EXPRESSION_NODES))

/** Without the bounds on the whole, which no part can know of. */
export const expressionNode: v.GenericSchema<Expression> = says(
  v.union([
    v.strictObject({ all: parts }),
    v.strictObject({ any: parts }),
    v.strictObject({ not: part }),
    ...comparisons,
  ]) as unknown as v.GenericSchema<Expression>,
  `What is said of an item’s attributes; at most ${MAX_EXPRESSION_DEPTH} levels and ${MAX_EXPRESSION_NODES} parts in all`,
)

export const expression: v.GenericSchema<Expression> = v.pipe(
  v.lazy(() => expressionNode),
  v.check((value) => {
    const issues: Issue[] = []
    parseExpression(value, 'filter', issues)
    return issues.length === 0
  }, 'an expression like {"attr":"price","lt":50}'),
)
