/**
 * Puts `next` where `old` stands, place by place, so that the page's own content holds the room until the moment it is
 * replaced and nothing around it moves.
 *
 * - Fewer new than old: the old ones that are not shown already keep the remaining places.
 * - A card that has the focus stays where it is: nothing jumps away under a person using the keyboard.
 * - A card already in its place is not touched.
 *
 * @param container - where further cards go when there are more new than old
 * @returns all cards, in their new order
 */
export function arrange(container: Element, old: readonly Element[], next: readonly Element[]): Element[] {
  const unique = [...new Set(next)]
  const order = [...unique]
  for (const card of old) if (order.length < old.length && !unique.includes(card)) order.push(card)

  const focusedAt = old.findIndex((card) => card.matches(':focus-within'))
  const focused = old[focusedAt]
  if (focused !== undefined) {
    const at = order.indexOf(focused)
    if (at >= 0) order.splice(at, 1)
    else order.pop()
    order.splice(focusedAt, 0, focused)
  }

  const places = old.map((card, index) => {
    if (card === order[index]) return undefined
    const place = document.createComment('')
    card.replaceWith(place)
    return place
  })
  order.forEach((card, index) => {
    const place = places[index]
    if (place !== undefined) place.replaceWith(card)
    else if (index >= old.length) (old.at(-1)?.parentElement ?? container).append(card)
  })
  return order
}
