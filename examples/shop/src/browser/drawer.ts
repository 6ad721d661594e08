import { listen } from './attune.ts'
import { compareLists, type Comparison } from './compare.ts'
import { h, svg } from './dom.ts'
import { factsOf, type GoodFacts } from './goods.ts'
import { follow, recall, remember, type Journey } from './journey.ts'

const ROW = 36
const GAP = 64

const DID: Readonly<Record<string, string>> = {
  click: 'You clicked',
  'add-to-cart': 'You put in the basket',
  purchase: 'You bought',
  like: 'You liked',
  dislike: 'You said “not for me” to',
}

const SLOTS: Readonly<Record<string, string>> = {
  'for-you': '“For you”',
  similar: '“More like this”',
  trending: '“Trending”',
  department: 'the department',
  search: 'the search',
}

const ms = (value: number): string => (value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`)

/** Opens, closes and fills "What just happened". */
export function startDrawer(): void {
  const drawer = document.querySelector<HTMLElement>('#drawer')
  const body = drawer?.querySelector<HTMLElement>('[data-drawer-body]')
  const opener = document.querySelector<HTMLElement>('.drawer-button')
  const summary = document.querySelector<HTMLElement>('[data-drawer-summary]')
  if (!drawer || !body || !opener || !summary) return

  const toggle = (open: boolean): void => {
    drawer.hidden = !open
    opener.setAttribute('aria-expanded', String(open))
    document.documentElement.classList.toggle('with-drawer', open)
  }
  document.addEventListener('click', (event) => {
    const target = event.target instanceof Element ? event.target : undefined
    if (target?.closest('[data-drawer-open]')) {
      const open = drawer.matches('[hidden]') || !target.closest('.drawer-button')
      toggle(open)
      if (open) drawer.querySelector<HTMLElement>('[data-drawer-close]')?.focus()
    } else if (target?.closest('[data-drawer-close]')) {
      toggle(false)
      opener.focus()
    }
  })
  drawer.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return
    toggle(false)
    opener.focus()
  })

  let memory = recall()
  let turn = 0
  const draw = async (): Promise<void> => {
    const { journey } = memory
    if (journey === undefined) return
    const mine = ++turn
    const { event, before = [], list } = journey
    const goods = await factsOf([
      ...(event.item === undefined ? [] : [event.item]),
      ...before,
      ...(list?.ids ?? []),
    ])
    if (mine !== turn) return
    summary.textContent = summarize(journey)
    opener.dataset['state'] = list === undefined ? 'waiting' : 'done'
    body.replaceChildren(...sections(journey, goods))
  }
  listen((told) => {
    const next = follow(memory, told)
    if (next === memory) return
    memory = next
    remember(memory)
    void draw()
  })
  window.addEventListener('online', () => void draw())
  window.addEventListener('offline', () => void draw())
  void draw()
}

function summarize({ stored, list, before }: Journey): string {
  const parts: string[] = []
  if (stored !== undefined) parts.push(`stored in ${ms(stored.diagnostics?.cosmosMs ?? stored.durationMs)}`)
  if (list !== undefined && before !== undefined) {
    const { fresh, up, down } = compareLists(before, list.ids).counts
    parts.push(`${fresh} new, ${up + down} moved`)
  }
  return parts.join(' · ') || (navigator.onLine ? 'Kept, on its way …' : 'Kept here while you are offline')
}

function sections(journey: Journey, goods: ReadonlyMap<string, GoodFacts>): HTMLElement[] {
  const { event, before, list } = journey
  const good = goods.get(event.item ?? '')
  const where =
    event.slot === undefined
      ? ''
      : ` in ${SLOTS[event.slot] ?? event.slot}${event.position === undefined ? '' : `, place ${event.position + 1}`}`
  return [
    h(
      'div',
      { class: 'did' },
      good !== undefined && h('img', { src: `/pictures/${good.id}.svg`, alt: '', width: 56, height: 56 }),
      h(
        'p',
        {},
        h('span', {}, DID[event.kind] ?? event.kind),
        h('b', {}, good?.name ?? event.item ?? ''),
        h('small', {}, `${new Date(event.at).toLocaleTimeString()}${where}`),
      ),
    ),
    storedSection(journey),
    rankedSection(journey),
    ...(list === undefined ? [] : [orderSection(before, list, goods)]),
  ]
}

function step(title: string, state: 'done' | 'waiting', ...content: readonly (Node | string)[]): HTMLElement {
  return h('section', { class: `step ${state}` }, h('h3', {}, title), ...content)
}

function figures(...pairs: readonly (readonly [label: string, value: string | undefined])[]): HTMLElement {
  const shown = pairs.flatMap(([label, value]) =>
    value === undefined ? [] : [h('div', {}, h('dt', {}, label), h('dd', {}, value))],
  )
  return h('dl', { class: 'figures' }, ...shown)
}

function storedSection({ stored }: Journey): HTMLElement {
  if (stored === undefined) {
    const text = navigator.onLine
      ? 'Kept in this browser, on its way to the edge …'
      : 'You are offline. The click is kept in this browser and will be sent, once, when you are back.'
    return step('Kept here first', 'waiting', h('p', {}, text))
  }
  const { diagnostics, durationMs, duplicate, events, session } = stored
  return step(
    duplicate ? 'Was stored already' : 'Stored in Cosmos DB',
    'done',
    figures(
      ['stored in', diagnostics && ms(diagnostics.cosmosMs)],
      ['charge', diagnostics && `${diagnostics.ru.toFixed(2)} RU`],
      ['there and back', ms(durationMs)],
      ['events in the batch', String(events)],
    ),
    h(
      'p',
      { class: 'token' },
      'Session token ',
      h('code', {}, session),
      ' proves that write: whoever reads with it sees the click.',
    ),
  )
}

function rankedSection({ list }: Journey): HTMLElement {
  if (list === undefined)
    return step(
      'Next list',
      'waiting',
      h('p', {}, 'The next “For you” will count it. It is asked for when one comes into the page.'),
    )
  const { epoch, delta, fresh, durationMs, session, diagnostics } = list
  return step(
    'Your next list counted it',
    'done',
    figures(
      ['model', `epoch ${epoch}, delta ${delta}`],
      ['latency', ms(durationMs)],
      ['ranking itself', diagnostics && ms(diagnostics.rankMs)],
      ['history read', diagnostics && `${ms(diagnostics.historyMs)}, ${diagnostics.ru.toFixed(2)} RU`],
      ['from your', diagnostics && `${diagnostics.events} ${diagnostics.events === 1 ? 'event' : 'events'}`],
      ['considered', diagnostics && `${diagnostics.candidates} goods`],
      [
        'engine',
        diagnostics &&
          { ort: 'ONNX Runtime', core: 'TypeScript (ONNX warming up)', none: 'no model of you yet' }[
            diagnostics.engine
          ],
      ],
      ['stored history', fresh ? 'as new as asked' : 'behind; says so'],
    ),
    h(
      'p',
      { class: 'token' },
      ...(session === undefined
        ? ['Asked for with the click itself, before its storing had been confirmed.']
        : ['Asked for with token ', h('code', {}, session), ' and the click itself.']),
    ),
  )
}

function orderSection(
  before: readonly string[] | undefined,
  list: NonNullable<Journey['list']>,
  goods: ReadonlyMap<string, GoodFacts>,
): HTMLElement {
  const heading = h('h3', {}, 'What it changed in “For you”')
  if (before === undefined)
    return h(
      'section',
      { class: 'step done' },
      heading,
      h('p', {}, 'This is your first list; the next click has one to compare with.'),
    )
  const comparison = compareLists(before, list.ids)
  const { fresh, up, down, stayed } = comparison.counts
  const nameOf = (id: string) => goods.get(id)?.name ?? id
  const row = (id: string, ...more: readonly HTMLElement[]) =>
    // A list may name a good this shop no longer has.
    h(
      'li',
      {},
      goods.has(id)
        ? h('img', { src: `/pictures/${id}.svg`, alt: '', width: 26, height: 26 })
        : h('span', { class: 'no-picture' }),
      ...more,
    )
  return h(
    'section',
    { class: 'step done' },
    heading,
    h(
      'p',
      { class: 'legend' },
      h('span', { class: 'fresh' }, `${fresh} new`),
      h('span', { class: 'up' }, `${up} up`),
      h('span', { class: 'down' }, `${down} down`),
      h('span', {}, `${stayed} stayed`),
    ),
    h(
      'div',
      {
        class: 'slope',
        style: `--rows:${Math.max(before.length, list.ids.length)};--row:${ROW}px;--gap:${GAP}px`,
      },
      h(
        'ol',
        { class: 'old', 'aria-label': 'Before' },
        ...before.map((id) => row(id, h('span', { class: 'hidden' }, nameOf(id)))),
      ),
      lines(comparison, Math.max(before.length, list.ids.length)),
      h(
        'ol',
        { class: 'new', 'aria-label': 'After' },
        ...comparison.moves.map(({ id, from, to }) =>
          row(
            id,
            h(
              'span',
              {
                class: 'what',
                title:
                  list.because[id] === undefined ? undefined : `because of ${nameOf(list.because[id] ?? '')}`,
              },
              nameOf(id),
            ),
            badge(from, to),
          ),
        ),
      ),
    ),
  )
}

function badge(from: number | undefined, to: number): HTMLElement {
  if (from === undefined) return h('span', { class: 'badge fresh' }, 'new')
  if (from === to) return h('span', { class: 'badge' }, '=')
  return from > to
    ? h('span', { class: 'badge up' }, `▲ ${from - to}`)
    : h('span', { class: 'badge down' }, `▼ ${to - from}`)
}

function lines({ moves, gone }: Comparison, rows: number): Node {
  const y = (place: number) => place * ROW + ROW / 2
  return svg(
    'svg',
    { viewBox: `0 0 ${GAP} ${rows * ROW}`, width: GAP, height: rows * ROW, 'aria-hidden': 'true' },
    ...moves.flatMap(({ from, to }) =>
      from === undefined
        ? [svg('circle', { class: 'fresh', cx: GAP - 6, cy: y(to), r: 3.5 })]
        : [
            svg('path', {
              class: from === to ? 'stayed' : from > to ? 'up' : 'down',
              d: `M2 ${y(from)}C${GAP / 2} ${y(from)} ${GAP / 2} ${y(to)} ${GAP - 2} ${y(to)}`,
            }),
          ],
    ),
    ...gone.map(({ from }) => svg('path', { class: 'gone', d: `M2 ${y(from)}h12` })),
  )
}
