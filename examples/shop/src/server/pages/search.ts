import { html } from 'hono/html'
import { searchGoods } from '../search.ts'
import type { Site } from '../site.ts'
import { card, shelf } from './card.ts'
import { layout } from './layout.ts'
import type { Markup } from './markup.ts'
import { windowDressing } from './picks.ts'

const IDEAS = ['fox', 'japanese', 'picnic', 'camping', 'tea', 'retro', 'space', 'rust']

export function searchPage(site: Site, query: string): Markup {
  const goods = query === '' ? [] : searchGoods(query)
  return layout(site, {
    title: query === '' ? 'Search — Tuppence' : `“${query}” — Tuppence`,
    query,
    main: html`
      <section class="plain">
        <h1>${query === '' ? 'What are you after?' : html`“${query}”`}</h1>
        <p role="status">
          ${query === '' ? 'Type above, or try one of these.' : goods.length === 0 ? 'Nothing by that name. Perhaps one of these?' : `${goods.length} goods`}
        </p>
        ${goods.length === 0 ? html`<p class="tags">${IDEAS.map((idea) => html`<a href="/search?q=${idea}">${idea}</a>`)}</p>` : ''}
      </section>
      <div class="goods" data-attune-slot="search">${goods.map((good, index) => card(good, index < 12))}</div>
      ${goods.length === 0 ? shelf({ slot: 'for-you', title: 'For you', line: 'In the meantime.', meanwhile: windowDressing(3) }) : ''}
    `,
  })
}
