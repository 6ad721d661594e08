import { isObject, type Json } from '../../json.ts'
import { canonical, equalValues, type Value } from '../values.ts'
import { any, type Library } from './define.ts'

/** Whether an element holds all that is asked for: a part of an object counts when `partial`. */
function holds(element: Json, asked: Value, partial: boolean): boolean {
  if (asked === undefined) return false
  if (equalValues(element, asked)) return true
  if (!partial || !isObject(element) || !isObject(asked)) return false
  return Object.entries(asked).every(([name, value]) => {
    const own = element[name]
    return own !== undefined && holds(own, value, true)
  })
}

function distinct(values: readonly Json[]): Json[] {
  const seen = new Set<string>()
  return values.filter((value) => {
    const name = canonical(value)
    return seen.has(name) ? false : seen.add(name)
  })
}

function sets(call: (a: readonly Json[], b: ReadonlySet<string>, all: readonly Json[]) => Json[]) {
  return any(2, 2, ([a, b]) =>
    Array.isArray(a) && Array.isArray(b) ? call(a, new Set(b.map(canonical)), b) : undefined,
  )
}

export const array: Library = {
  ARRAY_CONCAT: any(2, Infinity, (given) =>
    given.every((one) => Array.isArray(one)) ? (given as Json[][]).flat(1) : undefined,
  ),
  ARRAY_CONTAINS: any(2, 3, ([list, asked, partial]) => {
    if (!Array.isArray(list)) return undefined
    return list.some((element) => holds(element, asked, partial === true))
  }),
  ARRAY_CONTAINS_ANY: any(2, Infinity, ([list, ...asked]) =>
    Array.isArray(list) ? asked.some((one) => list.some((element) => holds(element, one, false))) : undefined,
  ),
  ARRAY_CONTAINS_ALL: any(2, Infinity, ([list, ...asked]) =>
    Array.isArray(list)
      ? asked.every((one) => list.some((element) => holds(element, one, false)))
      : undefined,
  ),
  ARRAY_LENGTH: any(1, 1, ([list]) => (Array.isArray(list) ? list.length : undefined)),
  ARRAY_SLICE: any(2, 3, ([list, start, count]) => {
    if (!Array.isArray(list) || typeof start !== 'number') return undefined
    if (count !== undefined && typeof count !== 'number') return undefined
    const from = start < 0 ? Math.max(0, list.length + start) : start
    return list.slice(from, count === undefined ? undefined : from + Math.max(0, count))
  }),
  CHOOSE: any(2, Infinity, ([index, ...values]) =>
    typeof index === 'number' ? values[index - 1] : undefined,
  ),
  OBJECTTOARRAY: any(1, 3, ([object, key = 'k', value = 'v']) => {
    if (!isObject(object) || typeof key !== 'string' || typeof value !== 'string') return undefined
    return Object.entries(object).map(([name, own]) => ({ [key]: name, [value]: own }))
  }),
  SETINTERSECT: sets((a, b) => distinct(a).filter((value) => b.has(canonical(value)))),
  SETUNION: sets((a, _, b) => distinct([...a, ...b])),
  SETDIFFERENCE: sets((a, b) => distinct(a).filter((value) => !b.has(canonical(value)))),
}
