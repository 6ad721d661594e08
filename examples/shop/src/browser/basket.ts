import { track } from './attune.ts'
import { h } from './dom.ts'
import { factsOf, type GoodFacts } from './goods.ts'
import { toast } from './toast.ts'

const KEY = 'tuppence-basket'
const MOST = 99
const EURO = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })

type Basket = Readonly<Record<string, number>>

function read(): Basket {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Basket
  } catch {
    return {}
  }
}

function write(basket: Basket): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(basket))
  } catch {
    // Storage refused: the basket lasts as long as the page.
  }
  drawCount(basket)
}

function drawCount(basket: Basket): void {
  const count = Object.values(basket).reduce((sum, n) => sum + n, 0)
  const badge = document.querySelector<HTMLElement>('[data-basket-count]')
  if (badge === null) return
  badge.hidden = count === 0
  badge.textContent = String(count)
  const words = document.querySelector('[data-basket-words]')
  if (words !== null) words.textContent = count === 0 ? '' : count === 1 ? ' thing' : ' things'
}

function put(id: string, count: number): void {
  const { [id]: _, ...others } = read()
  write(count > 0 ? { ...others, [id]: Math.min(MOST, count) } : others)
}

/** Buttons that put things into the basket, and its count in the header. */
export function startBasket(): void {
  document.addEventListener('click', (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-add]') : null
    const id = button?.dataset['add']
    if (id === undefined) return
    put(id, (read()[id] ?? 0) + 1)
    void factsOf([id]).then((facts) => toast(`${facts.get(id)?.name ?? 'It'} is in your basket.`))
  })
  window.addEventListener('storage', (event) => {
    if (event.key === KEY) drawCount(read())
  })
  drawCount(read())
}

/** Fills the basket's page, when it is the one shown. */
export async function drawBasket(): Promise<void> {
  const place = document.querySelector<HTMLElement>('[data-basket]')
  if (place === null) return
  const basket = read()
  const ids = Object.keys(basket)
  const facts = await factsOf(ids)
  const lines = ids.flatMap((id) => {
    const good = facts.get(id)
    return good === undefined ? [] : [{ good, count: basket[id] ?? 0 }]
  })
  if (lines.length === 0) {
    place.replaceChildren(
      h('p', { class: 'empty' }, 'Nothing in it yet. ', h('a', { href: '/' }, 'Have a wander.')),
    )
    return
  }
  const total = lines.reduce((sum, { good, count }) => sum + good.cents * count, 0)
  place.replaceChildren(
    h('ul', { class: 'lines' }, ...lines.map(({ good, count }) => line(good, count))),
    h(
      'div',
      { class: 'total' },
      h('p', {}, 'Together ', h('b', {}, EURO.format(total / 100))),
      h(
        'button',
        { type: 'button', class: 'primary', onclick: () => checkOut(lines) },
        'Check out, make-believe',
      ),
    ),
  )
}

function line(good: GoodFacts, count: number): HTMLElement {
  const change = (by: number) => () => {
    put(good.id, count + by)
    void drawBasket().then(() =>
      document.querySelector<HTMLElement>(`[data-line="${good.id}"] button[data-by="${by}"]`)?.focus(),
    )
  }
  return h(
    'li',
    { 'data-line': good.id, style: `--hue:${good.hue}` },
    h(
      'a',
      { href: `/p/${good.id}`, class: 'tile', tabindex: -1, 'aria-hidden': 'true' },
      h('img', { src: `/pictures/${good.id}.svg`, alt: '', width: 56, height: 56 }),
    ),
    h('a', { href: `/p/${good.id}`, class: 'name' }, good.name),
    h(
      'span',
      { class: 'stepper' },
      h(
        'button',
        { type: 'button', 'data-by': -1, 'aria-label': `One less of ${good.name}`, onclick: change(-1) },
        '−',
      ),
      h('output', { 'aria-label': `How many of ${good.name}` }, String(count)),
      h(
        'button',
        { type: 'button', 'data-by': 1, 'aria-label': `One more of ${good.name}`, onclick: change(1) },
        '+',
      ),
    ),
    h('span', { class: 'price' }, EURO.format((good.cents * count) / 100)),
  )
}

function checkOut(lines: readonly { readonly good: GoodFacts; readonly count: number }[]): void {
  for (const { good, count } of lines) track('purchase', good.id, { value: (good.cents * count) / 100 })
  write({})
  const place = document.querySelector<HTMLElement>('[data-basket]')
  place?.replaceChildren(
    h(
      'p',
      { class: 'thanks', role: 'status', tabindex: -1 },
      'Thank you! Nothing was charged and nothing will come. ',
      'Your lists, though, took note.',
    ),
  )
  place?.querySelector<HTMLElement>('.thanks')?.focus()
}
