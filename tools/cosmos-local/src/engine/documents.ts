import { badRequest, conflict, notFound, preconditionFailed, ProtocolError } from '../errors.ts'
import { isObject, type Json, type JsonObject } from '../json.ts'
import { keyOfItem, keyToJson, pathSegments, sameKey, type PartitionKey } from '../partition/key.ts'
import type { Container, PkRange } from '../store/catalog.ts'
import { CREATED, DELETED, KEYS_PER_RANGE, REPLACED, type StoredItem } from '../store/items.ts'
import { documentRid } from '../store/rid.ts'
import type { Account } from './account.ts'
import { patchCharge, writeCharge } from './charges.ts'
import { patched, type PatchRequest } from './patch.ts'

const MAX_ID_BYTES = 1023
export const MAX_DOCUMENT_BYTES: number = 2 * 1024 * 1024

/** What one write of a transaction needs to know. */
export interface WriteContext {
  readonly account: Account
  readonly container: Container
  readonly range: PkRange
  readonly key: PartitionKey
  readonly epk: string
  readonly lsn: number
  readonly ts: number
  /** Place in its batch; tells the etags of one transaction apart. */
  readonly index: number
}

export interface Conditions {
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
}

export interface WriteResult {
  readonly status: number
  readonly etag: string | undefined
  readonly body: string | undefined
  readonly charge: number
}

const SYSTEM = ['_rid', '_self', '_etag', '_attachments', '_ts'] as const

/** The item in a request's body, its id checked. */
export function documentOf(value: Json | undefined): JsonObject & { id: string } {
  if (!isObject(value)) throw badRequest('The input content is invalid because it is not a JSON object.')
  const id = value['id']
  if (id === undefined) {
    throw badRequest("The input content is invalid because the required properties - 'id; ' - are missing")
  }
  checkId(id)
  return value as JsonObject & { id: string }
}

/** @throws {ProtocolError} 400 for an id that Cosmos refuses */
export function checkId(id: Json): asserts id is string {
  if (typeof id !== 'string' || id === '') {
    throw badRequest("The input content is invalid because the required properties - 'id; ' - are missing")
  }
  if (id.length > MAX_ID_BYTES / 4 && Buffer.byteLength(id) > MAX_ID_BYTES) {
    throw badRequest(
      `The input name '${id.slice(0, 40)}…' is invalid. Ensure to provide a unique non-empty string less than '1024' characters.`,
    )
  }
  if (/[/\\#?]/.test(id)) {
    throw badRequest(
      `The input name '${id}' is invalid. Ensure to provide a unique non-empty string less than '1024' characters without '/', '\\\\', '?' or '#'.`,
    )
  }
  if (id.endsWith(' ')) throw badRequest(`The input name '${id}' is invalid. The name cannot end with space.`)
}

/** @throws {ProtocolError} 400/1001 when the key in the header is not the item's */
export function checkKey(item: JsonObject, container: Container, key: PartitionKey): void {
  if (key.length < container.key.paths.length) {
    throw badRequest(
      'The partition key supplied in x-ms-partitionkey header has fewer components than defined in the the collection.',
      1001,
    )
  }
  if (!sameKey(keyOfItem(item, container.key), key)) {
    throw badRequest(
      "PartitionKey extracted from document doesn't match the one specified in the header",
      1001,
    )
  }
}

function etagOf(ctx: WriteContext): string {
  const hex = (value: number, digits: number): string => (value >>> 0).toString(16).padStart(digits, '0')
  return `"${hex(ctx.lsn, 8)}-${hex(ctx.range.num & 0xffff, 4)}-0d00-${hex(ctx.index, 4)}-${hex(ctx.ts, 8)}0000"`
}

function expiryOf(item: JsonObject, container: Container, ts: number): number | null {
  const own = item['ttl']
  if (own !== undefined && own !== null && container.defaultTtl !== undefined) {
    if (typeof own !== 'number' || !Number.isInteger(own) || own === 0 || own < -1) {
      throw badRequest(
        `The input ttl '${JSON.stringify(own)}' is invalid. Ensure to provide a nonzero positive integer or -1.`,
      )
    }
    return own === -1 ? null : ts + own
  }
  return container.defaultTtl === undefined || container.defaultTtl === -1 ? null : ts + container.defaultTtl
}

function store(
  ctx: WriteContext,
  item: JsonObject & { id: string },
  old: StoredItem | undefined,
): StoredItem {
  const { account, container, range } = ctx
  const document = old === undefined ? container.nextDocument : old.key % KEYS_PER_RANGE
  const rid = documentRid(container.database.num, container.ordinal, document)
  const etag = etagOf(ctx)
  let user = item
  if (SYSTEM.some((name) => name in item)) {
    user = { ...item }
    for (const name of SYSTEM) delete user[name]
  }
  const text = JSON.stringify(user)
  const body =
    `${text.slice(0, -1)},"_rid":"${rid}","_self":"dbs/${container.database.rid}/colls/${container.rid}/docs/${rid}/",` +
    `"_etag":${JSON.stringify(etag)},"_attachments":"attachments/","_ts":${ctx.ts}}`
  if (text.length > MAX_DOCUMENT_BYTES / 4 && Buffer.byteLength(text) > MAX_DOCUMENT_BYTES) {
    throw new ProtocolError(413, 'Request size is too large')
  }
  const stored: StoredItem = {
    key: old?.key ?? range.num * KEYS_PER_RANGE + document,
    epk: ctx.epk,
    id: item.id,
    range: range.num,
    lsn: ctx.lsn,
    etag,
    ts: ctx.ts,
    expires: expiryOf(item, container, ctx.ts),
    op: old === undefined ? CREATED : REPLACED,
    previous: old?.lsn ?? 0,
    pk: old?.pk ?? JSON.stringify(keyToJson(ctx.key)),
    body,
  }
  if (container.uniqueKeys.length > 0) claimUnique(ctx, item)
  if (old === undefined) {
    container.nextDocument++
    account.items.insert(container, stored)
  } else {
    account.items.replace(container, old, stored)
  }
  return stored
}

function claimUnique(ctx: WriteContext, item: JsonObject & { id: string }): void {
  const { items } = ctx.account
  items
    .prepared('DELETE FROM unique_values WHERE container = ? AND epk = ? AND id = ?')
    .run(ctx.container.num, ctx.epk, item.id)
  ctx.container.uniqueKeys.forEach((paths, number) => {
    const values = paths.map((path) => {
      let value: Json | undefined = item
      for (const segment of pathSegments(path)) value = isObject(value) ? value[segment] : undefined
      return value ?? null
    })
    const name = JSON.stringify([number, values])
    const taken = items
      .prepared('SELECT id FROM unique_values WHERE container = ? AND epk = ? AND value = ?')
      .get(ctx.container.num, ctx.epk, name)
    if (taken !== undefined) {
      throw new ProtocolError(409, 'Unique index constraint violation.')
    }
    items
      .prepared('INSERT INTO unique_values VALUES(?, ?, ?, ?)')
      .run(ctx.container.num, ctx.epk, name, item.id)
  })
}

/** The live version of an item, one that has just expired put away first. */
function current(ctx: WriteContext, id: string): StoredItem | undefined {
  const found = ctx.account.items.get(ctx.container, ctx.epk, id)
  if (found === undefined || found.expires === null || found.expires > ctx.ts) return found
  forget(ctx, found, 3)
  return undefined
}

function forget(ctx: WriteContext, old: StoredItem, op: 2 | 3): void {
  ctx.account.items.remove(ctx.container, old, ctx.lsn, op, ctx.ts)
  if (ctx.container.uniqueKeys.length > 0) {
    ctx.account.items
      .prepared('DELETE FROM unique_values WHERE container = ? AND epk = ? AND id = ?')
      .run(ctx.container.num, ctx.epk, old.id)
  }
}

function checkMatch(old: StoredItem, conditions: Conditions): void {
  const { ifMatch } = conditions
  if (ifMatch !== undefined && ifMatch !== '*' && ifMatch !== old.etag) throw preconditionFailed()
}

function written(ctx: WriteContext, status: number, stored: StoredItem): WriteResult {
  return {
    status,
    etag: stored.etag,
    body: stored.body,
    charge: writeCharge(stored.body.length, ctx.container),
  }
}

export function createItem(ctx: WriteContext, item: JsonObject & { id: string }): WriteResult {
  checkKey(item, ctx.container, ctx.key)
  if (current(ctx, item.id) !== undefined) throw conflict()
  return written(ctx, 201, store(ctx, item, undefined))
}

export function upsertItem(
  ctx: WriteContext,
  item: JsonObject & { id: string },
  conditions: Conditions,
): WriteResult {
  checkKey(item, ctx.container, ctx.key)
  const old = current(ctx, item.id)
  if (old !== undefined) {
    if (conditions.ifNoneMatch === '*') throw preconditionFailed()
    checkMatch(old, conditions)
  }
  return written(ctx, old === undefined ? 201 : 200, store(ctx, item, old))
}

export function replaceItem(
  ctx: WriteContext,
  id: string,
  item: JsonObject & { id: string },
  conditions: Conditions,
): WriteResult {
  checkKey(item, ctx.container, ctx.key)
  const old = current(ctx, id)
  if (old === undefined) throw notFound()
  if (item.id !== id)
    throw badRequest(
      `The id '${item.id}' of the body is not the '${id}' of the address: an id cannot be changed.`,
    )
  checkMatch(old, conditions)
  return written(ctx, 200, store(ctx, item, old))
}

export function patchItem(
  ctx: WriteContext,
  id: string,
  request: PatchRequest,
  conditions: Conditions,
): WriteResult {
  const old = current(ctx, id)
  if (old === undefined) throw notFound()
  checkMatch(old, conditions)
  const item = patched(JSON.parse(old.body) as JsonObject & { id: string }, request, ctx.container)
  const stored = store(ctx, item, old)
  return { ...written(ctx, 200, stored), charge: patchCharge(stored.body.length, ctx.container) }
}

export function deleteItem(ctx: WriteContext, id: string, conditions: Conditions): WriteResult {
  const old = current(ctx, id)
  if (old === undefined) throw notFound()
  checkMatch(old, conditions)
  forget(ctx, old, DELETED)
  return {
    status: 204,
    etag: undefined,
    body: undefined,
    charge: writeCharge(old.body.length, ctx.container),
  }
}
