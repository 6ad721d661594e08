import { badRequest, preconditionFailed } from '../errors.ts'
import { isObject, type Json, type JsonObject } from '../json.ts'
import { pathSegments } from '../partition/key.ts'
import { passes } from '../sql/compile.ts'
import { SqlError } from '../sql/error.ts'
import type { Container } from '../store/catalog.ts'

const MAX_OPERATIONS = 10

interface Operation {
  readonly op: string
  readonly path: string
  readonly value: Json | undefined
  readonly from: string | undefined
}

export interface PatchRequest {
  readonly operations: readonly Operation[]
  readonly condition: string | undefined
}

/** `[{op, path, value}]`, or `{operations, condition}`. */
export function parsePatch(body: Json | undefined): PatchRequest {
  const list = isObject(body) ? body['operations'] : body
  const condition = isObject(body) ? body['condition'] : undefined
  if (!Array.isArray(list) || list.length === 0)
    throw badRequest('The patch specification is invalid: it has no operations.')
  if (list.length > MAX_OPERATIONS) {
    throw badRequest(`The number of patch operations can't exceed '${MAX_OPERATIONS}'.`)
  }
  const operations = list.map((one, i): Operation => {
    const op = isObject(one) ? one['op'] : undefined
    const path = isObject(one) ? one['path'] : undefined
    const from = isObject(one) ? one['from'] : undefined
    if (!isObject(one) || typeof op !== 'string' || typeof path !== 'string' || !path.startsWith('/')) {
      throw badRequest(`The patch specification is invalid: operation ${i} needs an op and a path.`)
    }
    return {
      op: op.toLowerCase() === 'incr' ? 'incr' : op.toLowerCase(),
      path,
      value: one['value'],
      from: typeof from === 'string' ? from : undefined,
    }
  })
  return { operations, condition: typeof condition === 'string' ? condition : undefined }
}

/** The item after a patch; the given one is changed. */
export function patched<T extends JsonObject>(item: T, request: PatchRequest, container: Container): T {
  if (request.condition !== undefined && !conditionHolds(request.condition, item)) throw preconditionFailed()
  for (const operation of request.operations) {
    const path = operation.path
    const fixed = ['/id', ...container.key.paths]
    if (fixed.some((one) => path === one || one.startsWith(`${path}/`))) {
      throw badRequest(
        `Cannot update the property '${path}': neither an id nor a partition key can be patched.`,
      )
    }
    apply(item, operation)
  }
  return item
}

function conditionHolds(condition: string, item: JsonObject): boolean {
  try {
    return passes(condition, item, Date.now())
  } catch (error) {
    if (error instanceof SqlError) throw badRequest(error.toBody())
    throw error
  }
}

/** Where a path leads: what holds its last part, and that part. */
function locate(item: JsonObject, path: string): { parent: JsonObject | Json[]; name: string } {
  const segments = pathSegments(path)
  const name = segments.pop() ?? ''
  let parent: Json = item
  for (const segment of segments) {
    const next: Json | undefined = Array.isArray(parent)
      ? parent[Number(segment)]
      : isObject(parent) && Object.hasOwn(parent, segment)
        ? parent[segment]
        : undefined
    if (typeof next !== 'object' || next === null) {
      throw badRequest(`For Operation: the parent of path '${path}' does not exist.`)
    }
    parent = next
  }
  return { parent: parent as JsonObject | Json[], name }
}

function indexIn(list: Json[], name: string, adding: boolean): number {
  if (name === '-' && adding) return list.length
  const index = Number(name)
  if (!/^\d+$/.test(name) || index > (adding ? list.length : list.length - 1)) {
    throw badRequest(`The patch index '${name}' is outside the array of ${list.length} elements.`)
  }
  return index
}

function read(item: JsonObject, path: string): Json | undefined {
  const { parent, name } = locate(item, path)
  if (Array.isArray(parent)) return parent[indexIn(parent, name, false)]
  return Object.hasOwn(parent, name) ? parent[name] : undefined
}

function remove(item: JsonObject, path: string): void {
  const { parent, name } = locate(item, path)
  if (Array.isArray(parent)) parent.splice(indexIn(parent, name, false), 1)
  else {
    if (!Object.hasOwn(parent, name)) throw badRequest(`The path '${path}' to be removed does not exist.`)
    delete parent[name]
  }
}

function put(item: JsonObject, path: string, value: Json, inserting: boolean): void {
  const { parent, name } = locate(item, path)
  if (!Array.isArray(parent)) {
    Object.defineProperty(parent, name, { value, enumerable: true, configurable: true, writable: true })
    return
  }
  const index = indexIn(parent, name, true)
  if (inserting || index === parent.length) parent.splice(index, 0, value)
  else parent[index] = value
}

function apply(item: JsonObject, { op, path, value, from }: Operation): void {
  const needed = (): Json => {
    if (value === undefined) throw badRequest(`The patch operation '${op}' at '${path}' needs a value.`)
    return value
  }
  switch (op) {
    case 'add':
      put(item, path, needed(), true)
      return
    case 'set':
      put(item, path, needed(), false)
      return
    case 'replace':
      if (read(item, path) === undefined)
        throw badRequest(`The path '${path}' to be replaced does not exist.`)
      put(item, path, needed(), false)
      return
    case 'remove':
      remove(item, path)
      return
    case 'incr': {
      const by = needed()
      const old = read(item, path)
      if (typeof by !== 'number' || (old !== undefined && typeof old !== 'number')) {
        throw badRequest(`The patch operation 'incr' at '${path}' needs numbers.`)
      }
      put(item, path, (old ?? 0) + by, false)
      return
    }
    case 'move': {
      if (from === undefined || path.startsWith(`${from}/`)) {
        throw badRequest(`The patch operation 'move' to '${path}' needs a from that is not its own parent.`)
      }
      const moved = read(item, from)
      if (moved === undefined) throw badRequest(`The path '${from}' to be moved does not exist.`)
      remove(item, from)
      put(item, path, moved, false)
      return
    }
    default:
      throw badRequest(`The patch operation '${op}' is not known.`)
  }
}
