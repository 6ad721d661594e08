import { MAX_ITEM_ID_LENGTH, parseSessionToken, SessionTokenError, type Consent } from '@attune/core'
import * as v from 'valibot'
import { says } from './object.ts'

// What several requests and answers have in common.

export const MAX_HANDLE_LENGTH = 200
const MAX_TOKEN_LENGTH = 8_192

/** Text of `min` to `max` characters. */
export function text(max: number, min: number = 1): v.GenericSchema<string> {
  const expected = `${min} to ${max} characters`
  return v.pipe(v.string(expected), v.minLength(min, expected), v.maxLength(max, expected))
}

/** A whole number. */
export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER): v.GenericSchema<number> {
  const expected = max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min}` : `${min} to ${max}`
  return v.pipe(v.number(expected), v.integer(expected), v.minValue(min, expected), v.maxValue(max, expected))
}

export function oneOf<const T extends string>(choices: readonly T[]): v.GenericSchema<T> {
  return v.picklist(choices, choices.join(' or '))
}

/** At most `max` of something. */
export function list<T>(
  schema: v.GenericSchema<T>,
  max: number,
  expected: string = `at most ${max}`,
): v.GenericSchema<readonly T[]> {
  return v.pipe(v.array(schema, expected), v.maxLength(max, expected))
}

/** What an answer holds as many of as there are. */
export function many<T>(schema: v.GenericSchema<T>): v.GenericSchema<readonly T[]> {
  return v.array(schema)
}

export const finite: v.GenericSchema<number> = v.pipe(
  v.number('a finite number'),
  v.finite('a finite number'),
)
export const flag: v.GenericSchema<boolean> = v.boolean('true or false')
export const time: v.GenericSchema<number> = says(finite, 'Milliseconds since 1970')
export const isoTime: v.GenericSchema<string> = v.pipe(v.string(), v.isoTimestamp())
export const uuid: v.GenericSchema<string> = v.pipe(
  v.string('a UUID'),
  v.regex(
    /^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[1-8][0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$/,
    'a UUID',
  ),
)
export const itemId: v.GenericSchema<string> = says(
  text(MAX_ITEM_ID_LENGTH),
  'The id of an item, as the site knows it',
)
export const handle: v.GenericSchema<string> = says(
  text(MAX_HANDLE_LENGTH),
  'A visitor handle from `POST /v1/visitors`',
)
const TOKEN = '<range>:<version>#<lsn>[#<region>=<lsn>…]'
export const session: v.GenericSchema<string> = v.pipe(
  v.string(TOKEN),
  v.maxLength(MAX_TOKEN_LENGTH, TOKEN),
  v.check(isToken, TOKEN),
  v.description('The newest session token of an answer, as it came; opaque'),
)
export const consent: v.GenericSchema<Consent> = says(
  oneOf(['granted', 'denied']),
  'What the visitor has said; absent: granted, unless the browser sends `Sec-GPC: 1`',
)
export const epoch: v.GenericSchema<number> = says(whole(1), 'Number of a model')
export const delta: v.GenericSchema<number> = says(whole(0), 'Deltas applied to the model')

function isToken(text: string): boolean {
  if (text === '') return true
  try {
    parseSessionToken(text)
    return true
  } catch (error) {
    if (error instanceof SessionTokenError) return false
    throw error
  }
}
