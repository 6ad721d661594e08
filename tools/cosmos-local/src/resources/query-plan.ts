import { MAX_EPK, MIN_EPK } from '../partition/epk.ts'
import { pathSegments, type KeyComponent } from '../partition/key.ts'
import { CHARGE, type Exchange, type Reply } from '../protocol/exchange.ts'
import type { Expression } from '../sql/ast.ts'
import { bounds, compileQuery, newRuntime, type CompiledQuery } from '../sql/compile.ts'
import { planQuery } from '../sql/plan.ts'
import type { Container } from '../store/catalog.ts'
import { findContainer } from './containers.ts'
import { orBadRequest, queryRequest, type QueryRequest } from './query-request.ts'

export function isQueryPlan(exchange: Exchange): boolean {
  return exchange.flag('x-ms-cosmos-is-query-plan-request')
}

export function readQueryPlan(exchange: Exchange): Reply {
  const container = findContainer(exchange)
  return {
    status: 200,
    headers: { [CHARGE]: 1 },
    body: queryPlan(exchange, container, queryRequest(exchange)),
  }
}

/** How an SDK is to run a query over several ranges, as JSON text. */
export function queryPlan(exchange: Exchange, container: Container, request: QueryRequest): string {
  return orBadRequest(() => {
    const query = compileQuery(request.text)
    const { skip, take } = bounds(query, newRuntime(query, request.parameters, exchange.account.nowMs()))
    const limited = query.limit !== undefined
    return JSON.stringify({
      partitionedQueryExecutionInfoVersion: 2,
      queryInfo: planQuery(request.text, query, {
        top: query.top === undefined || limited ? null : take,
        offset: limited ? skip : null,
        limit: limited ? take : null,
      }),
      queryRanges: queryRanges(exchange, container, query, request),
    })
  })
}

interface QueryRange {
  readonly min: string
  readonly max: string
  readonly isMinInclusive: boolean
  readonly isMaxInclusive: boolean
}

/** All keys, or only those that an equality on the partition key leaves. */
function queryRanges(
  exchange: Exchange,
  container: Container,
  query: CompiledQuery,
  request: QueryRequest,
): QueryRange[] {
  const source = query.ast.from[0]
  const root = source?.from.kind === 'name' ? (source.alias ?? source.from.name) : undefined
  const found = new Map<string, KeyComponent>()
  const visit = (one: Expression | undefined): void => {
    if (one?.kind !== 'binary') return
    if (one.operator === 'AND') {
      visit(one.left)
      visit(one.right)
    }
    if (one.operator !== '=') return
    for (const [path, value] of [
      [one.left, one.right],
      [one.right, one.left],
    ] as const) {
      const name = pathOf(path, root)
      const constant = constantOf(value, request)
      if (name !== undefined && constant !== undefined) found.set(name, constant.value)
    }
  }
  visit(query.ast.where)
  const key: KeyComponent[] = []
  for (const path of container.key.paths) {
    const name = JSON.stringify(pathSegments(path))
    if (!found.has(name)) break
    key.push(found.get(name))
  }
  if (key.length === 0) return [{ min: MIN_EPK, max: MAX_EPK, isMinInclusive: true, isMaxInclusive: false }]
  const epk = exchange.account.epkOf(container, key)
  if (key.length < container.key.paths.length) {
    return [{ min: epk, max: `${epk}FF`, isMinInclusive: true, isMaxInclusive: false }]
  }
  return [{ min: epk, max: epk, isMinInclusive: true, isMaxInclusive: true }]
}

function pathOf(expression: Expression, root: string | undefined): string | undefined {
  const segments: string[] = []
  let one = expression
  while (one.kind === 'member') {
    if (one.property.kind !== 'literal' || typeof one.property.value !== 'string') return undefined
    segments.unshift(one.property.value)
    one = one.of
  }
  return one.kind === 'name' && one.name === root ? JSON.stringify(segments) : undefined
}

function constantOf(expression: Expression, request: QueryRequest): { value: KeyComponent } | undefined {
  const value =
    expression.kind === 'literal'
      ? expression.value
      : expression.kind === 'parameter'
        ? request.parameters.get(expression.name)
        : undefined
  return value === undefined || (typeof value === 'object' && value !== null) ? undefined : { value }
}
