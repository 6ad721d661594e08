import { accumulator, type Accumulator } from './aggregate.ts'
import { type Expression, type Query, type Source } from './ast.ts'
import { SqlError } from './error.ts'
import { compile, set, type Context } from './expression.ts'
import { parseCondition, parseQuery } from './parse.ts'
import { Scope, type Evaluate, type Runtime } from './runtime.ts'
import { canonical, compareValues, type Value } from './values.ts'
import type { JsonObject } from '../json.ts'

/** Calls back once for each combination of sources that passes WHERE; stops when told `false`. */
type Iterate = (runtime: Runtime, row: () => boolean) => boolean

interface Aggregate {
  readonly name: string
  readonly argument: Evaluate
  readonly slot: number
}

/** A query ready to run on any number of documents. */
export interface CompiledQuery {
  readonly ast: Query
  /** The slot that holds the document. */
  readonly root: number
  readonly slots: number
  readonly iterate: Iterate
  readonly project: Evaluate
  readonly orderBy: readonly Evaluate[]
  readonly descending: readonly boolean[]
  readonly groupBy: readonly Evaluate[]
  readonly aggregates: readonly Aggregate[]
  readonly grouped: boolean
  readonly distinct: boolean
  readonly top: Evaluate | undefined
  readonly offset: Evaluate | undefined
  readonly limit: Evaluate | undefined
  /** Rows can go out as they are found: no order, no groups, no DISTINCT. */
  readonly streaming: boolean
  /** `SELECT *` of the document itself: its text can go out untouched. */
  readonly whole: boolean
}

const ROOT = 0
const CACHED_QUERIES = 500
const cache = new Map<string, CompiledQuery>()

export function compileQuery(text: string): CompiledQuery {
  const known = cache.get(text)
  if (known !== undefined) return known
  const compiled = compileTop(parseQuery(text))
  if (cache.size >= CACHED_QUERIES) cache.clear()
  cache.set(text, compiled)
  return compiled
}

/** `FROM c WHERE …` of a conditional patch: does the document pass? */
export function passes(condition: string, document: JsonObject, nowMs: number): boolean {
  const query = compileTop(parseCondition(condition))
  const runtime = newRuntime(query, new Map(), nowMs)
  runtime.slots[ROOT] = document
  let passed = false
  query.iterate(runtime, () => {
    passed = true
    return false
  })
  return passed
}

export function newRuntime(
  query: CompiledQuery,
  parameters: ReadonlyMap<string, Value>,
  nowMs: number,
): Runtime {
  return { parameters, nowMs, slots: Array.from<Value>({ length: query.slots }) }
}

export function compileTop(ast: Query): CompiledQuery {
  let slots = 1
  const scope = new Scope(undefined, () => slots++)
  const compiled = compileBody(ast, scope, true)
  return { ...compiled, slots }
}

function compileBody(ast: Query, scope: Scope, top: boolean): CompiledQuery {
  const plain: Context = { scope, aggregate: undefined, subquery: compileSubquery }
  const sources = ast.from.map((source, i) => compileSource(source, scope, plain, top && i === 0))
  const where = ast.where === undefined ? undefined : compile(ast.where, plain)
  const groupBy = ast.groupBy.map((one) => compile(one, plain))
  const aggregates: Aggregate[] = []
  const grouping: Context = {
    ...plain,
    aggregate: (name, argument) => {
      const slot = scope.allocate()
      aggregates.push({ name, argument, slot })
      return slot
    },
  }
  const project = compileSelect(ast, scope, grouping)
  const grouped = groupBy.length > 0 || aggregates.length > 0
  if (grouped && ast.orderBy.length > 0) {
    const first = ast.orderBy[0]?.value
    throw new SqlError(
      'SC2102',
      'ORDER BY together with GROUP BY or aggregates is not supported.',
      first?.start ?? ast.start,
      first?.end ?? ast.end,
    )
  }
  const bound = (one: Expression | undefined): Evaluate | undefined =>
    one === undefined ? undefined : compile(one, plain)
  return {
    ast,
    root: ROOT,
    slots: 0,
    iterate: iterateOver(sources, where),
    project,
    orderBy: ast.orderBy.map((one) => compile(one.value, plain)),
    descending: ast.orderBy.map((one) => one.descending),
    groupBy,
    aggregates,
    grouped,
    distinct: ast.distinct,
    top: bound(ast.top),
    offset: bound(ast.offset),
    limit: bound(ast.limit),
    streaming: ast.orderBy.length === 0 && !grouped && !ast.distinct,
    whole:
      ast.select.kind === 'star' &&
      ast.from.length === 1 &&
      ast.from[0]?.from.kind === 'name' &&
      !ast.from[0].each,
  }
}

interface CompiledSource {
  readonly slot: number
  readonly each: boolean
  readonly from: Evaluate
}

function compileSource(source: Source, scope: Scope, context: Context, first: boolean): CompiledSource {
  let from: Evaluate
  if (source.from.kind === 'query') {
    from = compileSubquery(source.from.query, 'array', scope)
  } else {
    if (first) bindRoot(source.from, scope)
    from = compile(source.from, context)
  }
  const name = source.alias ?? impliedAlias(source)
  const slot = name === undefined ? scope.allocate() : scope.bind(name)
  // A subquery in FROM gives its rows one by one.
  return { slot, each: source.each || source.from.kind === 'query', from }
}

/** The first name in FROM stands for the document, whatever it is called. */
function bindRoot(expression: Expression, scope: Scope): void {
  let root = expression
  while (root.kind === 'member') root = root.of
  if (root.kind === 'name') scope.bindTo(root.name, ROOT)
}

/** `FROM c.a.b` without AS is known as `b`. */
function impliedAlias(source: Source): string | undefined {
  const { from } = source
  if (from.kind === 'name') return from.name
  if (from.kind === 'member' && from.property.kind === 'literal') return String(from.property.value)
  return undefined
}

function iterateOver(sources: readonly CompiledSource[], where: Evaluate | undefined): Iterate {
  const level = (at: number, runtime: Runtime, row: () => boolean): boolean => {
    const source = sources[at]
    if (source === undefined) return where !== undefined && where(runtime) !== true ? true : row()
    const value = source.from(runtime)
    if (value === undefined) return true
    if (!source.each) {
      runtime.slots[source.slot] = value
      return level(at + 1, runtime, row)
    }
    if (!Array.isArray(value)) return true
    for (const element of value) {
      runtime.slots[source.slot] = element
      if (!level(at + 1, runtime, row)) return false
    }
    return true
  }
  return (runtime, row) => level(0, runtime, row)
}

/** What a column is called: its alias, the last name of its path, or `$1`, `$2`, … */
export function columnNames(items: readonly { value: Expression; alias: string | undefined }[]): string[] {
  let unnamed = 0
  return items.map(({ value, alias }) => {
    if (alias !== undefined) return alias
    if (value.kind === 'name') return value.name
    if (
      value.kind === 'member' &&
      value.property.kind === 'literal' &&
      typeof value.property.value === 'string'
    ) {
      return value.property.value
    }
    return `$${++unnamed}`
  })
}

function compileSelect(ast: Query, scope: Scope, context: Context): Evaluate {
  const { select } = ast
  if (select.kind === 'value') return compile(select.value, context)
  if (select.kind === 'list') {
    const names = columnNames(select.items)
    const columns = select.items.map(({ value }, i) => ({
      name: names[i] ?? '',
      value: compile(value, context),
    }))
    return (runtime) => {
      const object: JsonObject = {}
      for (const column of columns) {
        const value = column.value(runtime)
        if (value !== undefined) set(object, column.name, value)
      }
      return object
    }
  }
  const only = ast.from[0]
  if (ast.from.length !== 1 || only === undefined) {
    const why =
      ast.from.length === 0
        ? "'SELECT *' is not valid if FROM clause is omitted."
        : "'SELECT *' is only valid with a single input set."
    throw new SqlError('SC2040', why, ast.start, ast.end)
  }
  const name = only.alias ?? impliedAlias(only)
  const slot = name === undefined ? undefined : scope.find(name)
  if (slot === undefined)
    throw new SqlError('SC2040', "'SELECT *' needs an alias for its source.", ast.start, ast.end)
  return (runtime) => runtime.slots[slot]
}

function compileSubquery(query: Query, how: 'scalar' | 'exists' | 'array', outer: Scope): Evaluate {
  const compiled = compileBody(query, new Scope(outer, outer.allocate), false)
  if (how === 'exists' && !compiled.grouped && compiled.limit === undefined) {
    return (runtime) => !compiled.iterate(runtime, () => false)
  }
  return (runtime) => {
    const rows = runRows(compiled, runtime, (row) => compiled.iterate(runtime, row))
    if (how === 'exists') return rows.length > 0
    if (how === 'scalar') return rows[0]
    return rows.filter((row) => row !== undefined)
  }
}

/**
 * Every row of a query, in order. `feed` goes over the documents, binding each one and calling back for its rows.
 */
export function runRows(
  query: CompiledQuery,
  runtime: Runtime,
  feed: (row: () => boolean) => unknown,
): Value[] {
  const { skip, take } = bounds(query, runtime)
  if (query.grouped) return distinctRows(query, groups(query, runtime, feed)).slice(skip, skip + take)
  if (query.orderBy.length > 0)
    return distinctRows(query, ordered(query, runtime, feed)).slice(skip, skip + take)
  const rows: Value[] = []
  const seen = query.distinct ? new Set<string>() : undefined
  if (take === 0) return rows
  feed(() => {
    const value = query.project(runtime)
    if (value === undefined) return true
    if (seen !== undefined) {
      const name = canonical(value)
      if (seen.has(name)) return true
      seen.add(name)
    }
    rows.push(value)
    return rows.length < skip + take
  })
  return rows.slice(skip)
}

function distinctRows(query: CompiledQuery, rows: Value[]): Value[] {
  if (!query.distinct) return rows
  const seen = new Set<string>()
  return rows.filter((row) => {
    const name = canonical(row)
    return seen.has(name) ? false : seen.add(name)
  })
}

/** What TOP, OFFSET and LIMIT leave of the rows. */
export function bounds(query: CompiledQuery, runtime: Runtime): { skip: number; take: number } {
  const whole = (evaluate: Evaluate | undefined, name: string, otherwise: number): number => {
    if (evaluate === undefined) return otherwise
    const value = evaluate(runtime)
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
      const { start, end } = query.ast
      throw new SqlError('SC2062', `The ${name} must be a non-negative integer.`, start, end)
    }
    return value
  }
  const skip = whole(query.offset, 'OFFSET', 0)
  return {
    skip,
    take: Math.min(whole(query.top, 'TOP count', Infinity), whole(query.limit, 'LIMIT', Infinity)),
  }
}

function ordered(query: CompiledQuery, runtime: Runtime, feed: (row: () => boolean) => unknown): Value[] {
  const rows: { keys: Value[]; value: Value }[] = []
  feed(() => {
    const value = query.project(runtime)
    if (value !== undefined) rows.push({ keys: query.orderBy.map((key) => key(runtime)), value })
    return true
  })
  const directions = query.descending.map((descending) => (descending ? -1 : 1))
  rows.sort((a, b) => {
    for (let i = 0; i < directions.length; i++) {
      const order = compareValues(a.keys[i], b.keys[i])
      if (order !== 0) return order * (directions[i] ?? 1)
    }
    return 0
  })
  return rows.map((row) => row.value)
}

function groups(query: CompiledQuery, runtime: Runtime, feed: (row: () => boolean) => unknown): Value[] {
  const found = new Map<string, { slots: Value[]; accumulators: Accumulator[] }>()
  const start = (): { slots: Value[]; accumulators: Accumulator[] } => ({
    slots: runtime.slots.slice(),
    accumulators: query.aggregates.map((aggregate) => accumulator(aggregate.name)),
  })
  feed(() => {
    const name = query.groupBy.map((key) => canonical(key(runtime))).join('\0')
    let group = found.get(name)
    if (group === undefined) found.set(name, (group = start()))
    for (let i = 0; i < query.aggregates.length; i++) {
      group.accumulators[i]?.add(query.aggregates[i]?.argument(runtime))
    }
    return true
  })
  if (found.size === 0 && query.groupBy.length === 0) {
    const empty = start()
    // Nothing to aggregate: names outside the aggregates are undefined.
    empty.slots.fill(undefined)
    found.set('', empty)
  }
  const rows: Value[] = []
  for (const { slots, accumulators } of found.values()) {
    query.aggregates.forEach((aggregate, i) => {
      slots[aggregate.slot] = accumulators[i]?.result()
    })
    const row = query.project({ ...runtime, slots })
    if (row !== undefined) rows.push(row)
  }
  return rows
}
