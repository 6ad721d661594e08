import { MAX_ITEM_ID_LENGTH, parseAttributes, type ItemAttributes } from '@attune/core'

/** What a document of the items container says: all attributes of an item, or null when it was deleted. */
export interface ItemChange {
  readonly item: string
  readonly attributes: ItemAttributes | null
}

/**
 * A document of the items container → what the catalogue says from now on; undefined for anything that is no item.
 * Attributes that are not understood are left out, as the edge that took them would have.
 */
export function toItemChange(document: unknown): ItemChange | undefined {
  if (typeof document !== 'object' || document === null) return undefined
  const { item, attributes, deleted } = document as Record<string, unknown>
  if (typeof item !== 'string' || item.length < 1 || item.length > MAX_ITEM_ID_LENGTH) return undefined
  if (deleted === true) return { item, attributes: null }
  if (typeof attributes !== 'object' || attributes === null || Array.isArray(attributes)) return undefined
  return { item, attributes: parseAttributes(attributes, 'attributes').attributes }
}
