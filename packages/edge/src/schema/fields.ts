import { MAX_ITEM_ID_LENGTH } from '@attune/core'
import * as v from 'valibot'

// What several requests have in common.

/** Text of `min` to `max` characters. */
export function text(max: number, min: number = 1): v.GenericSchema<string> {
  const expected = `${min} to ${max} characters`
  return v.pipe(v.string(expected), v.minLength(min, expected), v.maxLength(max, expected))
}

export const itemId: v.GenericSchema<string> = v.pipe(
  text(MAX_ITEM_ID_LENGTH),
  v.description('The id of an item, as the site knows it'),
)
