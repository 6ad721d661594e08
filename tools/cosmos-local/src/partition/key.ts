import { badRequest } from '../errors.ts'
import { isObject, parseJson, type Json, type JsonObject } from '../json.ts'

export type PartitionKeyKind = 'Hash' | 'MultiHash'

export interface PartitionKeyDefinition {
  readonly paths: readonly string[]
  readonly kind: PartitionKeyKind
  readonly version: 1 | 2
}

/** One component of a partition key; `undefined` where the item has no such property. */
export type KeyComponent = string | number | boolean | null | undefined

/** Components in the order of the definition's paths; fewer than the paths only as a prefix. */
export type PartitionKey = readonly KeyComponent[]

/** `/a/"b c"/d` → `['a', 'b c', 'd']`. */
export function pathSegments(path: string): string[] {
  const segments: string[] = []
  const pattern = /\/(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^/]*))/gy
  for (let match = pattern.exec(path); match !== null; match = pattern.exec(path)) {
    segments.push(match[1] ?? match[2] ?? match[3] ?? '')
  }
  return segments
}

const segmentsOf = new Map<string, string[]>()

/** The partition key of an item, undefined where it has none. */
export function keyOfItem(item: JsonObject, definition: PartitionKeyDefinition): PartitionKey {
  return definition.paths.map((path) => {
    let segments = segmentsOf.get(path)
    if (segments === undefined) segmentsOf.set(path, (segments = pathSegments(path)))
    let value: Json | undefined = item
    for (const segment of segments) value = isObject(value) ? value[segment] : undefined
    if (typeof value === 'object' && value !== null) {
      throw badRequest(
        `Partition key ${path} is invalid. Partition key values must be strings, numbers, booleans or null.`,
        1001,
      )
    }
    return value
  })
}

/** The key in a `x-ms-documentdb-partitionkey` header: `["a"]`, `[null]`, `[{}]`; undefined without one. */
export function keyOfHeader(header: string | undefined): PartitionKey | undefined {
  if (header === undefined || header === '') return undefined
  const value = parseJson(header)
  if (!Array.isArray(value)) {
    throw badRequest(`Partition key ${header} is invalid. It has to be a JSON array.`, 1001)
  }
  return value.map((component): KeyComponent => {
    if (typeof component !== 'object' || component === null) return component
    if (isObject(component) && Object.keys(component).length === 0) return undefined
    throw badRequest(`Partition key ${header} is invalid.`, 1001)
  })
}

export function sameKey(a: PartitionKey, b: PartitionKey): boolean {
  return a.length === b.length && a.every((component, i) => component === b[i])
}

/** `["a",{}]`, as the header writes it. */
export function keyToJson(key: PartitionKey): Json[] {
  return key.map((component) => (component === undefined ? {} : component))
}
