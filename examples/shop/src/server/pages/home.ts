import { html } from 'hono/html'
import { CATALOGUE } from '../../catalogue/catalogue.ts'
import { DEPARTMENTS } from '../../catalogue/departments.ts'
import { layout } from './layout.ts'
import type { Site } from '../site.ts'
import { card, shelf } from './card.ts'
import type { Markup } from './markup.ts'
import { windowDressing } from './picks.ts'

export function home(site: Site): Markup {
  const fresh = CATALOGUE.filter(({ department }) => department === 'studio')
  return layout(site, {
    title: 'Tuppence — a general store of small delights',
    main: html`
      <section class="hero">
        <div>
          <h1>A general store<br />that <em>notices.</em></h1>
          <p>
            ${CATALOGUE.length.toLocaleString('en')} small delights. Click what you like: your very next list
            already knows. Open
            <button type="button" class="link" data-drawer-open>What just happened</button> to watch it.
          </p>
        </div>
        <div class="hero-art" aria-hidden="true">
          ${['teapot', 'fox', 'kite', 'croissant', 'telescope', 'roller-skate', 'cactus'].map(
            (icon) => html`<img src="/icons/${icon}.svg" alt="" width="120" height="120" />`,
          )}
        </div>
      </section>
      ${shelf({
        slot: 'for-you',
        live: true,
        title: 'For you',
        line: 'What most people like, until you click something.',
        meanwhile: windowDressing(0),
        eager: true,
      })}
      <section class="shelf" aria-labelledby="all-departments">
        <header><h2 id="all-departments">Have a wander</h2></header>
        <ul class="doors">
          ${DEPARTMENTS.map(
            ({ id, name, icon, hue }) =>
              html`<li style="--hue:${hue}">
                <a href="/d/${id}"
                  ><img src="/icons/${icon}.svg" alt="" width="56" height="56" loading="lazy" /><span
                    >${name}</span
                  ></a
                >
              </li>`,
          )}
        </ul>
      </section>
      ${shelf({ slot: 'trending', title: 'Trending', line: 'What everybody has been clicking lately.', meanwhile: windowDressing(1) })}
      <section class="shelf" aria-labelledby="from-the-studio">
        <header>
          <h2 id="from-the-studio">Fresh from our print studio</h2>
          <p>Drawn upstairs, made to order.</p>
        </header>
        <div class="goods">
          ${[3, 27, 46, 70, 85, 97].flatMap((at) => (fresh[at] === undefined ? [] : [card(fresh[at])]))}
        </div>
      </section>
    `,
  })
}
