import { html, raw } from 'hono/html'
import { department } from '../../catalogue/departments.ts'
import type { Good } from '../../catalogue/good.ts'
import { money } from '../money.ts'
import { LIST_LENGTH } from '../site.ts'
import type { Markup } from './markup.ts'

/** What a card shows; the same names stand in braces in the slots' templates. */
export interface CardFields {
  readonly id: string
  readonly name: string
  readonly price: string
  readonly hue: string
}

export function cardFields(good: Good): CardFields {
  return { id: good.id, name: good.name, price: money(good.price), hue: String(hueOf(good)) }
}

export function hueOf(good: Good): number {
  return department(good.department)?.hue ?? 40
}

const PLACEHOLDERS: CardFields = { id: '{id}', name: '{name}', price: '{price}', hue: '{hue}' }

function cardOf({ id, name, price, hue }: CardFields, eager: boolean): Markup {
  return html`<article class="card" data-attune-item="${id}" style="--hue:${hue}">
    <a href="/p/${id}"
      ><span class="tile"
        ><img
          src="/pictures/${id}.svg"
          alt=""
          width="96"
          height="96"
          loading="${eager ? 'eager' : 'lazy'}"
          decoding="async" /></span
      ><span class="name">${name}</span><span class="price">${price}</span></a
    >
    <button
      class="add"
      type="button"
      data-attune-event="add-to-cart"
      data-add="${id}"
      aria-label="Put ${name} in the basket"
    ></button>
  </article>`
}

/** One good in a list. */
export function card(good: Good, eager = false): Markup {
  return cardOf(cardFields(good), eager)
}

export interface Shelf {
  readonly slot: 'for-you' | 'similar' | 'trending'
  readonly title: string
  readonly line: string
  /** Good that `similar` starts from. */
  readonly like?: string
  readonly exclude?: string
  /** What stands there until the list arrives, and stays when it does not. */
  readonly meanwhile: readonly Good[]
  readonly eager?: boolean
  /** Ranked again after every action on the page. */
  readonly live?: boolean
}

/** A list that Attune fills. */
export function shelf({
  slot,
  title,
  line,
  like,
  exclude,
  meanwhile,
  eager = false,
  live = false,
}: Shelf): Markup {
  return html`<section class="shelf" aria-labelledby="shelf-${slot}">
    <header>
      <h2 id="shelf-${slot}">${title}</h2>
      <p>${line}</p>
    </header>
    <div
      class="goods"
      data-attune-slot="${slot}"
      data-attune-strategy="${slot}"
      data-attune-k="${LIST_LENGTH}"
      data-attune-items="/goods.json?ids={ids}"
      ${live ? raw('data-attune-live') : ''}
      ${like === undefined ? '' : html`data-attune-like="${like}"`}
      ${exclude === undefined ? '' : html`data-attune-exclude="${exclude}"`}
    >
      <template>${cardOf(PLACEHOLDERS, eager)}</template>
      ${meanwhile.slice(0, LIST_LENGTH).map((good) => card(good, eager))}
    </div>
  </section>`
}
