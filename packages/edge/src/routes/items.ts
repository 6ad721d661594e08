import type { Issue, ItemDocument } from '@attune/core'
import type { Context } from 'hono'
import type { AppDeps, AppEnv } from '../app.ts'
import { itemDocumentId } from '../cosmos/catalogue.ts'
import { EdgeError } from '../error.ts'
import { readJsonObject } from '../middleware/body.ts'
import { WithState } from '../middleware/problem.ts'
import { check, tryCheck } from '../schema/check.ts'
import { itemChange, itemsRequest, MAX_ITEMS_BYTES, type ItemChange } from '../schema/items.ts'

/** How long a deleted item says so to those who read the change feed. */
const TOMBSTONE_TTL_S = 30 * 86_400

/** `PUT /v1/items`: good items of the request are stored, whatever is wrong with the others. */
export async function putItems(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const body = await readJsonObject(c, MAX_ITEMS_BYTES, 'ITEMS_MALFORMED')
  const { items } = check(itemsRequest, body, 'ITEMS_MALFORMED')
  const { changes, issues } = readChanges(items)
  if (changes.length === 0) {
    throw new EdgeError('ITEMS_REJECTED', `items: none of ${items.length} is good`, { issues })
  }
  const now = deps.now()
  const written = await deps.catalogue.upsert(changes.map((change) => documentOf(change, now)))
  deps.metrics.count('attune_cosmos_calls_total', { operation: 'upsert' }, written.stored.length)
  deps.metrics.count('attune_cosmos_request_units_total', { operation: 'upsert' }, written.ru)
  const deleted = written.stored.filter((document) => document.deleted === true).length
  const done = { stored: written.stored.length - deleted, deleted, rejected: issues }
  if (written.error !== undefined) {
    c.executionCtx.waitUntil(deps.regions.refresh())
    throw new WithState(written.error, { ...done, left: written.left.map(({ item }) => item) })
  }
  return c.json({ ...done, ...(written.session !== undefined && { session: written.session }) })
}

/** `GET /v1/items/{id}`: an item of the catalogue as it is stored. */
export async function getItem(deps: AppDeps, c: Context<AppEnv>): Promise<Response> {
  const id = c.req.param('id') ?? ''
  const found = await deps.catalogue.read(id)
  if (found === undefined || found.document.deleted === true)
    throw new EdgeError('ITEM_UNKNOWN', 'id: expected an item of the catalogue')
  const { attributes, updated } = found.document
  return c.json({ id, attributes, updated }, 200, { etag: found.etag })
}

function readChanges(items: readonly unknown[]): { changes: ItemChange[]; issues: Issue[] } {
  const changes: ItemChange[] = []
  const issues: Issue[] = []
  const seen = new Set<string>()
  for (const [index, item] of items.entries()) {
    const path = `items[${index}]`
    const result = tryCheck(itemChange, item, path)
    if ('issues' in result) {
      issues.push(...result.issues)
    } else if (seen.has(result.output.id)) {
      // Which of the two is meant nobody could say, as they are written side by side.
      issues.push({
        path: `${path}.id`,
        code: 'ITEM_REPEATED',
        message: `${path}.id: expected an id of its own, received one twice`,
      })
    } else {
      seen.add(result.output.id)
      changes.push(result.output)
    }
  }
  return { changes, issues }
}

function documentOf(change: ItemChange, now: number): ItemDocument {
  const { id: item } = change
  const id = itemDocumentId(item)
  return change.deleted === true
    ? { id, item, attributes: {}, updated: now, deleted: true, ttl: TOMBSTONE_TTL_S }
    : { id, item, attributes: change.attributes, updated: now }
}
