import { MISS_CHARGE, readCharge } from '../engine/charges.ts'
import {
  createItem,
  deleteItem,
  documentOf,
  MAX_DOCUMENT_BYTES,
  patchItem,
  replaceItem,
  upsertItem,
  type Conditions,
  type WriteContext,
  type WriteResult,
} from '../engine/documents.ts'
import { parsePatch } from '../engine/patch.ts'
import { badRequest, notFound, ProtocolError } from '../errors.ts'
import { parseJson, type Json } from '../json.ts'
import { keyOfHeader, keyOfItem, type PartitionKey } from '../partition/key.ts'
import {
  CHARGE,
  CONSISTENCY,
  PARTITION_KEY,
  RANGE_ID,
  SESSION_TOKEN,
  type Exchange,
  type Reply,
} from '../protocol/exchange.ts'
import type { Container, PkRange } from '../store/catalog.ts'
import { findContainer } from './containers.ts'

export function conditionsOf(exchange: Exchange): Conditions {
  return { ifMatch: exchange.header('if-match'), ifNoneMatch: exchange.header('if-none-match') }
}

const JSON_MEDIA = 'application/json'

/** The body as JSON. @throws {ProtocolError} 413 above 2 MB, 400 for anything else than JSON */
export function jsonBody(exchange: Exchange): Json {
  if (exchange.body.length > MAX_DOCUMENT_BYTES + 4096)
    throw new ProtocolError(413, 'Request size is too large')
  const media = exchange.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? JSON_MEDIA
  if (!media.startsWith('application/')) {
    throw new ProtocolError(415, `The media type '${media}' is not supported: send ${JSON_MEDIA}.`)
  }
  const value = parseJson(exchange.body.toString('utf8'))
  if (value === undefined) {
    throw badRequest('The request payload is invalid. Ensure to provide a valid request payload.')
  }
  return value
}

function wantedKey(exchange: Exchange, container: Container): PartitionKey {
  const key = keyOfHeader(exchange.header(PARTITION_KEY))
  if (key === undefined || key.length < container.key.paths.length) {
    throw badRequest(
      'The partition key supplied in x-ms-partitionkey header has fewer components than defined in the the collection.',
      1001,
    )
  }
  if (key.length > container.key.paths.length) {
    throw badRequest(
      'The partition key supplied in x-ms-partitionkey header has more components than defined in the the collection.',
      1001,
    )
  }
  return key
}

/** What every answer about the items of one range carries. */
export function rangeHeaders(
  exchange: Exchange,
  container: Container,
  range: PkRange,
  lsn: number,
): Record<string, string | number> {
  return {
    [SESSION_TOKEN]: exchange.account.sessionToken(range, lsn),
    [RANGE_ID]: range.id,
    lsn,
    'x-ms-content-path': container.rid,
    'x-ms-alt-content-path': `dbs/${container.database.id}/colls/${container.id}`,
    'x-ms-global-committed-lsn': lsn,
    'x-ms-number-of-read-regions': exchange.account.replication.regions.length - 1,
  }
}

/** Writes at the write region only; elsewhere Cosmos says 403/3 and SDKs look for the write region anew. */
export function requireWriteRegion(exchange: Exchange): void {
  if (exchange.region !== exchange.account.replication.writeRegion) {
    throw new ProtocolError(403, 'The requested operation cannot be performed at this region', {
      substatus: 3,
    })
  }
}

function written(
  exchange: Exchange,
  container: Container,
  key: PartitionKey,
  work: (context: WriteContext) => WriteResult,
): Reply {
  requireWriteRegion(exchange)
  const { account } = exchange
  const epk = account.epkOf(container, key)
  const range = account.rangeOf(container, epk)
  const ts = account.nowS()
  const result = account.write(container, range, (lsn) =>
    work({ account, container, range, key, epk, lsn, ts, index: 0 }),
  )
  const minimal = exchange.header('prefer')?.toLowerCase() === 'return=minimal'
  const wait = account.options.consistency === 'Strong' ? account.replication.msUntilEverywhere(range) : 0
  return {
    status: result.status,
    headers: {
      ...rangeHeaders(exchange, container, range, range.lsn),
      [CHARGE]: result.charge,
      ...(result.etag === undefined ? {} : { etag: result.etag }),
    },
    body: minimal ? undefined : result.body,
    waitMs: Number.isFinite(wait) ? wait : 0,
  }
}

/** POST: create, or upsert when the header says so. */
export function postItem(exchange: Exchange): Reply {
  const container = findContainer(exchange)
  const item = documentOf(jsonBody(exchange))
  const upsert = exchange.flag('x-ms-documentdb-is-upsert')
  // A client that names no key writes where the item's own key says; Azure's gateway takes it from the body too.
  const key =
    exchange.header(PARTITION_KEY) === undefined
      ? keyOfItem(item, container.key)
      : wantedKey(exchange, container)
  return written(exchange, container, key, (context) =>
    upsert ? upsertItem(context, item, conditionsOf(exchange)) : createItem(context, item),
  )
}

const idOf = (exchange: Exchange): string => exchange.segments[5] ?? ''

export function putItem(exchange: Exchange): Reply {
  const container = findContainer(exchange)
  const item = documentOf(jsonBody(exchange))
  const key = wantedKey(exchange, container)
  return written(exchange, container, key, (context) =>
    replaceItem(context, itemId(exchange, container, key), item, conditionsOf(exchange)),
  )
}

export function patchOneItem(exchange: Exchange): Reply {
  const container = findContainer(exchange)
  const request = parsePatch(jsonBody(exchange))
  const key = wantedKey(exchange, container)
  return written(exchange, container, key, (context) =>
    patchItem(context, itemId(exchange, container, key), request, conditionsOf(exchange)),
  )
}

export function removeItem(exchange: Exchange): Reply {
  const container = findContainer(exchange)
  const key = wantedKey(exchange, container)
  return written(exchange, container, key, (context) =>
    deleteItem(context, itemId(exchange, container, key), conditionsOf(exchange)),
  )
}

const RID = /^[A-Za-z0-9+-]{22}==$/

/** The id in the address, or that of the item whose rid stands there. */
function itemId(exchange: Exchange, container: Container, key: PartitionKey): string {
  const name = idOf(exchange)
  const { account } = exchange
  if (!RID.test(name)) return name
  const epk = account.epkOf(container, key)
  if (account.items.get(container, epk, name) !== undefined) return name
  const document = Buffer.from(name.replaceAll('-', '/'), 'base64').readUInt32LE(8)
  const found = account.items
    .prepared('SELECT id FROM items WHERE container = ? AND epk = ? AND key % 4294967296 = ?')
    .get(container.num, epk, document)
  return found === undefined ? name : String(found['id'])
}

export function readItem(exchange: Exchange): Reply {
  const { account, region } = exchange
  const container = findContainer(exchange)
  const key = wantedKey(exchange, container)
  const level = account.consistencyOf(exchange.header(CONSISTENCY))
  const epk = account.epkOf(container, key)
  const range = account.rangeOf(container, epk)
  const asOf = account.readPosition(region, range, exchange.header(SESSION_TOKEN), level)
  const id = itemId(exchange, container, key)
  const found =
    asOf === undefined
      ? account.items.read(container, epk, id)
      : account.items.getAsOf(container, epk, id, asOf)
  const headers = rangeHeaders(exchange, container, range, asOf ?? range.lsn)
  if (found === undefined || (found.expires !== null && found.expires <= account.nowS())) {
    const missing = notFound()
    throw new ProtocolError(404, missing.message, {
      headers: stringly({ ...headers, [CHARGE]: MISS_CHARGE }),
    })
  }
  const etag = found.etag === '' ? etagIn(found.body) : found.etag
  const charge = readCharge(found.body.length, level === 'Strong')
  const answer = { ...headers, [CHARGE]: charge, etag, 'x-ms-item-lsn': found.lsn }
  if (exchange.header('if-none-match') === etag) return { status: 304, headers: answer }
  return { status: 200, headers: answer, body: found.body }
}

function stringly(headers: Record<string, string | number>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}

function etagIn(body: string): string {
  const item = parseJson(body)
  return typeof item === 'object' && item !== null && !Array.isArray(item) ? String(item['_etag']) : ''
}
