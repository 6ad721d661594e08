import type { Runtime } from '../runtime.ts'
import type { Value } from '../values.ts'

/** A built-in function; arguments that are undefined reach it as undefined. */
export interface BuiltIn {
  readonly min: number
  readonly max: number
  readonly call: (given: readonly Value[], runtime: Runtime) => Value
}

export type Library = Readonly<Record<string, BuiltIn>>

export const any = (min: number, max: number, call: BuiltIn['call']): BuiltIn => ({ min, max, call })

/** Numbers in, anything out; undefined as soon as one argument is no number. NaN and infinities are undefined. */
export function numeric(min: number, max: number, call: (...given: number[]) => Value): BuiltIn {
  return any(min, max, (given) => {
    for (const value of given) if (typeof value !== 'number') return undefined
    return finite(call(...(given as number[])))
  })
}

/** Strings in; undefined as soon as one of the first `count` arguments is no string. */
export function textual(
  min: number,
  max: number,
  count: number,
  call: (...given: string[]) => Value,
): BuiltIn {
  return any(min, max, (given) => {
    for (let i = 0; i < Math.min(count, given.length); i++) if (typeof given[i] !== 'string') return undefined
    return call(...(given as string[]))
  })
}

export const finite = (value: Value): Value =>
  typeof value === 'number' && !Number.isFinite(value) ? undefined : value
