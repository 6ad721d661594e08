import { describe, type Issue } from './error.ts'
import { MAX_ITEM_ID_LENGTH } from './event/event.ts'

// The catalogue's attributes: what filters, boosts and rules may look at.

export type AttributeValue = string | number | boolean | readonly string[]

/**
 * Attributes of an item by name. Known to ranking: `category` (text: at most k of it in a list), `stock` (number),
 * `added` (milliseconds since 1970: when it came into the catalogue); all others are the deployer's own.
 */
export type ItemAttributes = Readonly<Record<string, AttributeValue>>

export const MAX_ATTRIBUTES = 64
export const MAX_ATTRIBUTE_NAME_LENGTH = 64
export const MAX_ATTRIBUTE_TEXT_LENGTH = 1_024
/** Texts of one attribute that is a list. */
export const MAX_ATTRIBUTE_LIST = 64

/** An item of the catalogue as Cosmos keeps it: container `items`. */
export interface ItemDocument {
  /** The item id in base64url: Cosmos refuses `/`, `\`, `?` and `#` in document ids. */
  readonly id: string
  /** Partition key: the item id. */
  readonly item: string
  readonly attributes: ItemAttributes
  /** When the edge received it, milliseconds since 1970. */
  readonly updated: number
  /**
   * A tombstone. The change feed of latest versions does not tell of deletions, so a deleted item stays for a while and
   * says so; `ttl` takes it away.
   */
  readonly deleted?: true
  /** Seconds; only of tombstones. */
  readonly ttl?: number
}

const NUMERIC: ReadonlySet<string> = new Set(['stock', 'added'])

/**
 * Unknown JSON → attributes of one item, with every problem and its path.
 *
 * @param path - where the input stands in what was sent: `items[3].attributes`
 * @returns attributes without prototype; what is wrong is left out of them
 */
export function parseAttributes(
  input: unknown,
  path: string,
): { attributes: ItemAttributes; issues: readonly Issue[] } {
  const issues: Issue[] = []
  const attributes = Object.create(null) as Record<string, AttributeValue>
  const fail = (at: string, expected: string, received: unknown): void => {
    const shown = describe(received)
    issues.push({
      path: at,
      code: 'ATTRIBUTE_INVALID',
      message: `${at}: expected ${expected}, received ${shown}`,
      expected,
      received: shown,
    })
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    fail(path, 'an object of attributes', input)
    return { attributes, issues }
  }
  const entries = Object.entries(input as Record<string, unknown>)
  if (entries.length > MAX_ATTRIBUTES) {
    fail(path, `at most ${MAX_ATTRIBUTES} attributes`, entries.length)
    return { attributes, issues }
  }
  for (const [name, value] of entries) {
    const expected = expectedOf(name, value)
    if (expected === undefined) attributes[name] = value as AttributeValue
    else fail(`${path}[${describe(name)}]`, expected, value)
  }
  return { attributes, issues }
}

/** @returns what should stand there; undefined when what stands there is good */
function expectedOf(name: string, value: unknown): string | undefined {
  if (name.length < 1 || name.length > MAX_ATTRIBUTE_NAME_LENGTH)
    return `a name of 1 to ${MAX_ATTRIBUTE_NAME_LENGTH} characters`
  if (NUMERIC.has(name)) return Number.isFinite(value) ? undefined : 'a number'
  const text = (one: unknown): boolean => typeof one === 'string' && one.length <= MAX_ATTRIBUTE_TEXT_LENGTH
  if (name === 'category') return text(value) ? undefined : 'a text'
  if (text(value) || typeof value === 'boolean' || Number.isFinite(value)) return undefined
  if (Array.isArray(value) && value.length <= MAX_ATTRIBUTE_LIST && value.every(text)) return undefined
  return `a number, true, false, a text of at most ${MAX_ATTRIBUTE_TEXT_LENGTH} characters or at most ${MAX_ATTRIBUTE_LIST} such texts`
}

/**
 * Unknown JSON → attributes by item id, as deltas and the `items` file carry them; null: not in the catalogue any more.
 *
 * @param path - where the input stands
 */
export function parseCatalogue(
  input: unknown,
  path: string,
): { catalogue: ReadonlyMap<string, ItemAttributes | null>; issues: readonly Issue[] } {
  const catalogue = new Map<string, ItemAttributes | null>()
  const issues: Issue[] = []
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    const expected = 'an object of attributes by item id'
    const message = `${path}: expected ${expected}, received ${describe(input)}`
    return { catalogue, issues: [{ path, code: 'CATALOGUE_INVALID', message, expected }] }
  }
  for (const [id, value] of Object.entries(input as Record<string, unknown>)) {
    const at = `${path}[${describe(id)}]`
    if (id.length < 1 || id.length > MAX_ITEM_ID_LENGTH) {
      const expected = `an item id of 1 to ${MAX_ITEM_ID_LENGTH} characters`
      const message = `${at}: expected ${expected}, received ${id.length}`
      issues.push({ path: at, code: 'CATALOGUE_INVALID', message, expected })
    } else if (value === null) catalogue.set(id, null)
    else {
      const parsed = parseAttributes(value, at)
      issues.push(...parsed.issues)
      catalogue.set(id, parsed.attributes)
    }
  }
  return { catalogue, issues }
}
