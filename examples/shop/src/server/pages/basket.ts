import { html } from 'hono/html'
import type { Site } from '../site.ts'
import { shelf } from './card.ts'
import { layout } from './layout.ts'
import type { Markup } from './markup.ts'
import { windowDressing } from './picks.ts'

/** The basket is kept in the browser; browser/basket.ts draws it. */
export function basketPage(site: Site): Markup {
  return layout(site, {
    title: 'Basket — Tuppence',
    main: html`
      <section class="plain">
        <h1>Your basket</h1>
        <div class="basket" data-basket>
          <noscript
            ><p>The basket needs JavaScript: it is kept in this browser and nowhere else.</p></noscript
          >
        </div>
      </section>
      ${shelf({
        slot: 'for-you',
        live: true,
        title: 'For you',
        line: 'Goes well with what you have.',
        meanwhile: windowDressing(4),
      })}
    `,
  })
}
