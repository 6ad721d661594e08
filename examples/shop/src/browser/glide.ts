import { listen } from './attune.ts'
import { calm } from './dom.ts'

const GLIDE_MS = 420

/**
 * Cards of a list that is ranked anew glide from their old places to their new ones, and new ones fade in: one sees what
 * the click did.
 */
export function startGliding(): void {
  listen(([name, detail]) => {
    if (name !== 'ranked' || calm()) return
    for (const slot of document.querySelectorAll(`[data-attune-slot="${CSS.escape(detail.request.slot)}"]`))
      glide(slot)
  })
}

/** Called before the cards move; animates after they have. */
function glide(slot: Element): void {
  const cards = () => [...slot.querySelectorAll<HTMLElement>('[data-attune-item]')]
  const before = new Map(cards().map((card) => [card, card.getBoundingClientRect()]))
  const changes = new MutationObserver(() => {
    changes.disconnect()
    cards().forEach((card, place) => {
      const old = before.get(card)
      const now = card.getBoundingClientRect()
      const frames =
        old === undefined
          ? [
              { opacity: 0, transform: 'scale(.94)' },
              { opacity: 1, transform: 'none' },
            ]
          : [{ transform: `translate(${old.x - now.x}px, ${old.y - now.y}px)` }, { transform: 'none' }]
      card.animate(frames, {
        duration: GLIDE_MS,
        delay: old === undefined ? place * 18 : 0,
        easing: 'cubic-bezier(.2,.8,.2,1)',
        fill: 'backwards',
      })
    })
  })
  changes.observe(slot, { childList: true })
  setTimeout(() => changes.disconnect(), 1_500)
}
