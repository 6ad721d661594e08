import { METADATA_CHARGE } from '../engine/charges.ts'
import { checkId } from '../engine/documents.ts'
import { badRequest, conflict, notFound } from '../errors.ts'
import { isObject, parseJson, type Json, type JsonObject } from '../json.ts'
import { CHARGE, type Exchange, type Reply } from '../protocol/exchange.ts'
import type { Database } from '../store/catalog.ts'
import { newEtag } from './etag.ts'
import { keepOffer, offerFromHeaders } from './offers.ts'

/** A database by name or by rid. */
export function findDatabase(exchange: Exchange): Database {
  const name = exchange.segments[1] ?? ''
  const { catalog } = exchange.account
  const found = catalog.databases.get(name) ?? catalog.databasesByRid.get(name)
  if (found === undefined) throw notFound()
  return found
}

function databaseBody(database: Database): JsonObject {
  return {
    id: database.id,
    _rid: database.rid,
    _self: `dbs/${database.rid}/`,
    _etag: database.etag,
    _colls: 'colls/',
    _users: 'users/',
    _ts: database.ts,
  }
}

/** The JSON object of a request's body. */
export function bodyObject(exchange: Exchange): JsonObject {
  const body = parseJson(exchange.body.toString('utf8'))
  if (!isObject(body))
    throw badRequest(
      'The input content is invalid because the required properties are missing or it is not valid JSON.',
    )
  return body
}

const one = (database: Database, status: number): Reply => ({
  status,
  headers: { etag: database.etag, [CHARGE]: METADATA_CHARGE, 'x-ms-alt-content-path': `dbs/${database.id}` },
  body: JSON.stringify(databaseBody(database)),
})

export function createDatabase(exchange: Exchange): Reply {
  const { account } = exchange
  const id: Json = bodyObject(exchange)['id'] ?? ''
  checkId(id)
  if (account.catalog.databases.has(id)) throw conflict()
  const offer = offerFromHeaders(exchange)
  const database = account.items.transaction(() => {
    const added = account.catalog.addDatabase(id, newEtag(account.nowMs()), account.nowS())
    if (offer !== undefined) keepOffer(exchange, added.rid, offer)
    return added
  })
  return { ...one(database, 201) }
}

export function readDatabase(exchange: Exchange): Reply {
  const database = findDatabase(exchange)
  if (exchange.header('if-none-match') === database.etag)
    return { status: 304, headers: { etag: database.etag } }
  return one(database, 200)
}

export function deleteDatabase(exchange: Exchange): Reply {
  const database = findDatabase(exchange)
  exchange.account.items.transaction(() => exchange.account.catalog.removeDatabase(database))
  return { status: 204, headers: { [CHARGE]: METADATA_CHARGE } }
}

export function databaseList(exchange: Exchange): JsonObject[] {
  return [...exchange.account.catalog.databases.values()].map(databaseBody)
}
