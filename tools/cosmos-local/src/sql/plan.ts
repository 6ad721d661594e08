import { hasAggregate, isAggregate, walk, type Expression, type Query } from './ast.ts'
import { columnNames, type CompiledQuery } from './compile.ts'
import { SqlError } from './error.ts'

/** What an SDK needs to run a query on every range by itself and merge the answers. */
export interface QueryInfo {
  readonly distinctType: 'None' | 'Ordered' | 'Unordered'
  readonly top: number | null
  readonly offset: number | null
  readonly limit: number | null
  readonly orderBy: readonly string[]
  readonly orderByExpressions: readonly string[]
  readonly groupByExpressions: readonly string[]
  readonly groupByAliases: readonly string[]
  readonly aggregates: readonly string[]
  readonly groupByAliasToAggregateType: Readonly<Record<string, string | null>>
  readonly rewrittenQuery: string
  readonly hasSelectValue: boolean
  readonly hasNonStreamingOrderBy: boolean
  readonly dCountInfo: null
}

const AGGREGATE_TYPES: Readonly<Record<string, string>> = {
  COUNT: 'Count',
  COUNTIF: 'CountIf',
  SUM: 'Sum',
  AVG: 'Average',
  MIN: 'Min',
  MAX: 'Max',
  MAKELIST: 'MakeList',
  MAKESET: 'MakeSet',
}

/** SDKs put a condition here when they go on in the middle of an ordered query. */
const FILTER = '{documentdb-formattableorderbyquery-filter}'

export function planQuery(
  text: string,
  query: CompiledQuery,
  numbers: { top: number | null; offset: number | null; limit: number | null },
): QueryInfo {
  const { ast } = query
  const cut = (one: { start: number; end: number }): string => text.slice(one.start, one.end)
  const ordered = ast.orderBy.length > 0
  const aggregates = aggregateTypes(ast)
  const base: QueryInfo = {
    distinctType: distinctType(ast, cut),
    ...numbers,
    orderBy: ast.orderBy.map((one) => (one.descending ? 'Descending' : 'Ascending')),
    orderByExpressions: ast.orderBy.map((one) => cut(one.value)),
    groupByExpressions: ast.groupBy.map(cut),
    groupByAliases: [],
    aggregates:
      ast.select.kind === 'value' || ast.groupBy.length === 0
        ? aggregates.slice(0, ast.select.kind === 'value' ? 1 : undefined)
        : [],
    groupByAliasToAggregateType: {},
    rewrittenQuery: '',
    hasSelectValue: ast.select.kind === 'value',
    hasNonStreamingOrderBy: false,
    dCountInfo: null,
  }
  if (query.grouped) return grouped(ast, base, cut)
  const tail = tailOf(ast, cut, ordered)
  const limits = limitText(numbers)
  if (ordered) {
    const items = ast.orderBy.map((one) => `{"item": ${cut(one.value)}}`).join(', ')
    const distinct = ast.distinct ? 'DISTINCT ' : ''
    const top = numbers.top === null ? '' : `TOP ${numbers.top} `
    const order = ast.orderBy.map((one) => `${cut(one.value)} ${one.descending ? 'DESC' : 'ASC'}`).join(', ')
    return {
      ...base,
      rewrittenQuery: `SELECT ${distinct}${top}${rootOf(ast)}._rid, [${items}] AS orderByItems, ${payload(ast, cut)} AS payload ${tail} ORDER BY ${order}${limits}`,
    }
  }
  if (numbers.offset === null) return base
  // Every range gives the rows that would be skipped too: only the merged order tells which those are.
  const end = ast.offset?.start ?? ast.end
  const before = text.slice(ast.start, end).replace(/\s*OFFSET\s*$/i, '')
  return { ...base, rewrittenQuery: `${before}${limits}` }
}

function limitText({ offset, limit }: { offset: number | null; limit: number | null }): string {
  return limit === null ? '' : ` OFFSET 0 LIMIT ${(offset ?? 0) + limit}`
}

function tailOf(ast: Query, cut: (one: { start: number; end: number }) => string, filtered: boolean): string {
  const first = ast.from[0]
  const last = ast.from.at(-1)
  const from =
    first === undefined || last === undefined ? '' : `FROM ${cut({ start: first.start, end: last.end })}`
  const conditions = [ast.where === undefined ? '' : `(${cut(ast.where)})`, filtered ? `(${FILTER})` : '']
  const where = conditions.filter((one) => one !== '').join(' AND ')
  return where === '' ? from : `${from} WHERE ${where}`
}

/** The name that stands for the document. */
function rootOf(ast: Query): string {
  const first = ast.from[0]
  if (first === undefined) return 'c'
  if (first.from.kind === 'name' && first.alias !== undefined) return first.alias
  let root = first.from
  while (root.kind === 'member') root = root.of
  return root.kind === 'name' ? root.name : 'c'
}

function payload(ast: Query, cut: (one: { start: number; end: number }) => string): string {
  if (ast.select.kind === 'star') {
    const first = ast.from[0]
    return first?.alias ?? (first?.from.kind === 'name' ? first.from.name : rootOf(ast))
  }
  if (ast.select.kind === 'value') return cut(ast.select.value)
  const names = columnNames(ast.select.items)
  return `{${ast.select.items.map(({ value }, i) => `${JSON.stringify(names[i] ?? '')}: ${cut(value)}`).join(', ')}}`
}

function distinctType(
  ast: Query,
  cut: (one: { start: number; end: number }) => string,
): QueryInfo['distinctType'] {
  if (!ast.distinct) return 'None'
  const [only] = ast.orderBy
  const selected =
    ast.select.kind === 'value'
      ? [ast.select.value]
      : ast.select.kind === 'list'
        ? ast.select.items.map((item) => item.value)
        : []
  const same =
    ast.orderBy.length === 1 &&
    selected.length === 1 &&
    only !== undefined &&
    selected[0] !== undefined &&
    cut(only.value) === cut(selected[0])
  return same ? 'Ordered' : 'Unordered'
}

function selected(ast: Query): readonly Expression[] {
  if (ast.select.kind === 'value') return [ast.select.value]
  return ast.select.kind === 'list' ? ast.select.items.map((item) => item.value) : []
}

function aggregateTypes(ast: Query): string[] {
  const types: string[] = []
  for (const expression of selected(ast)) {
    walk(expression, (one) => {
      if (one.kind === 'call' && isAggregate(one)) types.push(AGGREGATE_TYPES[one.name.toUpperCase()] ?? '')
    })
  }
  return types
}

/** A part of an aggregate that ranges can add up. */
function partial(expression: Expression, cut: (one: { start: number; end: number }) => string): string {
  if (expression.kind !== 'call' || !isAggregate(expression) || expression.arguments[0] === undefined)
    return cut(expression)
  const argument = cut(expression.arguments[0])
  switch (expression.name.toUpperCase()) {
    case 'AVG':
      return `{"item": {"sum": SUM(${argument}), "count": COUNT(${argument})}}`
    case 'MIN':
      return `{"item": MIN(${argument}), "item2": {"min": MIN(${argument}), "count": COUNT(${argument})}}`
    case 'MAX':
      return `{"item": MAX(${argument}), "item2": {"max": MAX(${argument}), "count": COUNT(${argument})}}`
    default:
      return `{"item": ${cut(expression)}}`
  }
}

function grouped(
  ast: Query,
  base: QueryInfo,
  cut: (one: { start: number; end: number }) => string,
): QueryInfo {
  for (const expression of selected(ast)) {
    if (!isAggregate(expression) && hasAggregate(expression)) {
      throw new SqlError(
        'SC2202',
        'Compositions of aggregates and other expressions are not allowed in cross partition queries.',
        expression.start,
        expression.end,
      )
    }
  }
  const groupItems = ast.groupBy.map((one) => `{"item": ${cut(one)}}`).join(', ')
  const group = ast.groupBy.length === 0 ? '' : ` GROUP BY ${ast.groupBy.map(cut).join(', ')}`
  const tail = `${tailOf(ast, cut, false)}${group}`
  if (ast.select.kind === 'value') {
    const { value } = ast.select
    const part = isAggregate(value) ? `[${partial(value, cut)}]` : cut(value)
    const rewrittenQuery =
      ast.groupBy.length === 0
        ? `SELECT VALUE ${part} ${tail}`
        : `SELECT [${groupItems}] AS groupByItems, ${part} AS payload ${tail}`
    return { ...base, rewrittenQuery }
  }
  const items = ast.select.kind === 'list' ? ast.select.items : []
  const names = columnNames(items)
  const types: Record<string, string | null> = {}
  const parts = items.map(({ value }, i) => {
    const name = names[i] ?? ''
    types[name] =
      value.kind === 'call' && isAggregate(value) ? (AGGREGATE_TYPES[value.name.toUpperCase()] ?? null) : null
    return `${JSON.stringify(name)}: ${partial(value, cut)}`
  })
  const groupBy = ast.groupBy.length === 0 ? '' : `[${groupItems}] AS groupByItems, `
  return {
    ...base,
    aggregates: [],
    groupByAliases: names,
    groupByAliasToAggregateType: types,
    rewrittenQuery: `SELECT ${groupBy}{${parts.join(', ')}} AS payload ${tail}`,
  }
}
