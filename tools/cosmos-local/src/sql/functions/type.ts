import { isObject } from '../../json.ts'
import type { Value } from '../values.ts'
import { any, type Library } from './define.ts'

/** False, not undefined, for what is not defined. */
const is = (test: (value: Value) => boolean) => any(1, 1, ([value]) => test(value))

export const type: Library = {
  IS_ARRAY: is((value) => Array.isArray(value)),
  IS_BOOL: is((value) => typeof value === 'boolean'),
  // Not in the documentation, but what the Java and .NET clients send with a continuation of ORDER BY.
  IS_BOOLEAN: is((value) => typeof value === 'boolean'),
  IS_DEFINED: is((value) => value !== undefined),
  IS_FINITE_NUMBER: is((value) => typeof value === 'number' && Number.isFinite(value)),
  IS_INTEGER: is((value) => Number.isSafeInteger(value)),
  IS_NULL: is((value) => value === null),
  IS_NUMBER: is((value) => typeof value === 'number'),
  IS_OBJECT: is((value) => isObject(value)),
  IS_PRIMITIVE: is((value) => value !== undefined && (typeof value !== 'object' || value === null)),
  IS_STRING: is((value) => typeof value === 'string'),
  IIF: any(3, 3, ([test, yes, no]) => (test === true ? yes : no)),
}
