import { html } from 'hono/html'
import type { Site } from '../site.ts'
import { shelf } from './card.ts'
import { layout } from './layout.ts'
import type { Markup } from './markup.ts'
import { windowDressing } from './picks.ts'

export function missingPage(site: Site): Markup {
  return layout(site, {
    title: 'Not here — Tuppence',
    main: html`<section class="plain">
        <h1>We looked everywhere.</h1>
        <p>There is nothing at this address. There is plenty elsewhere.</p>
      </section>
      ${shelf({ slot: 'trending', title: 'Trending', line: 'What everybody has been clicking lately.', meanwhile: windowDressing(5) })}`,
  })
}
