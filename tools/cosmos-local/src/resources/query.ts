import { queryCharge, feedCharge } from '../engine/charges.ts'
import { badRequest, ProtocolError } from '../errors.ts'
import type { Json, JsonObject } from '../json.ts'
import {
  CHARGE,
  CONTINUATION,
  pageSize,
  RANGE_ID,
  SESSION_TOKEN,
  type Exchange,
  type Reply,
} from '../protocol/exchange.ts'
import { bounds, compileQuery, newRuntime, runRows, type CompiledQuery } from '../sql/compile.ts'
import type { Runtime } from '../sql/runtime.ts'
import type { Value } from '../sql/values.ts'
import type { Container } from '../store/catalog.ts'
import type { ScannedItem } from '../store/items.ts'
import { findContainer } from './containers.ts'
import { formatContinuation, parseContinuation, type Continuation } from './continuation.ts'
import { queryPlan } from './query-plan.ts'
import { orBadRequest, queryRequest, type QueryRequest } from './query-request.ts'
import { targetOf, type Target } from './ranges.ts'
import { Scan } from './scan.ts'

/** A page never holds more than this. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024

export function queryItems(exchange: Exchange): Reply {
  const container = findContainer(exchange)
  const request = queryRequest(exchange)
  const query = orBadRequest(() => compileQuery(request.text))
  const target = targetOf(exchange, container)
  if (!target.chosen) refuseCrossPartition(exchange, container, query, request)
  const continuation = parseContinuation(exchange.header(CONTINUATION), target)
  const runtime = newRuntime(query, request.parameters, exchange.account.nowMs())
  const scan = new Scan(exchange, container, target, continuation)
  const page = orBadRequest(() =>
    query.streaming
      ? streamed(exchange, query, runtime, scan, continuation)
      : computed(exchange, query, runtime, scan, continuation),
  )
  return queryReply(exchange, container, scan, page, target)
}

/** What one gateway cannot answer alone; SDKs then ask for a query plan and merge the ranges themselves. */
function refuseCrossPartition(
  exchange: Exchange,
  container: Container,
  query: CompiledQuery,
  request: QueryRequest,
): void {
  if (!exchange.flag('x-ms-documentdb-query-enablecrosspartition')) {
    throw badRequest(
      'Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception.',
    )
  }
  if (!query.streaming || query.top !== undefined || query.offset !== undefined) {
    throw new ProtocolError(
      400,
      'The provided cross partition query can not be directly served by the gateway. This is a first chance (internal) exception that all newer clients will know how to handle gracefully. This exception is traced, but unless you see it bubble up as an exception (which only happens on older SDK clients), then you can safely ignore this message.',
      { substatus: 1004, extra: { additionalErrorInfo: queryPlan(exchange, container, request) } },
    )
  }
}

export interface Page {
  readonly texts: string[]
  readonly continuation: Continuation | undefined
}

/** Rows as they are found, a page at a time. */
function streamed(
  exchange: Exchange,
  query: CompiledQuery,
  runtime: Runtime,
  scan: Scan,
  continuation: Continuation,
): Page {
  const { skip, take } = bounds(query, runtime)
  const end = skip + take
  const most = pageSize(exchange)
  const texts: string[] = []
  let bytes = 0
  let found = continuation.given
  let within = continuation.within
  let more = false
  scan.run((item) => {
    if (found >= end) return (more = false)
    if (texts.length >= most || bytes >= MAX_PAGE_BYTES) {
      more = true
      return false
    }
    bindDocument(query, runtime, item)
    let passed = 0
    let cut = false
    query.iterate(runtime, () => {
      const value: Value = query.whole ? null : query.project(runtime)
      if (value === undefined) return true
      passed++
      if (passed <= within) return true
      if (texts.length >= most) {
        cut = true
        return false
      }
      found++
      if (found > skip && found <= end) {
        const text = query.whole ? item.body : JSON.stringify(value)
        texts.push(text)
        bytes += text.length
      }
      return found < end
    })
    if (cut) {
      within = passed - 1
      more = true
      return false
    }
    within = 0
    return true
  })
  return { texts, continuation: more ? { pending: scan.pending, given: found, within } : undefined }
}

/** All rows first, for an order, groups, aggregates or DISTINCT; then the page asked for. */
function computed(
  exchange: Exchange,
  query: CompiledQuery,
  runtime: Runtime,
  scan: Scan,
  continuation: Continuation,
): Page {
  if (continuation.cut === true) {
    throw badRequest('The continuation token is of a range that has since been split: start the query again.')
  }
  const stretches = continuation.pending.map((one) => ({ ...one }))
  const rows = runRows(query, runtime, (row) => {
    scan.run((item) => {
      bindDocument(query, runtime, item)
      return query.iterate(runtime, row)
    })
  })
  const texts: string[] = []
  let bytes = 0
  let at = continuation.given
  for (
    const most = pageSize(exchange);
    at < rows.length && texts.length < most && bytes < MAX_PAGE_BYTES;
    at++
  ) {
    const text = JSON.stringify(rows[at])
    texts.push(text)
    bytes += text.length
  }
  return { texts, continuation: at < rows.length ? { pending: stretches, given: at, within: 0 } : undefined }
}

function bindDocument(query: CompiledQuery, runtime: Runtime, item: ScannedItem): void {
  // `SELECT * FROM c` needs no look inside.
  runtime.slots[query.root] =
    query.whole && query.ast.where === undefined ? null : (JSON.parse(item.body) as JsonObject)
}

function queryReply(exchange: Exchange, container: Container, scan: Scan, page: Page, target: Target): Reply {
  const returned = page.texts.reduce((sum, text) => sum + text.length, 0)
  const range = [...scan.positions.keys()][0]
  const headers: Record<string, string | number> = {
    [CHARGE]: queryCharge(scan.documents, scan.bytes, returned),
    [SESSION_TOKEN]: scan.sessionToken(),
    'x-ms-item-count': page.texts.length,
    'x-ms-content-path': container.rid,
    'x-ms-alt-content-path': `dbs/${container.database.id}/colls/${container.id}`,
  }
  if (range !== undefined && target.chosen) headers[RANGE_ID] = range.id
  if (page.continuation !== undefined) headers[CONTINUATION] = formatContinuation(page.continuation)
  if (exchange.flag('x-ms-documentdb-populatequerymetrics'))
    headers['x-ms-documentdb-query-metrics'] = metrics(scan, page, returned)
  return { status: 200, headers, body: documentsBody(container.rid, page.texts) }
}

export function documentsBody(rid: string, texts: readonly string[]): string {
  return `{"_rid":"${rid}","Documents":[${texts.join(',')}],"_count":${texts.length}}`
}

function metrics(scan: Scan, page: Page, returned: number): string {
  return [
    'totalExecutionTimeInMs=0.00',
    `retrievedDocumentCount=${scan.documents}`,
    `retrievedDocumentSize=${scan.bytes}`,
    `outputDocumentCount=${page.texts.length}`,
    `outputDocumentSize=${returned}`,
    'indexUtilizationRatio=1.00',
  ].join(';')
}

/** GET without a change-feed header: every item, a page at a time. */
export function readFeed(exchange: Exchange): Reply {
  const container = findContainer(exchange)
  const target = targetOf(exchange, container)
  const continuation = parseContinuation(exchange.header(CONTINUATION), target)
  const scan = new Scan(exchange, container, target, continuation)
  const most = pageSize(exchange)
  const texts: string[] = []
  let bytes = 0
  let more = false
  scan.run((item) => {
    if (texts.length >= most || bytes >= MAX_PAGE_BYTES) {
      more = true
      return false
    }
    texts.push(item.body)
    bytes += item.body.length
    return true
  })
  const reply = queryReply(
    exchange,
    container,
    scan,
    { texts, continuation: more ? { pending: scan.pending, given: 0, within: 0 } : undefined },
    target,
  )
  return { ...reply, headers: { ...reply.headers, [CHARGE]: feedCharge(bytes) } }
}

/** A query over databases, containers or offers: all of them are in memory. */
export function queryResources(exchange: Exchange, resources: readonly JsonObject[]): Value[] {
  return orBadRequest(() => {
    const request = queryRequest(exchange)
    const query = compileQuery(request.text)
    const runtime = newRuntime(query, request.parameters, exchange.account.nowMs())
    return runRows(query, runtime, (row) => {
      for (const resource of resources) {
        runtime.slots[query.root] = resource as Json
        if (!query.iterate(runtime, row)) return
      }
    })
  })
}
