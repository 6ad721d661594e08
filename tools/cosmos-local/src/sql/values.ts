import type { Json } from '../json.ts'

/** A value in a query: JSON, or nothing at all (Cosmos's `undefined`). */
export type Value = Json | undefined

export type TypeOrder = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7

/** Cosmos's order of types: undefined, null, false, true, numbers, strings, arrays, objects. */
export function typeOrder(value: Value): TypeOrder {
  if (value === undefined) return 0
  if (value === null) return 1
  if (value === false) return 2
  if (value === true) return 3
  if (typeof value === 'number') return 4
  if (typeof value === 'string') return 5
  return Array.isArray(value) ? 6 : 7
}

/** Order for ORDER BY, MIN and MAX: by type, then by value; strings by code unit. */
export function compareValues(a: Value, b: Value): number {
  const types = typeOrder(a) - typeOrder(b)
  if (types !== 0) return types
  if ((typeof a === 'number' && typeof b === 'number') || (typeof a === 'string' && typeof b === 'string')) {
    return a < b ? -1 : a > b ? 1 : 0
  }
  if (typeof a === 'object' && a !== null) {
    const left = canonical(a)
    const right = canonical(b)
    return left < right ? -1 : left > right ? 1 : 0
  }
  return 0
}

/** Equal in every part; the order of an object's properties does not matter. */
export function equalValues(a: Value, b: Value): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => equalValues(item, b[i]))
  }
  if (Array.isArray(b)) return false
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  return names.every((name) => Object.hasOwn(b, name) && equalValues(a[name], b[name]))
}

/** A text that is the same for equal values and no others. */
export function canonical(value: Value): string {
  if (value === undefined) return 'undefined'
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`
}

/** `=`: undefined when a side is; otherwise whether both are the same type and value. */
export function equals(a: Value, b: Value): boolean | undefined {
  return a === undefined || b === undefined ? undefined : equalValues(a, b)
}

/** `<` and its kin: only numbers, strings, booleans and null compare, each with its own type. */
export function relation(a: Value, b: Value): number | undefined {
  if (a === undefined || b === undefined) return undefined
  if (typeof a === 'object' && a !== null) return undefined
  if (typeof a !== typeof b || (a === null) !== (b === null)) return undefined
  return compareValues(a, b)
}
