/** Where an element stands, as its data attributes say. */
export interface Place {
  readonly item?: string | undefined
  readonly slot?: string | undefined
  readonly position?: number | undefined
  readonly decision?: string | undefined
  readonly value?: number | undefined
}

const number = (text: string | null | undefined): number | undefined =>
  text && Number.isFinite(+text) ? +text : undefined

/** `closest`, out of shadow roots too. */
export const closest = (element: Element | undefined, selector: string): Element | undefined =>
  element && (element.closest(selector) ?? closest((element.getRootNode() as ShadowRoot).host, selector))

/** The value of `data-attune-<name>`. */
export const attribute = (element: Element | undefined, name: string): string | null | undefined =>
  element?.getAttribute(`data-attune-${name}`)

/**
 * `data-attune-item` names the item an element stands for, `data-attune-slot` on the element around a list names the
 * list. `data-attune-position` (from 0) and `data-attune-decision` belong to an item, `data-attune-decision` also to a
 * slot. Without a position it is the item's place among the items of its slot.
 */
export function placeOf(element: Element): Place {
  const card = closest(element, '[data-attune-item]')
  const list = closest(card ?? element, '[data-attune-slot]')
  // On the node list itself: copying 200 cards into an array takes five times as long.
  const place =
    number(attribute(card, 'position')) ??
    ([] as unknown[]).indexOf.call(list?.querySelectorAll('[data-attune-item]') ?? [], card)
  return {
    item: attribute(card, 'item') || undefined,
    slot: attribute(list, 'slot') || undefined,
    // A card in a shadow root is not among those its slot can see.
    position: place < 0 ? undefined : place,
    // Empty on a card: nobody decided on it.
    decision: (attribute(card, 'decision') ?? attribute(list, 'decision')) || undefined,
    value: number(attribute(closest(element, '[data-attune-value]'), 'value')),
  }
}
