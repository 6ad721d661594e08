import { html, raw } from 'hono/html'
import { CATALOGUE } from '../../catalogue/catalogue.ts'
import type { Department, Good } from '../../catalogue/good.ts'
import type { Site } from '../site.ts'
import { card } from './card.ts'
import { layout } from './layout.ts'
import type { Markup } from './markup.ts'

const PER_PAGE = 48

export type Order = 'picked' | 'cheap' | 'dear' | 'name'

const ORDERS: Readonly<
  Record<Order, { readonly name: string; readonly sort?: (a: Good, b: Good) => number }>
> = {
  picked: { name: 'As we’d show you round' },
  cheap: { name: 'Pennies first', sort: (a, b) => a.price - b.price },
  dear: { name: 'Splurges first', sort: (a, b) => b.price - a.price },
  name: { name: 'A to Z', sort: (a, b) => a.name.localeCompare(b.name, 'en') },
}

export function isOrder(text: string | undefined): text is Order {
  return text !== undefined && Object.hasOwn(ORDERS, text)
}

/** Goods of a department in their own order: each thing once first, then its colours and packs. */
function goodsOf(id: string): Good[] {
  const goods = CATALOGUE.filter((good) => good.department === id)
  const seen = new Set<string>()
  const first = goods.filter(
    ({ family, picture }) => picture.kind === 'print' || (!seen.has(family) && seen.add(family)),
  )
  const heads = new Set(first)
  // Cards and mugs take turns instead of standing in blocks.
  const spread =
    id === 'studio'
      ? first.map((_, at) => first[(at * 29) % first.length]).flatMap((good) => good ?? [])
      : first
  return [...spread, ...goods.filter((good) => !heads.has(good))]
}

export function departmentPage(site: Site, department: Department, order: Order, page: number): Markup {
  const { id, name, line, icon, hue } = department
  const goods = goodsOf(id)
  const { sort } = ORDERS[order]
  if (sort !== undefined) goods.sort(sort)
  const pages = Math.ceil(goods.length / PER_PAGE)
  const at = Math.min(Math.max(1, page), pages)
  const href = (to: number) => `/d/${id}?sort=${order}&page=${to}`
  return layout(site, {
    title: `${name} — Tuppence`,
    description: line,
    department: id,
    main: html`
      <section class="banner" style="--hue:${hue}">
        <div>
          <h1>${name}</h1>
          <p>${line}</p>
        </div>
        <img src="/icons/${icon}.svg" alt="" width="112" height="112" />
      </section>
      <div class="bar">
        <p>${goods.length} goods</p>
        <form action="/d/${id}" data-auto>
          <label for="sort">Order</label>
          <select id="sort" name="sort">
            ${Object.entries(ORDERS).map(
              ([key, { name: label }]) =>
                html`<option value="${key}" ${raw(key === order ? 'selected' : '')}>${label}</option>`,
            )}
          </select>
          <noscript><button>Sort</button></noscript>
        </form>
      </div>
      <div class="goods" data-attune-slot="department">
        ${goods.slice((at - 1) * PER_PAGE, at * PER_PAGE).map((good, index) => card(good, index < 12))}
      </div>
      ${
        pages > 1
          ? html`<nav class="pages" aria-label="Pages">
              ${at > 1 ? html`<a href="${href(at - 1)}" rel="prev">← Back</a>` : html`<span></span>`}
              <span>Page ${at} of ${pages}</span>
              ${at < pages ? html`<a href="${href(at + 1)}" rel="next">More →</a>` : html`<span></span>`}
            </nav>`
          : ''
      }
    `,
  })
}
