import { readCharge, round } from '../engine/charges.ts'
import {
  createItem,
  deleteItem,
  documentOf,
  patchItem,
  replaceItem,
  upsertItem,
  type Conditions,
  type WriteContext,
  type WriteResult,
} from '../engine/documents.ts'
import { parsePatch } from '../engine/patch.ts'
import { badRequest, notFound, ProtocolError, rangeGone } from '../errors.ts'
import { isObject, type Json, type JsonObject } from '../json.ts'
import { keyOfHeader, type PartitionKey } from '../partition/key.ts'
import { CHARGE, PARTITION_KEY, RANGE_ID, type Exchange, type Reply } from '../protocol/exchange.ts'
import type { Container, PkRange } from '../store/catalog.ts'
import { findContainer } from './containers.ts'
import { jsonBody, rangeHeaders, requireWriteRegion } from './items.ts'

const MAX_OPERATIONS = 100

export function isBatch(exchange: Exchange): boolean {
  return exchange.flag('x-ms-cosmos-is-batch-request')
}

interface Step {
  readonly type: string
  readonly id: string
  readonly body: Json | undefined
  readonly conditions: Conditions
  readonly key: PartitionKey | undefined
}

interface StepResult {
  readonly statusCode: number
  readonly requestCharge: number
  readonly subStatusCode?: number
  readonly eTag?: string | undefined
  readonly resourceBody?: Json
  readonly retryAfterMilliseconds?: number
}

function stepsOf(body: Json): Step[] {
  if (!Array.isArray(body) || body.length === 0) throw badRequest('The batch request has no operations.')
  if (body.length > MAX_OPERATIONS)
    throw badRequest(`Batch request has more operations than what is supported: ${MAX_OPERATIONS}.`)
  return body.map((one): Step => {
    if (!isObject(one) || typeof one['operationType'] !== 'string')
      throw badRequest('The batch request is malformed.')
    const text = (name: string): string | undefined => {
      const value = one[name]
      return typeof value === 'string' ? value : undefined
    }
    const key = one['partitionKey']
    return {
      type: one['operationType'].toLowerCase(),
      id: text('id') ?? '',
      body: one['resourceBody'],
      conditions: { ifMatch: text('ifMatch'), ifNoneMatch: text('ifNoneMatch') },
      key: keyOfHeader(typeof key === 'string' ? key : key === undefined ? undefined : JSON.stringify(key)),
    }
  })
}

export function runBatch(exchange: Exchange): Reply {
  requireWriteRegion(exchange)
  const container = findContainer(exchange)
  const steps = stepsOf(jsonBody(exchange))
  return exchange.flag('x-ms-cosmos-batch-atomic')
    ? transactional(exchange, container, steps)
    : bulk(exchange, container, steps)
}

function perform(context: WriteContext, step: Step): WriteResult {
  switch (step.type) {
    case 'create':
      return createItem(context, documentOf(step.body))
    case 'upsert':
      return upsertItem(context, documentOf(step.body), step.conditions)
    case 'replace':
      return replaceItem(context, step.id, documentOf(step.body), step.conditions)
    case 'patch':
      return patchItem(context, step.id, parsePatch(step.body), step.conditions)
    case 'delete':
      return deleteItem(context, step.id, step.conditions)
    case 'read': {
      const { account, container, epk } = context
      const found = account.items.get(container, epk, step.id)
      if (found === undefined || (found.expires !== null && found.expires <= context.ts)) throw notFound()
      const charge = readCharge(found.body.length)
      if (step.conditions.ifNoneMatch === found.etag)
        return { status: 304, etag: found.etag, body: undefined, charge }
      return { status: 200, etag: found.etag, body: found.body, charge }
    }
    default:
      throw badRequest(`The batch operation '${step.type}' is not known.`)
  }
}

function succeeded(exchange: Exchange, step: Step, result: WriteResult): StepResult {
  const minimal = exchange.header('prefer')?.toLowerCase() === 'return=minimal' && step.type !== 'read'
  return {
    statusCode: result.status,
    requestCharge: result.charge,
    ...(result.etag === undefined ? {} : { eTag: result.etag }),
    ...(result.body === undefined || minimal ? {} : { resourceBody: JSON.parse(result.body) as JsonObject }),
  }
}

const failed = (error: ProtocolError): StepResult => ({
  statusCode: error.status,
  subStatusCode: error.substatus,
  requestCharge: 1.24,
})

/** Thrown to undo a transaction; carries what went wrong. */
class Aborted extends Error {
  readonly at: number
  readonly reason: ProtocolError
  constructor(at: number, reason: ProtocolError) {
    super(reason.message)
    this.at = at
    this.reason = reason
  }
}

/** All operations or none: when one fails the others answer 424 and the whole 207. */
function transactional(exchange: Exchange, container: Container, steps: readonly Step[]): Reply {
  const { account } = exchange
  const key = keyOfHeader(exchange.header(PARTITION_KEY))
  if (key === undefined || key.length < container.key.paths.length) {
    throw badRequest('PartitionKey value must be supplied for this operation.', 1001)
  }
  const epk = account.epkOf(container, key)
  const range = account.rangeOf(container, epk)
  const ts = account.nowS()
  try {
    const results = account.write(container, range, (lsn) =>
      steps.map((step, index) => {
        try {
          return succeeded(
            exchange,
            step,
            perform({ account, container, range, key, epk, lsn, ts, index }, step),
          )
        } catch (error) {
          if (error instanceof ProtocolError) throw new Aborted(index, error)
          throw error
        }
      }),
    )
    return batchReply(exchange, container, range, 200, results)
  } catch (error) {
    if (!(error instanceof Aborted)) throw error
    const results = steps.map((_, i): StepResult =>
      i === error.at ? failed(error.reason) : { statusCode: 424, subStatusCode: 0, requestCharge: 0 },
    )
    return batchReply(exchange, container, range, 207, results)
  }
}

/** Each operation by itself; one transaction of the store, one LSN for each operation. */
function bulk(exchange: Exchange, container: Container, steps: readonly Step[]): Reply {
  const { account } = exchange
  const named = exchange.header(RANGE_ID)?.split(',').at(-1)
  const chosen = container.ranges.find((range) => range.id === named)
  if (named !== undefined && chosen === undefined) throw rangeGone()
  const goesOn = exchange.flag('x-ms-cosmos-batch-continue-on-error')
  const shared = keyOfHeader(exchange.header(PARTITION_KEY))
  const ts = account.nowS()
  let stopped = false
  let last = chosen
  const sent: PkRange[] = []
  const before = container.ranges.map((range) => ({ range, lsn: range.lsn }))
  let results: StepResult[]
  try {
    results = account.items.transaction(() =>
      steps.map((step): StepResult => {
        if (stopped) return { statusCode: 424, subStatusCode: 0, requestCharge: 0 }
        try {
          const key = step.key ?? shared
          if (key === undefined)
            throw badRequest('PartitionKey value must be supplied for this operation.', 1001)
          const epk = account.epkOf(container, key)
          const range = account.rangeOf(container, epk)
          if (chosen !== undefined && range !== chosen) throw rangeGone()
          last = range
          const savepoint = account.items.savepoint()
          try {
            const lsn = range.lsn + 1
            const result = perform({ account, container, range, key, epk, lsn, ts, index: 0 }, step)
            if (step.type !== 'read') {
              range.lsn = lsn
              account.items.advance(container, range)
              sent.push(range)
            }
            savepoint.release()
            return succeeded(exchange, step, result)
          } catch (error) {
            savepoint.rollback()
            throw error
          }
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error
          if (!goesOn) stopped = true
          return failed(error)
        }
      }),
    )
  } catch (error) {
    for (const { range, lsn } of before) range.lsn = lsn
    throw error
  }
  for (const range of new Set(sent)) {
    const start = before.find((one) => one.range === range)?.lsn ?? range.lsn
    for (let lsn = start + 1; lsn <= range.lsn; lsn++) account.replication.send(range, lsn)
  }
  const range = last ?? container.ranges[0]
  if (range === undefined) throw rangeGone()
  const status = results.every((result) => result.statusCode < 400) ? 200 : 207
  return batchReply(exchange, container, range, status, results)
}

function batchReply(
  exchange: Exchange,
  container: Container,
  range: PkRange,
  status: number,
  results: readonly StepResult[],
): Reply {
  const { account } = exchange
  const charge = round(results.reduce((sum, result) => sum + result.requestCharge, 0))
  const wait = account.options.consistency === 'Strong' ? account.replication.msUntilEverywhere(range) : 0
  return {
    status,
    headers: {
      ...rangeHeaders(exchange, container, range, range.lsn),
      [CHARGE]: charge,
      'x-ms-item-count': results.length,
    },
    body: JSON.stringify(results),
    waitMs: Number.isFinite(wait) ? wait : 0,
  }
}
