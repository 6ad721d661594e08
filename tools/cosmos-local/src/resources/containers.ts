import { METADATA_CHARGE } from '../engine/charges.ts'
import { checkId } from '../engine/documents.ts'
import { badRequest, conflict, notFound, preconditionFailed } from '../errors.ts'
import { isObject, type Json, type JsonObject } from '../json.ts'
import { evenRanges } from '../partition/epk.ts'
import { CHARGE, type Exchange, type Reply } from '../protocol/exchange.ts'
import type { Container } from '../store/catalog.ts'
import { bodyObject, findDatabase } from './databases.ts'
import { newEtag } from './etag.ts'
import { keepOffer, MIN_THROUGHPUT, offerFromHeaders, throughputOf } from './offers.ts'

/** One physical partition serves at most this many RU per second. */
const RU_PER_PARTITION = 10_000
const MAX_KEY_LEVELS = 3

/** What a container gets that asks for nothing and shares nothing. */
const DEFAULT_OFFER: JsonObject = {
  offerThroughput: MIN_THROUGHPUT,
  offerIsRUPerMinuteThroughputEnabled: false,
}

const DEFAULT_INDEXING: JsonObject = {
  indexingMode: 'consistent',
  automatic: true,
  includedPaths: [{ path: '/*' }],
  excludedPaths: [{ path: '/"_etag"/?' }],
}

/** A container by names or by rids. */
export function findContainer(exchange: Exchange): Container {
  const database = findDatabase(exchange)
  const name = exchange.segments[3] ?? ''
  const found = database.containers.get(name)
  if (found !== undefined) return found
  const byRid = exchange.account.catalog.containersByRid.get(name)
  if (byRid === undefined || byRid.database !== database) throw notFound()
  return byRid
}

export function containerBody(container: Container): JsonObject {
  return {
    ...container.definition,
    _rid: container.rid,
    _ts: container.ts,
    _self: `dbs/${container.database.rid}/colls/${container.rid}/`,
    _etag: container.etag,
    _docs: 'docs/',
    _sprocs: 'sprocs/',
    _triggers: 'triggers/',
    _udfs: 'udfs/',
    _conflicts: 'conflicts/',
  }
}

function containerReply(exchange: Exchange, container: Container, status: number): Reply {
  const { account } = exchange
  const headers: Record<string, string | number> = {
    etag: container.etag,
    [CHARGE]: METADATA_CHARGE,
    'x-ms-alt-content-path': `dbs/${container.database.id}`,
    'x-ms-content-path': container.database.rid,
    'x-ms-documentdb-collection-index-transformation-progress': 100,
  }
  if (exchange.flag('x-ms-documentdb-populatequotainfo')) {
    let items = 0
    let bytes = 0
    for (const range of container.ranges) {
      const counted = account.items.count(range)
      items += counted.items
      bytes += counted.bytes
    }
    const kb = Math.ceil(bytes / 1024)
    headers['x-ms-resource-usage'] =
      `functions=0;storedProcedures=0;triggers=0;documentSize=${kb};documentsSize=${kb};documentsCount=${items};collectionSize=${kb};`
    headers['x-ms-resource-quota'] =
      'functions=25;storedProcedures=100;triggers=25;documentSize=10240;documentsSize=-1;documentsCount=-1;collectionSize=-1;'
  }
  return { status, headers, body: JSON.stringify(containerBody(container)) }
}

function strings(value: Json | undefined): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

/** The definition that is kept: what was asked for, checked, with Azure's defaults. */
function definitionOf(body: JsonObject): JsonObject {
  const id: Json = body['id'] ?? ''
  checkId(id)
  const key = body['partitionKey']
  const paths = isObject(key) ? key['paths'] : undefined
  if (!isObject(key) || !strings(paths) || paths.length === 0) {
    throw badRequest('The partition key definition is missing or has no paths.')
  }
  if (paths.length > MAX_KEY_LEVELS || (paths.length > 1 && key['kind'] !== 'MultiHash')) {
    throw badRequest(
      `The partition key definition is invalid: one path, or up to ${MAX_KEY_LEVELS} of kind MultiHash.`,
    )
  }
  if (paths.some((path) => !path.startsWith('/') || path === '/')) {
    throw badRequest(
      `The partition key component definition path '${paths.join(', ')}' could not be accepted, failed near position '0'. Partition key paths must contain only valid characters and not contain a trailing slash or wildcard character.`,
    )
  }
  checkUniqueKeys(body['uniqueKeyPolicy'])
  const ttl = body['defaultTtl']
  if (
    ttl !== undefined &&
    ttl !== null &&
    (typeof ttl !== 'number' || !Number.isInteger(ttl) || ttl === 0 || ttl < -1)
  ) {
    throw badRequest(
      `The input ttl '${JSON.stringify(ttl)}' is invalid. Ensure to provide a nonzero positive integer or -1.`,
    )
  }
  const definition: JsonObject = {}
  for (const [name, value] of Object.entries(body)) if (!name.startsWith('_')) definition[name] = value
  const indexing = isObject(body['indexingPolicy']) ? body['indexingPolicy'] : {}
  return {
    ...definition,
    indexingPolicy:
      indexing['indexingMode'] === 'none' ? { ...indexing } : { ...DEFAULT_INDEXING, ...indexing },
    partitionKey: {
      ...key,
      paths,
      kind: key['kind'] ?? 'Hash',
      version: key['kind'] === 'MultiHash' ? 2 : (key['version'] ?? 1),
    },
    conflictResolutionPolicy: body['conflictResolutionPolicy'] ?? {
      mode: 'LastWriterWins',
      conflictResolutionPath: '/_ts',
      conflictResolutionProcedure: '',
    },
    geospatialConfig: body['geospatialConfig'] ?? { type: 'Geography' },
  }
}

function checkUniqueKeys(policy: Json | undefined): void {
  if (policy === undefined || policy === null) return
  const keys = isObject(policy) ? (policy['uniqueKeys'] ?? []) : undefined
  const good = Array.isArray(keys) && keys.every((key) => isObject(key) && strings(key['paths']))
  if (!good) throw badRequest('The unique key policy is invalid: each unique key is a list of paths.')
}

export function createContainer(exchange: Exchange): Reply {
  const { account } = exchange
  const database = findDatabase(exchange)
  const definition = definitionOf(bodyObject(exchange))
  if (database.containers.has(String(definition['id']))) throw conflict()
  const shared = account.catalog.offers.get(database.rid) !== undefined
  const offer = offerFromHeaders(exchange) ?? (shared ? undefined : DEFAULT_OFFER)
  const container = account.items.transaction(() => {
    const added = account.catalog.addContainer(database, definition, newEtag(account.nowMs()), account.nowS())
    const throughput = offer === undefined ? 0 : (throughputOf(keepOffer(exchange, added.rid, offer)) ?? 0)
    const partitions = Math.max(1, Math.ceil(throughput / RU_PER_PARTITION))
    for (const { min, max } of evenRanges(partitions, added.key)) {
      account.catalog.addRange(added, { min, max, parents: [], lsn: 1 })
    }
    return added
  })
  return containerReply(exchange, container, 201)
}

export function readContainer(exchange: Exchange): Reply {
  const container = findContainer(exchange)
  if (exchange.header('if-none-match') === container.etag)
    return { status: 304, headers: { etag: container.etag } }
  return containerReply(exchange, container, 200)
}

export function replaceContainer(exchange: Exchange): Reply {
  const { account } = exchange
  const container = findContainer(exchange)
  const ifMatch = exchange.header('if-match')
  if (ifMatch !== undefined && ifMatch !== '*' && ifMatch !== container.etag) throw preconditionFailed()
  const asked = definitionOf({ ...bodyObject(exchange) })
  for (const fixed of ['id', 'partitionKey', 'uniqueKeyPolicy']) {
    const [before, after] = [container.definition[fixed], asked[fixed] ?? container.definition[fixed]]
    const same =
      fixed === 'partitionKey' ? samePaths(before, after) : JSON.stringify(before) === JSON.stringify(after)
    if (!same) throw badRequest(`Replacing the ${fixed} of a container is not allowed.`)
    if (container.definition[fixed] !== undefined) asked[fixed] = container.definition[fixed]
  }
  const ttlBefore = container.defaultTtl
  account.items.transaction(() => {
    account.catalog.changeContainer(container, asked, newEtag(account.nowMs()), account.nowS())
    if (container.defaultTtl !== ttlBefore) applyTtl(exchange, container)
  })
  return containerReply(exchange, container, 200)
}

function samePaths(a: Json | undefined, b: Json | undefined): boolean {
  return isObject(a) && isObject(b) && JSON.stringify(a['paths']) === JSON.stringify(b['paths'])
}

/** A changed default counts for what is stored already. */
function applyTtl(exchange: Exchange, container: Container): void {
  const ttl = container.defaultTtl
  const own = "json_extract(body, '$.ttl')"
  const otherwise = ttl === undefined || ttl === -1 ? 'NULL' : `ts + ${ttl}`
  const value =
    ttl === undefined
      ? 'NULL'
      : `CASE WHEN typeof(${own}) = 'integer' THEN CASE WHEN ${own} > 0 THEN ts + ${own} ELSE NULL END ELSE ${otherwise} END`
  exchange.account.items
    .prepared(`UPDATE items SET expires = ${value} WHERE container = ?`)
    .run(container.num)
}

export function deleteContainer(exchange: Exchange): Reply {
  const { account } = exchange
  const container = findContainer(exchange)
  account.replication.forget(container)
  account.items.transaction(() => account.catalog.removeContainer(container))
  return { status: 204, headers: { [CHARGE]: METADATA_CHARGE } }
}

export function containerList(exchange: Exchange): JsonObject[] {
  return [...findDatabase(exchange).containers.values()].map(containerBody)
}
