import { CodedError, type Issue } from '../error.ts'
import { MAX_ITEM_ID_LENGTH } from '../event/event.ts'
import { MAX_ATTRIBUTE_NAME_LENGTH } from '../item.ts'
import { STRATEGIES, type Strategy } from '../wire.ts'
import { failInto, parseExpression, type Expression } from './expression.ts'

/** Adds to the score of items an expression is true of. */
export interface Boost {
  readonly when: Expression
  readonly add: number
}

/** Puts an item at a place of the list, whatever the ranker says. */
export interface Pin {
  readonly item: string
  /** From 0. */
  readonly position: number
}

/** At most so many items with one value of an attribute. */
export interface MaxPer {
  readonly attr: string
  readonly k: number
}

/**
 * How a list sometimes differs from the best one, so that what is not shown can be learnt of too.
 *
 * `epsilon`: at each place, with this probability, any of the pool. `temperature`: at each place one of the pool by
 * `exp(score / temperature)`, which is Plackett and Luce's model of a ranking.
 */
export type Exploration = { readonly epsilon: number } | { readonly temperature: number }

/** What a shop's people say about one slot. */
export interface SlotRules {
  /** For requests that name none. */
  readonly strategy?: Strategy
  readonly filter?: Expression
  readonly boosts?: readonly Boost[]
  readonly pins?: readonly Pin[]
  readonly exclude?: readonly string[]
  readonly maxPer?: readonly MaxPer[]
  /** Items whose `stock` is less are left out; those that do not say are shown. */
  readonly minStock?: number
  /** 0: only what is unlike what stands above; 1: only the score. */
  readonly diversity?: { readonly lambda: number }
  readonly explore?: Exploration
  /** false: `recent` and `bought-together` stay as short as they are; else they are filled up. */
  readonly fill?: boolean
}

export const MAX_BOOSTS = 20
export const MAX_BOOST = 100
export const MAX_PINS = 20
export const MAX_PIN_POSITION = 199
export const MAX_RULE_EXCLUDED = 1_000
export const MAX_PER_RULES = 5

export type RulesErrorCode = 'RULES_INVALID'

/** Rules that cannot be used. `issues` names every one, with its path. */
export class RulesError extends CodedError<RulesErrorCode> {
  override readonly name = 'RulesError'
}

type Read<T> = (value: unknown, path: string, issues: Issue[]) => T | undefined

/**
 * Unknown JSON → rules, every problem with its path; fields nobody knows are problems too, as a misspelt rule would
 * otherwise be no rule.
 *
 * @throws {RulesError} `RULES_INVALID`
 */
export function parseRules(input: unknown, path = 'rules'): SlotRules {
  const issues: Issue[] = []
  const rules = readRules(input, path, issues)
  if (rules !== undefined && issues.length === 0) return rules
  const shown = issues.slice(0, 3).map((issue) => issue.message)
  throw new RulesError('RULES_INVALID', shown.join('; '), { issues })
}

const readRules: Read<SlotRules> = (input, path, issues) =>
  readFields<SlotRules>(input, path, issues, {
    strategy: (value, at, into) =>
      STRATEGIES.find((known) => known === value) ??
      failInto(into, RULE_INVALID)(at, STRATEGIES.join(' or '), value),
    filter: parseExpression,
    boosts: listOf(MAX_BOOSTS, (value, at, into) =>
      readAll<Boost>(value, at, into, { when: parseExpression, add: numberFrom(-MAX_BOOST, MAX_BOOST) }),
    ),
    pins: (value, at, into) => {
      const pins = listOf(MAX_PINS, (one, where, found) =>
        readAll<Pin>(one, where, found, { item: readId, position: wholeFrom(0, MAX_PIN_POSITION) }),
      )(value, at, into)
      for (const name of ['item', 'position'] as const) {
        const twice = pins?.findIndex((pin, index) => pins.findIndex((p) => p[name] === pin[name]) < index)
        if (pins !== undefined && twice !== undefined && twice >= 0)
          failInto(into, RULE_INVALID)(`${at}[${twice}].${name}`, 'one of its own', pins[twice]?.[name])
      }
      return pins
    },
    exclude: listOf(MAX_RULE_EXCLUDED, readId),
    maxPer: listOf(MAX_PER_RULES, (value, at, into) =>
      readAll<MaxPer>(value, at, into, { attr: readName, k: wholeFrom(1, 200) }),
    ),
    minStock: numberFrom(0, 1e12),
    diversity: (value, at, into) =>
      readAll<{ lambda: number }>(value, at, into, { lambda: numberFrom(0, 1) }),
    explore: (value, at, into) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, 'temperature')
        ? readAll<{ temperature: number }>(value, at, into, { temperature: numberFrom(1e-3, 1e3) })
        : readAll<{ epsilon: number }>(value, at, into, { epsilon: numberFrom(0, 1) }),
    fill: (value, at, into) =>
      typeof value === 'boolean' ? value : failInto(into, RULE_INVALID)(at, 'true or false', value),
  })

const RULE_INVALID = 'RULE_INVALID'

type Readers<T> = { readonly [Name in keyof T]-?: Read<NonNullable<T[Name]>> }

/** An object whose fields may be absent. */
function readFields<T extends object>(
  input: unknown,
  path: string,
  issues: Issue[],
  readers: Readers<T>,
): Partial<T> | undefined {
  const fail = failInto(issues, RULE_INVALID)
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return fail(path, 'an object', input)
  const read: Partial<T> = {}
  for (const name of Object.keys(input)) {
    const at = `${path}.${name.slice(0, MAX_ATTRIBUTE_NAME_LENGTH)}`
    if (!Object.hasOwn(readers, name)) {
      fail(at, `one of ${Object.keys(readers).join(', ')}`, name)
      continue
    }
    const value = readers[name as keyof T](Reflect.get(input, name), at, issues)
    if (value !== undefined) read[name as keyof T] = value
  }
  return read
}

/** An object whose fields must all be there. */
function readAll<T extends object>(
  input: unknown,
  path: string,
  issues: Issue[],
  readers: Readers<T>,
): T | undefined {
  const before = issues.length
  const read = readFields<T>(input, path, issues, readers)
  if (read === undefined) return undefined
  const missing = Object.keys(readers).find((name) => !Object.hasOwn(input as object, name))
  if (missing !== undefined) return failInto(issues, RULE_INVALID)(`${path}.${missing}`, 'a value', undefined)
  return issues.length > before ? undefined : (read as T)
}

function listOf<T>(max: number, one: Read<T>): Read<readonly T[]> {
  return (value, path, issues) => {
    if (!Array.isArray(value) || value.length > max)
      return failInto(issues, RULE_INVALID)(path, `at most ${max} of them`, value)
    const entries = value.map((entry, index) => one(entry, `${path}[${index}]`, issues))
    return entries.every((entry) => entry !== undefined) ? entries : undefined
  }
}

function numberFrom(min: number, max: number): Read<number> {
  return (value, path, issues) =>
    typeof value === 'number' && value >= min && value <= max
      ? value
      : failInto(issues, RULE_INVALID)(path, `a number from ${min} to ${max}`, value)
}

function wholeFrom(min: number, max: number): Read<number> {
  return (value, path, issues) =>
    Number.isInteger(value)
      ? numberFrom(min, max)(value, path, issues)
      : failInto(issues, RULE_INVALID)(path, `a whole number from ${min} to ${max}`, value)
}

const readText =
  (max: number): Read<string> =>
  (value, path, issues) =>
    typeof value === 'string' && value.length >= 1 && value.length <= max
      ? value
      : failInto(issues, RULE_INVALID)(path, `1 to ${max} characters`, value)

const readId = readText(MAX_ITEM_ID_LENGTH)
const readName = readText(MAX_ATTRIBUTE_NAME_LENGTH)
