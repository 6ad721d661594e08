import { html } from 'hono/html'
import { variantsOf } from '../../catalogue/catalogue.ts'
import { department } from '../../catalogue/departments.ts'
import type { Good } from '../../catalogue/good.ts'
import { money } from '../money.ts'
import type { Site } from '../site.ts'
import { hueOf, shelf } from './card.ts'
import { layout } from './layout.ts'
import type { Markup } from './markup.ts'
import { neighboursOf, windowDressing } from './picks.ts'

const MAX_VARIANTS = 8

export function productPage(site: Site, good: Good): Markup {
  const { id, name, price, blurb, themes } = good
  const shelfOf = department(good.department)
  const variants = variantsOf(good).slice(0, MAX_VARIANTS)
  return layout(site, {
    title: `${name} — Tuppence`,
    description: blurb,
    department: good.department,
    main: html`
      <nav class="crumbs" aria-label="You are here">
        <a href="/">Shop</a> <span aria-hidden="true">/</span>
        <a href="/d/${good.department}">${shelfOf?.name ?? ''}</a>
      </nav>
      <article class="product" data-attune-view="${id}" style="--hue:${hueOf(good)}">
        <div class="stage">
          <img src="/pictures/${id}.svg" alt="" width="360" height="360" fetchpriority="high" />
        </div>
        <div class="facts">
          <h1>${name}</h1>
          <p class="price">${money(price)}</p>
          <p class="blurb">${blurb}</p>
          <p class="tags">
            ${[...new Set(themes)].map((theme) => html`<a href="/search?q=${encodeURIComponent(theme)}">${theme}</a>`)}
          </p>
          <div class="buy" data-attune-item="${id}" data-attune-value="${price / 100}">
            <button class="primary" type="button" data-attune-event="add-to-cart" data-add="${id}">
              Put in the basket
            </button>
            <button
              class="quiet"
              type="button"
              data-attune-event="like"
              data-like
              aria-pressed="false"
              aria-label="I like ${name}"
            >
              <span aria-hidden="true">♥</span> Like
            </button>
            <button
              class="quiet"
              type="button"
              data-attune-event="dislike"
              data-dislike
              aria-label="Not for me: ${name}"
            >
              Not for me
            </button>
          </div>
          ${
            variants.length > 0
              ? html`<div class="variants">
                  <h2>${good.picture.kind === 'print' ? 'Also with this drawing' : 'Also as'}</h2>
                  <ul>
                    ${variants.map(
                      (other) =>
                        html`<li data-attune-item="${other.id}">
                          <a href="/p/${other.id}" style="--hue:${hueOf(other)}"
                            ><img src="/pictures/${other.id}.svg" alt="${other.name}" width="52" height="52"
                          /></a>
                        </li>`,
                    )}
                  </ul>
                </div>`
              : ''
          }
          <p class="small">Free make-believe delivery. Nothing is charged, nothing is sent.</p>
        </div>
      </article>
      ${shelf({ slot: 'similar', title: 'More like this', line: `What goes with ${name}.`, like: id, exclude: id, meanwhile: neighboursOf(good) })}
      ${shelf({ slot: 'for-you', title: 'For you', line: 'It already counts what you just clicked.', meanwhile: windowDressing(2) })}
    `,
  })
}
