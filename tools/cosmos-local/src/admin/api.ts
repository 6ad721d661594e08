import type { Account } from '../engine/account.ts'
import { queryCharge } from '../engine/charges.ts'
import type { Region } from '../engine/replication.ts'
import { mergeRanges, splitRange } from '../engine/topology.ts'
import { notFound } from '../errors.ts'
import { isObject, type Json, type JsonObject } from '../json.ts'
import { MAX_EPK, MIN_EPK } from '../partition/epk.ts'
import { CHARGE } from '../protocol/exchange.ts'
import { readChangeFeed } from '../resources/change-feed.ts'
import { containerBody, findContainer } from '../resources/containers.ts'
import { orBadRequest, queryRequest } from '../resources/query-request.ts'
import { Scan } from '../resources/scan.ts'
import { compileQuery, newRuntime, runRows } from '../sql/compile.ts'
import type { Container } from '../store/catalog.ts'
import type { Faults } from './faults.ts'
import { localExchange } from './local-exchange.ts'
import type { Meter } from './meter.ts'

/** What the admin server works on. */
export interface Admin {
  readonly account: Account
  readonly faults: Faults
  readonly meter: Meter
}

const MOST_ROWS = 500

/** Answers `/api/…`; undefined for addresses that are not known. */
export function adminApi(
  admin: Admin,
  method: string,
  path: readonly string[],
  query: URLSearchParams,
  body: Json,
): unknown {
  const [first, second, third, fourth] = path
  const given = isObject(body) ? body : {}
  switch (`${method} ${first ?? ''}`) {
    case 'GET account':
      return accountReport(admin.account)
    case 'GET meter':
      return [...admin.account.catalog.containersByRid.values()].map((one) =>
        admin.meter.report(admin.account, one),
      )
    case 'DELETE meter':
      admin.meter.reset()
      return {}
    case 'GET faults':
      return [...admin.faults.rules.values()]
    case 'POST faults':
      return admin.faults.add(given)
    case 'DELETE faults':
      if (second === undefined) admin.faults.rules.clear()
      else admin.faults.rules.delete(second)
      return {}
    case 'POST regions':
      return changeRegion(admin.account, regionNamed(admin.account, second ?? ''), given)
    case 'POST failover':
      admin.account.failOver(regionNamed(admin.account, String(given['region'] ?? '')))
      return accountReport(admin.account)
    case 'POST containers':
      if (fourth === 'split') return split(admin.account, containerNamed(admin.account, second, third), given)
      if (fourth === 'merge') return merge(admin.account, containerNamed(admin.account, second, third), given)
      if (fourth === 'query')
        return runQuery(admin.account, ['dbs', second ?? '', 'colls', third ?? '', 'docs'], body)
      return undefined
    case 'GET containers':
      if (fourth === 'changes')
        return changes(admin.account, ['dbs', second ?? '', 'colls', third ?? '', 'docs'], query)
      return undefined
    default:
      return undefined
  }
}

function containerNamed(
  account: Account,
  database: string | undefined,
  container: string | undefined,
): Container {
  const segments = ['dbs', database ?? '', 'colls', container ?? '']
  return findContainer(localExchange(account, account.replication.writeRegion, segments, {}))
}

function regionNamed(account: Account, name: string): Region {
  const region = account.replication.regions.find((one) => one.name === name)
  if (region === undefined) throw notFound()
  return region
}

function accountReport(account: Account): unknown {
  const { regions, writeRegion, version } = account.replication
  return {
    consistency: account.options.consistency,
    topologyVersion: version,
    regions: regions.map((region) => ({
      name: region.name,
      port: region.port,
      writes: region === writeRegion,
      paused: region.paused,
      down: region.down,
      lag: region.lag,
    })),
    databases: [...account.catalog.databases.values()].map((database) => ({
      id: database.id,
      containers: [...database.containers.values()].map((container) => ({
        ...containerBody(container),
        ranges: container.ranges.map((range) => ({ ...range, ...account.items.count(range) })),
      })),
    })),
  }
}

function changeRegion(account: Account, region: Region, given: JsonObject): unknown {
  const lag = given['lag']
  if (isObject(lag)) {
    const minMs = Number(lag['minMs'] ?? 0)
    region.lag = { minMs, maxMs: Math.max(minMs, Number(lag['maxMs'] ?? minMs)) }
  }
  if (typeof given['paused'] === 'boolean') region.paused = given['paused']
  if (typeof given['down'] === 'boolean') region.down = given['down']
  return accountReport(account)
}

/** The range named, or the first. */
function split(account: Account, container: Container, given: JsonObject): unknown {
  const named = given['range']
  const range = container.ranges.find((one) => named === undefined || one.id === String(named))
  if (range === undefined) throw notFound()
  return splitRange(account, container, range)
}

/** The range named and the one after it, or the first two. */
function merge(account: Account, container: Container, given: JsonObject): unknown {
  const named = given['range']
  const at = named === undefined ? 0 : container.ranges.findIndex((one) => one.id === String(named))
  const [left, right] = [container.ranges[at], container.ranges[at + 1]]
  if (left === undefined || right === undefined) throw notFound()
  return mergeRanges(account, container, left, right)
}

/** A query over the whole container: here one process has every range, so no SDK needs to merge. */
function runQuery(account: Account, segments: readonly string[], body: Json): unknown {
  const exchange = localExchange(account, account.replication.writeRegion, segments, {}, JSON.stringify(body))
  const container = findContainer(exchange)
  const request = queryRequest(exchange)
  return orBadRequest(() => {
    const query = compileQuery(request.text)
    const runtime = newRuntime(query, request.parameters, account.nowMs())
    const target = { min: MIN_EPK, max: MAX_EPK, epk: undefined, key: undefined, chosen: true }
    const pending = [{ min: MIN_EPK, max: MAX_EPK, document: -1 }]
    const scan = new Scan(exchange, container, target, { pending, given: 0, within: 0 })
    const rows = runRows(query, runtime, (row) => {
      scan.run((item) => {
        runtime.slots[query.root] = JSON.parse(item.body) as JsonObject
        return query.iterate(runtime, row)
      })
    })
    const shown = rows.slice(0, MOST_ROWS)
    const charge = queryCharge(scan.documents, scan.bytes, JSON.stringify(shown).length)
    return { rows: shown, total: rows.length, charge, documents: scan.documents }
  })
}

function changes(account: Account, segments: readonly string[], query: URLSearchParams): unknown {
  const headers: Record<string, string> = { 'a-im': 'Incremental Feed', 'x-ms-max-item-count': '50' }
  headers['if-none-match'] = query.get('after') ?? '*'
  const reply = readChangeFeed(localExchange(account, account.replication.writeRegion, segments, headers))
  const body = JSON.parse(reply.body ?? '{"Documents":[]}') as JsonObject
  return {
    after: reply.headers?.['etag'] ?? '',
    charge: reply.headers?.[CHARGE] ?? 0,
    items: body['Documents'] ?? [],
  }
}
