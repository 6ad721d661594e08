import { feedCharge } from '../engine/charges.ts'
import { badRequest, ProtocolError } from '../errors.ts'
import { parseJson, type Json } from '../json.ts'
import {
  CHARGE,
  CONSISTENCY,
  pageSize,
  SESSION_TOKEN,
  type Exchange,
  type Reply,
} from '../protocol/exchange.ts'
import type { Container, PkRange } from '../store/catalog.ts'
import { CREATED, EXPIRED, REPLACED, type LoggedOperation, type Scope } from '../store/items.ts'
import { findContainer } from './containers.ts'
import { rangeHeaders } from './items.ts'
import { documentsBody } from './query.ts'
import { overlapping, targetOf, type Target } from './ranges.ts'

const LATEST = 'incremental feed'
const ALL_VERSIONS = 'full-fidelity feed'

export function isChangeFeed(exchange: Exchange): boolean {
  const asked = exchange.header('a-im')?.toLowerCase()
  return asked === LATEST || asked === ALL_VERSIONS
}

interface Page {
  readonly texts: string[]
  /** The next page starts after this LSN. */
  readonly lsn: number
}

export function readChangeFeed(exchange: Exchange): Reply {
  const container = findContainer(exchange)
  const target = targetOf(exchange, container)
  const ranges = overlapping(container, target.min, target.max)
  const [range] = ranges
  if (range === undefined) throw badRequest('The feed range is empty.')
  const places = placesOf(exchange, ranges)
  // Several ranges are read one after another: the first that has something answers.
  for (const one of ranges) {
    const from = places.get(one)
    const { position, page } = readRange(exchange, container, target, one, from)
    places.set(one, page.lsn)
    if (page.texts.length === 0 && one !== ranges.at(-1)) continue
    const bytes = page.texts.reduce((sum, text) => sum + text.length, 0)
    const headers = {
      ...rangeHeaders(exchange, container, one, position),
      [CHARGE]: feedCharge(bytes),
      etag: formatPlaces(ranges, places),
      'x-ms-item-count': page.texts.length,
    }
    if (page.texts.length === 0) return { status: 304, headers }
    return { status: 200, headers, body: documentsBody(container.rid, page.texts) }
  }
  throw new ProtocolError(500, 'No range answered.')
}

/**
 * Where the reader is: `"12"`, an LSN in quotes, for one range; for several, each range's keys with its LSN. `*`
 * starts at what is newest.
 */
function placesOf(exchange: Exchange, ranges: readonly PkRange[]): Map<PkRange, number | 'now' | undefined> {
  const etag = exchange.header('if-none-match') ?? exchange.header('x-ms-continuation')
  const places = new Map<PkRange, number | 'now' | undefined>()
  if (etag === undefined || etag === '') return places
  if (etag === '*') {
    for (const range of ranges) places.set(range, 'now')
    return places
  }
  const text = etag.replace(/^W\//, '').replace(/^"|"$/g, '')
  if (/^-?\d+$/.test(text)) {
    for (const range of ranges) places.set(range, Number(text))
    return places
  }
  const value: Json | undefined = parseJson(Buffer.from(text, 'base64url').toString('utf8'))
  if (!Array.isArray(value)) throw badRequest(`The continuation '${etag}' of the change feed is malformed.`)
  for (const range of ranges) {
    for (const one of value) {
      if (!Array.isArray(one) || !(String(one[0]) < range.max && range.min < String(one[1]))) continue
      // After a merge, the place of the parent that is further back: some changes come twice, none is missed.
      const known = places.get(range)
      const lsn = Number(one[2])
      places.set(range, typeof known === 'number' ? Math.min(known, lsn) : lsn)
    }
  }
  return places
}

function formatPlaces(
  ranges: readonly PkRange[],
  places: ReadonlyMap<PkRange, number | 'now' | undefined>,
): string {
  const [only] = ranges
  if (ranges.length === 1 && only !== undefined) return `"${String(places.get(only) ?? 0)}"`
  const all = ranges.map((range) => [range.min, range.max, places.get(range) ?? 0])
  return `"${Buffer.from(JSON.stringify(all)).toString('base64url')}"`
}

function readRange(
  exchange: Exchange,
  container: Container,
  target: Target,
  range: PkRange,
  from: number | 'now' | undefined,
): { position: number; page: Page } {
  const { account, region } = exchange
  const level = account.consistencyOf(exchange.header(CONSISTENCY))
  const asOf = account.readPosition(region, range, exchange.header(SESSION_TOKEN), level)
  const position = asOf ?? range.lsn
  if (from === 'now') return { position, page: { texts: [], lsn: position } }
  const scope: Scope = {
    container,
    range,
    epk: target.epk,
    minEpk: target.min > range.min ? target.min : undefined,
    maxEpk: target.max < range.max ? target.max : undefined,
  }
  const allVersions = exchange.header('a-im')?.toLowerCase() === ALL_VERSIONS
  const page = allVersions
    ? versions(exchange, scope, from ?? position, position)
    : latest(exchange, scope, from ?? 0, position, startTime(exchange), asOf)
  return { position, page }
}

/** If-Modified-Since in seconds; 0 without one. */
function startTime(exchange: Exchange): number {
  const text = exchange.header('if-modified-since')
  if (text === undefined) return 0
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw badRequest(`If-Modified-Since '${text}' is not a date.`)
  return Math.ceil(ms / 1000)
}

/** Latest version of every item changed, in the order of the changes. */
function latest(
  exchange: Exchange,
  scope: Scope,
  from: number,
  position: number,
  since: number,
  asOf: number | undefined,
): Page {
  const { items } = exchange.account
  const limit = pageSize(exchange)
  const now = exchange.account.nowS()
  const rows =
    asOf === undefined
      ? items.changes(scope, now, from, position, since, limit)
      : items.changesAsOf(scope, from, position, since, limit)
  const last = rows.at(-1)
  const lsn = rows.length < limit || last === undefined ? Math.max(from, position) : last.lsn
  return { texts: rows.map((row) => `${row.body.slice(0, -1)},"_lsn":${row.lsn}}`), lsn }
}

const OPERATIONS: Readonly<Record<number, string>> = { [CREATED]: 'create', [REPLACED]: 'replace' }

/** Every version and every delete, each with what happened. */
function versions(exchange: Exchange, scope: Scope, from: number, position: number): Page {
  const { items } = exchange.account
  const limit = pageSize(exchange)
  const rows = items.operations(scope, from, position, limit)
  const last = rows.at(-1)
  const lsn = rows.length < limit || last === undefined ? Math.max(from, position) : last.lsn
  return { texts: rows.map((row) => operationText(scope, row)), lsn }
}

function operationText(scope: Scope, row: LoggedOperation): string {
  const metadata: Record<string, Json> = {
    operationType: OPERATIONS[row.op] ?? 'delete',
    lsn: row.lsn,
    crts: row.ts,
    previousImageLSN: row.previous,
  }
  if (row.op === CREATED || row.op === REPLACED) {
    return `{"current":${row.body},"metadata":${JSON.stringify(metadata)}}`
  }
  if (row.op === EXPIRED) metadata['timeToLiveExpired'] = true
  metadata['id'] = row.id
  metadata['partitionKey'] = Object.fromEntries(
    scope.container.key.paths.map((path, i) => [path.slice(1), (JSON.parse(row.pk) as Json[])[i] ?? null]),
  )
  return `{"current":{},"previous":${row.body},"metadata":${JSON.stringify(metadata)}}`
}
