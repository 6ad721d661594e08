import { html, raw } from 'hono/html'
import { DEPARTMENTS } from '../../catalogue/departments.ts'
import type { Site } from '../site.ts'
import { drawer } from './drawer.ts'
import type { Markup } from './markup.ts'

const ICONS = {
  search: '<path d="m20 20-4.6-4.6M17.5 10.75a6.75 6.75 0 1 1-13.5 0 6.75 6.75 0 0 1 13.5 0"/>',
  basket:
    '<path d="M3.5 10h17l-1.6 9.2a1.5 1.5 0 0 1-1.48 1.25H6.58a1.5 1.5 0 0 1-1.48-1.25zM8 10l3-6m5 6-3-6"/>',
}

function glyph(name: keyof typeof ICONS): Markup {
  return html`<svg class="glyph" viewBox="0 0 24 24" aria-hidden="true">${raw(ICONS[name])}</svg>`
}

/** Keeps what the client reports before the shop's own script has loaded. */
const EARLY =
  "<script>window.attune=window.attune||[];window.early=[];for(const n of ['queued','stored','ranked'])attune.push(['on',n,d=>early&&early.push([n,d])])</script>"

export interface Page {
  readonly title: string
  readonly description?: string
  /** Department in whose colours and under whose name the page stands. */
  readonly department?: string
  readonly query?: string
  readonly main: Markup
}

/** The whole document around a page's main part. */
export function layout(site: Site, { title, description, department, query = '', main }: Page): Markup {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="theme-color" content="#fbf6ec" media="(prefers-color-scheme: light)" />
        <meta name="theme-color" content="#17150f" media="(prefers-color-scheme: dark)" />
        <meta
          name="description"
          content="${description ?? 'Tuppence, a general store of small delights that notices what you like.'}"
        />
        <title>${title}</title>
        <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
        ${site.assets.fonts.map((font) => html`<link rel="preload" href="${font}" as="font" type="font/woff2" crossorigin />`)}
        <link rel="stylesheet" href="${site.assets.styles}" />
        ${raw(EARLY)}
        <script async src="/attune.js" data-endpoint="${site.endpoint}" data-site="${site.siteKey}"></script>
        <script type="module" src="${site.assets.script}"></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the goods</a>
        <header class="top">
          <a class="brand" href="/" aria-label="Tuppence, home">
            <img src="/favicon.svg" alt="" width="34" height="34" /><span>Tuppence</span>
          </a>
          <form class="search" action="/search" role="search" data-attune-search="q">
            <label class="hidden" for="q">Search the shop</label>
            ${glyph('search')}
            <input
              id="q"
              name="q"
              type="search"
              value="${query}"
              placeholder="Search 1,200 small delights"
              autocomplete="off"
              maxlength="100"
              enterkeyhint="search"
            />
          </form>
          <a class="basket-link" href="/basket" data-basket-link>
            ${glyph('basket')}<span class="basket-word">Basket</span
            ><span class="count" data-basket-count hidden>0</span
            ><span class="hidden" data-basket-words></span>
          </a>
        </header>
        <nav class="departments" aria-label="Departments">
          <ul>
            ${DEPARTMENTS.map(
              ({ id, name, hue }) =>
                html`<li style="--hue:${hue}">
                  <a href="/d/${id}" ${raw(id === department ? 'aria-current="page"' : '')}>${name}</a>
                </li>`,
            )}
          </ul>
        </nav>
        <main id="main" tabindex="-1">${main}</main>
        <footer class="foot">
          <p>
            <strong>Tuppence is make-believe.</strong> Nothing is sold and nothing is sent. Its first
            suggestions were learnt from <b>${site.training.shoppers.toLocaleString('en')}</b> simulated
            shoppers with tastes of their own (${site.training.clicks.toLocaleString('en')} clicks, none by a
            person); from here on, real clicks count: yours.
          </p>
          <p>
            <a href="/about">How it works</a> · Pictures:
            <a href="https://github.com/microsoft/fluentui-emoji">Fluent Emoji</a> by Microsoft (MIT), some
            recoloured or printed on things · An example of Attune (MIT)
          </p>
        </footer>
        ${drawer()}
        <div class="toast" role="status" aria-live="polite" data-toast></div>
      </body>
    </html>`
}
