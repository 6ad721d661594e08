import { METADATA_CHARGE } from '../engine/charges.ts'
import { ProtocolError } from '../errors.ts'
import type { JsonObject } from '../json.ts'
import { readAccount } from '../resources/account.ts'
import { isBatch, runBatch } from '../resources/batch.ts'
import { isChangeFeed, readChangeFeed } from '../resources/change-feed.ts'
import {
  containerList,
  createContainer,
  deleteContainer,
  findContainer,
  readContainer,
  replaceContainer,
} from '../resources/containers.ts'
import {
  createDatabase,
  databaseList,
  deleteDatabase,
  findDatabase,
  readDatabase,
} from '../resources/databases.ts'
import { patchOneItem, postItem, putItem, readItem, removeItem } from '../resources/items.ts'
import { offerList, readOffer, replaceOffer } from '../resources/offers.ts'
import { isQueryPlan, readQueryPlan } from '../resources/query-plan.ts'
import { queryItems, queryResources, readFeed } from '../resources/query.ts'
import { readRanges } from '../resources/ranges.ts'
import { CHARGE, type Exchange, type Reply } from './exchange.ts'

/** What a request does: the name that meters and faults use. */
export type Operation =
  | 'account'
  | 'database'
  | 'container'
  | 'offer'
  | 'ranges'
  | 'create'
  | 'upsert'
  | 'read'
  | 'replace'
  | 'patch'
  | 'delete'
  | 'batch'
  | 'query'
  | 'plan'
  | 'feed'
  | 'change-feed'

type Handler = (exchange: Exchange) => Reply

export interface Route {
  readonly operation: Operation
  readonly handle: Handler
}

const notAllowed = (): ProtocolError => new ProtocolError(405, 'The requested verb is not supported.')

const isQuery = (exchange: Exchange): boolean =>
  exchange.flag('x-ms-documentdb-isquery') ||
  exchange.flag('x-ms-documentdb-query') ||
  (exchange.header('content-type') ?? '').startsWith('application/query+json')

/** Finds what a request asks for. @throws {ProtocolError} 404 or 405 for what Cosmos does not have either */
export function route(exchange: Exchange): Route {
  const { segments, method } = exchange
  const [first, , third, , fifth] = segments
  if (segments.length === 0) return { operation: 'account', handle: readAccount }
  if (first === 'offers' && segments.length <= 2) return offerRoute(exchange)
  if (first !== 'dbs') throw new ProtocolError(400, 'The request path is not known.')
  if (segments.length === 1) {
    if (method === 'GET') return { operation: 'database', handle: list('Databases', '', databaseList) }
    if (method !== 'POST') throw notAllowed()
    if (isQuery(exchange)) return { operation: 'database', handle: query('Databases', '', databaseList) }
    return { operation: 'database', handle: createDatabase }
  }
  if (segments.length === 2) {
    return pick('database', method, { GET: readDatabase, DELETE: deleteDatabase })
  }
  if (third !== 'colls') throw unsupported(third)
  if (segments.length === 3) return containersRoute(exchange)
  if (segments.length === 4) {
    return pick('container', method, { GET: readContainer, PUT: replaceContainer, DELETE: deleteContainer })
  }
  if (fifth === 'pkranges') return pick('ranges', method, { GET: readRanges })
  if (fifth === 'docs') return segments.length === 5 ? itemsRoute(exchange) : itemRoute(method)
  throw unsupported(fifth)
}

const unsupported = (what: string | undefined): ProtocolError =>
  new ProtocolError(400, `Resources of type '${what ?? ''}' are not supported here.`)

function pick(operation: Operation, method: string, handlers: Readonly<Record<string, Handler>>): Route {
  const handle = handlers[method]
  if (handle === undefined) throw notAllowed()
  return { operation, handle }
}

function offerRoute(exchange: Exchange): Route {
  if (exchange.segments.length === 2)
    return pick('offer', exchange.method, { GET: readOffer, PUT: replaceOffer })
  if (exchange.method === 'GET') return { operation: 'offer', handle: list('Offers', '', offerList) }
  if (exchange.method !== 'POST') throw notAllowed()
  return { operation: 'offer', handle: query('Offers', '', offerList) }
}

function containersRoute(exchange: Exchange): Route {
  const { rid } = findDatabase(exchange)
  if (exchange.method === 'GET')
    return { operation: 'container', handle: list('DocumentCollections', rid, containerList) }
  if (exchange.method !== 'POST') throw notAllowed()
  if (isQuery(exchange))
    return { operation: 'container', handle: query('DocumentCollections', rid, containerList) }
  return { operation: 'container', handle: createContainer }
}

function itemsRoute(exchange: Exchange): Route {
  if (exchange.method === 'GET') {
    return isChangeFeed(exchange)
      ? { operation: 'change-feed', handle: readChangeFeed }
      : { operation: 'feed', handle: readFeed }
  }
  if (exchange.method !== 'POST') throw notAllowed()
  if (isQueryPlan(exchange)) return { operation: 'plan', handle: readQueryPlan }
  if (isQuery(exchange)) return { operation: 'query', handle: queryItems }
  if (isBatch(exchange)) return { operation: 'batch', handle: runBatch }
  return { operation: exchange.flag('x-ms-documentdb-is-upsert') ? 'upsert' : 'create', handle: postItem }
}

function itemRoute(method: string): Route {
  switch (method) {
    case 'GET':
      return { operation: 'read', handle: readItem }
    case 'PUT':
      return { operation: 'replace', handle: putItem }
    case 'PATCH':
      return { operation: 'patch', handle: patchOneItem }
    case 'DELETE':
      return { operation: 'delete', handle: removeItem }
    default:
      throw notAllowed()
  }
}

type Kind = 'Databases' | 'DocumentCollections' | 'Offers'

function list(kind: Kind, rid: string, resources: (exchange: Exchange) => JsonObject[]): Handler {
  return (exchange) => listed(kind, rid, resources(exchange))
}

function query(kind: Kind, rid: string, resources: (exchange: Exchange) => JsonObject[]): Handler {
  return (exchange) => listed(kind, rid, queryResources(exchange, resources(exchange)))
}

function listed(kind: Kind, rid: string, rows: readonly unknown[]): Reply {
  return {
    status: 200,
    headers: { [CHARGE]: METADATA_CHARGE, 'x-ms-item-count': rows.length },
    body: JSON.stringify({ _rid: rid, [kind]: rows, _count: rows.length }),
  }
}

/** The container a request is about, where it is about one that exists. */
export function containerNamed(exchange: Exchange): ReturnType<typeof findContainer> | undefined {
  if (exchange.segments[0] !== 'dbs' || exchange.segments[2] !== 'colls' || exchange.segments.length < 4)
    return undefined
  try {
    return findContainer(exchange)
  } catch {
    return undefined
  }
}
