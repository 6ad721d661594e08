import {
  MAX_ATTRIBUTE_LIST,
  MAX_ATTRIBUTE_NAME_LENGTH,
  MAX_ATTRIBUTE_TEXT_LENGTH,
  MAX_ATTRIBUTES,
  MAX_ITEM_ID_LENGTH,
  type AttributeValue,
  type Issue,
  type ItemAttributes,
} from '@attune/core'
import * as v from 'valibot'
import { finite, many, text, time, whole } from './fields.ts'
import { may, object, says } from './object.ts'
import { issue } from './problem.ts'

/** An item as the site's server sends it: what it is now, whole; or that it is gone. */
export type ItemChange =
  | { readonly id: string; readonly attributes: ItemAttributes; readonly deleted?: false }
  | { readonly id: string; readonly deleted: true }

export interface ItemsRequest {
  readonly items: readonly unknown[]
}

/** 1,000 items with attributes of 4,000 characters. */
export const MAX_ITEMS_BYTES = 5_000_000
export const MAX_ITEMS_PER_REQUEST = 1_000
/** As JSON. Attributes of the whole catalogue are held in memory by every edge: 43,000 items of 200 bytes are 9 MB. */
export const MAX_ATTRIBUTES_LENGTH = 4_000
/** Cosmos takes document ids of 1,023 bytes; an id's bytes become 4/3 as many characters of base64url. */
const MAX_ID_BYTES = 767

const ID = `1 to ${MAX_ITEM_ID_LENGTH} characters of at most ${MAX_ID_BYTES} bytes, not . or ..`
/** Dots alone cannot be said in a path: every URL parser takes them away. */
const id: v.GenericSchema<string> = v.pipe(
  v.string(ID),
  v.minLength(1, ID),
  v.maxLength(MAX_ITEM_ID_LENGTH, ID),
  v.check((id) => id !== '.' && id !== '..' && storable(id), ID),
  v.description('The id of an item, as the site knows it'),
)

const NAME = `a name of 1 to ${MAX_ATTRIBUTE_NAME_LENGTH} of A–Z, a–z, 0–9, _ and -, beginning with a letter`
const VALUE = `text of at most ${MAX_ATTRIBUTE_TEXT_LENGTH} characters, a finite number, true, false, or at most ${MAX_ATTRIBUTE_LIST} texts`
const value: v.GenericSchema<AttributeValue> = v.union(
  [
    text(MAX_ATTRIBUTE_TEXT_LENGTH, 0),
    finite,
    v.boolean(),
    v.pipe(v.array(text(MAX_ATTRIBUTE_TEXT_LENGTH, 0)), v.maxLength(MAX_ATTRIBUTE_LIST)),
  ],
  VALUE,
)

const attributes = v.objectWithRest(
  {
    category: may(says(text(MAX_ATTRIBUTE_TEXT_LENGTH, 0), 'At most so many of one in a list')),
    stock: may(says(finite, 'How many there are to sell')),
    added: may(says(time, 'Milliseconds since 1970: when it came into the catalogue')),
  },
  value,
  'an object of attributes',
)

export const itemAttributes: v.GenericSchema<ItemAttributes> = v.pipe(
  attributes,
  v.check((attributes) => Object.keys(attributes).every(isName), NAME),
  v.check(
    (attributes) => Object.keys(attributes).length <= MAX_ATTRIBUTES,
    `at most ${MAX_ATTRIBUTES} attributes`,
  ),
  v.check(
    (attributes) => JSON.stringify(attributes).length <= MAX_ATTRIBUTES_LENGTH,
    `at most ${MAX_ATTRIBUTES_LENGTH} characters of JSON`,
  ),
) as v.GenericSchema<ItemAttributes>

export const itemChange: v.GenericSchema<ItemChange> = v.variant(
  'deleted',
  [
    v.object({ id, deleted: v.literal(true) }),
    v.object({ id, attributes: itemAttributes, deleted: v.exactOptional(v.literal(false)) }),
  ],
  'an object with id, and attributes or "deleted": true',
) as v.GenericSchema<ItemChange>

const ITEMS = `an array of 1 to ${MAX_ITEMS_PER_REQUEST} items`
/** Each item is checked by itself, so that one that is wrong does not hold up the others. */
export const itemsRequest: v.GenericSchema<ItemsRequest> = v.object({
  items: v.pipe(
    v.array(v.unknown(), ITEMS),
    v.minLength(1, ITEMS),
    v.maxLength(MAX_ITEMS_PER_REQUEST, ITEMS),
  ),
})

export interface ItemsResponse {
  readonly stored: number
  readonly deleted: number
  readonly rejected: readonly Issue[]
  readonly session?: string
}

export const itemsResponse: v.GenericSchema<ItemsResponse> = object<ItemsResponse>({
  stored: whole(0),
  deleted: whole(0),
  rejected: many(issue),
  session: may(v.string()),
})

export interface ItemResponse {
  readonly id: string
  readonly attributes: ItemAttributes
  readonly updated: number
}

export const itemResponse: v.GenericSchema<ItemResponse> = object<ItemResponse>({
  id,
  attributes: itemAttributes,
  updated: time,
})

function isName(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_-]*$/.test(name) && name.length <= MAX_ATTRIBUTE_NAME_LENGTH
}

function storable(id: string): boolean {
  // Half a character would be stored as another one.
  return !/\p{Surrogate}/u.test(id) && new TextEncoder().encode(id).length <= MAX_ID_BYTES
}
