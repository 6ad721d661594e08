import type { TrackedEvent } from '@attune/core'
import { given } from './given.ts'

/** Where an element stands, as its data attributes say. */
export type Place = Pick<TrackedEvent, 'item' | 'slot' | 'position' | 'decision' | 'value'>

const number = (text: string | undefined): number | undefined =>
  text && Number.isFinite(+text) ? +text : undefined

/** `closest`, out of shadow roots too. */
export function closest(element: Element | undefined, selector: string): Element | undefined {
  for (let at = element; at !== undefined;) {
    const found = at.closest(selector)
    if (found !== null) return found
    const root: Node = at.getRootNode()
    at = root instanceof ShadowRoot ? root.host : undefined
  }
  return undefined
}

/**
 * `data-attune-item` names the item an element stands for, `data-attune-slot` on the element around a list names the
 * list. `data-attune-position` (from 0) and `data-attune-decision` belong to an item, `data-attune-decision` also to a
 * slot. Without a position it is the item's place among the items of its slot.
 */
export function placeOf(element: Element): Place {
  const card = closest(element, '[data-attune-item]')
  const list = closest(card ?? element, '[data-attune-slot]')
  const of = (from: Element | undefined, name: string): string | undefined =>
    from?.getAttribute(`data-attune-${name}`) ?? undefined
  let position = number(of(card, 'position'))
  if (position === undefined && card && list) {
    position = [...list.querySelectorAll('[data-attune-item]')].indexOf(card)
  }
  return given<Place>({
    item: of(card, 'item'),
    slot: of(list, 'slot'),
    // A card in a shadow root is not among those its slot can see.
    position: position === -1 ? undefined : position,
    decision: of(card, 'decision') ?? of(list, 'decision'),
    value: number(of(closest(element, '[data-attune-value]'), 'value')),
  })
}
