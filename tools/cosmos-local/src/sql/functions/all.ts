import { array } from './array.ts'
import { date } from './date.ts'
import type { BuiltIn, Library } from './define.ts'
import { math } from './math.ts'
import { text } from './text.ts'
import { type } from './type.ts'

const all: Library = { ...math, ...text, ...array, ...type, ...date }

export function builtIn(name: string): BuiltIn | undefined {
  const upper = name.toUpperCase()
  return Object.hasOwn(all, upper) ? all[upper] : undefined
}

export const BUILT_IN_NAMES: readonly string[] = Object.keys(all)
