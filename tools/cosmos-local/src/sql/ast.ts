/** Where something stands in the text of its query. */
export interface Place {
  readonly start: number
  readonly end: number
}

export type Expression = Place &
  (
    | { readonly kind: 'literal'; readonly value: null | boolean | number | string | undefined }
    | { readonly kind: 'parameter'; readonly name: string }
    | { readonly kind: 'name'; readonly name: string }
    | { readonly kind: 'member'; readonly of: Expression; readonly property: Expression }
    | { readonly kind: 'array'; readonly items: readonly Expression[] }
    | { readonly kind: 'object'; readonly properties: readonly { name: string; value: Expression }[] }
    | { readonly kind: 'unary'; readonly operator: string; readonly operand: Expression }
    | {
        readonly kind: 'binary'
        readonly operator: string
        readonly left: Expression
        readonly right: Expression
      }
    | {
        readonly kind: 'conditional'
        readonly test: Expression
        readonly yes: Expression
        readonly no: Expression
      }
    | {
        readonly kind: 'between'
        readonly value: Expression
        readonly low: Expression
        readonly high: Expression
      }
    | { readonly kind: 'in'; readonly value: Expression; readonly list: readonly Expression[] }
    | {
        readonly kind: 'like'
        readonly value: Expression
        readonly pattern: Expression
        readonly escape: string | undefined
      }
    | {
        readonly kind: 'call'
        readonly name: string
        readonly arguments: readonly Expression[]
        readonly udf: boolean
      }
    | { readonly kind: 'subquery'; readonly how: 'scalar' | 'exists' | 'array'; readonly query: Query }
  )

export type Source = Place & {
  /** `alias IN x`: once for each element of an array; otherwise once for the value itself. */
  readonly each: boolean
  readonly alias: string | undefined
  readonly from: Expression | { readonly kind: 'query'; readonly query: Query }
}

export interface SelectItem {
  readonly value: Expression
  readonly alias: string | undefined
}

export type Select =
  | { readonly kind: 'star' }
  | { readonly kind: 'value'; readonly value: Expression }
  | { readonly kind: 'list'; readonly items: readonly SelectItem[] }

export interface OrderBy {
  readonly value: Expression
  readonly descending: boolean
}

export interface Query extends Place {
  readonly distinct: boolean
  readonly top: Expression | undefined
  readonly select: Select
  readonly from: readonly Source[]
  readonly where: Expression | undefined
  readonly groupBy: readonly Expression[]
  readonly orderBy: readonly OrderBy[]
  readonly offset: Expression | undefined
  readonly limit: Expression | undefined
}

export const AGGREGATES: ReadonlySet<string> = new Set([
  'COUNT',
  'SUM',
  'AVG',
  'MIN',
  'MAX',
  'COUNTIF',
  'MAKELIST',
  'MAKESET',
])

/** Visits an expression and everything in it, not going into subqueries. */
export function walk(expression: Expression, visit: (expression: Expression) => void): void {
  visit(expression)
  for (const child of childrenOf(expression)) walk(child, visit)
}

export function childrenOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'member':
      return [expression.of, expression.property]
    case 'array':
      return expression.items
    case 'object':
      return expression.properties.map((property) => property.value)
    case 'unary':
      return [expression.operand]
    case 'binary':
      return [expression.left, expression.right]
    case 'conditional':
      return [expression.test, expression.yes, expression.no]
    case 'between':
      return [expression.value, expression.low, expression.high]
    case 'in':
      return [expression.value, ...expression.list]
    case 'like':
      return [expression.value, expression.pattern]
    case 'call':
      return expression.arguments
    default:
      return []
  }
}

export function isAggregate(expression: Expression): boolean {
  return expression.kind === 'call' && !expression.udf && AGGREGATES.has(expression.name.toUpperCase())
}

export function hasAggregate(expression: Expression): boolean {
  let found = false
  walk(expression, (one) => {
    if (isAggregate(one)) found = true
  })
  return found
}
