// The catalogue's attributes: what filters, boosts and rules may look at.

export type AttributeValue = string | number | boolean | readonly string[]

/**
 * Attributes of an item by name. Known to ranking: `category` (text: at most k of it in a list), `stock` (number),
 * `added` (milliseconds since 1970: when it came into the catalogue); all others are the deployer's own.
 */
export type ItemAttributes = Readonly<Record<string, AttributeValue>>

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
