import type { TrackedEvent } from '@attune/core'

/** Where an element stands, as its data attributes say. */
export type Place = Pick<TrackedEvent, 'item' | 'slot' | 'position' | 'decision' | 'value'>

const number = (text: string | null | undefined): number | undefined => {
  const value = Number(text ?? '')
  return text && Number.isFinite(value) ? value : undefined
}

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
  const item = card?.getAttribute('data-attune-item')
  const slot = list?.getAttribute('data-attune-slot')
  const decision = card?.getAttribute('data-attune-decision') ?? list?.getAttribute('data-attune-decision')
  const value = number((closest(element, '[data-attune-value]') ?? element).getAttribute('data-attune-value'))
  let position = number(card?.getAttribute('data-attune-position'))
  if (position === undefined && card && list) {
    const index = [...list.querySelectorAll('[data-attune-item]')].indexOf(card)
    if (index >= 0) position = index
  }
  return {
    ...(item && { item }),
    ...(slot && { slot }),
    ...(position !== undefined && { position }),
    ...(decision && { decision }),
    ...(value !== undefined && { value }),
  }
}
