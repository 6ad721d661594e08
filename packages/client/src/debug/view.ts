import type { TrackedEvent } from '@attune/core'
import type { DebugState, SlotState } from './state.ts'

type Child = Node | string

/** An element; texts become text, never markup. */
export function h(
  tag: string,
  attributes: Readonly<Record<string, string>>,
  ...children: Child[]
): HTMLElement {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

const code = (text: string): HTMLElement => h('code', {}, text)
const time = (ms: number): string => new Date(ms).toLocaleTimeString()
const ms = (duration: number | undefined): string =>
  duration === undefined ? '' : `${Math.round(duration)} ms`

function table(
  caption: readonly Child[],
  heads: readonly string[],
  rows: readonly (readonly Child[])[],
): HTMLElement {
  return h(
    'table',
    {},
    h('caption', {}, ...caption),
    h('thead', {}, h('tr', {}, ...heads.map((head) => h('th', { scope: 'col' }, head)))),
    h('tbody', {}, ...rows.map((row) => h('tr', {}, ...row.map((cell) => h('td', {}, cell))))),
  )
}

export function summaryOf(state: DebugState): HTMLElement[] {
  const lines: [string, Child][] = [
    ['Consent', [state.consent, ...state.signals].join(', ')],
    ['Visitor', state.visitor === undefined ? 'no handle yet' : code(state.visitor.slice(0, 12) + '…')],
    [
      'Queue',
      `${count(state.waiting, 'event')} waiting, in ${count(state.unacknowledged, 'batch', 'batches')}`,
    ],
  ]
  return lines.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])
}

const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`

export function slotsOf({ slots }: DebugState): HTMLElement[] {
  return slots.length === 0 ? [h('p', {}, 'No slots on this page.')] : slots.map(slotTable)
}

function slotTable({ name, decision, response, durationMs, items }: SlotState): HTMLElement {
  const facts = response && [
    response.strategy,
    `epoch ${response.epoch}.${response.delta}`,
    ...(response.fresh ? [] : ['not fresh']),
    ...(durationMs === undefined ? [] : [ms(durationMs)]),
  ]
  return table(
    [
      h('b', {}, name),
      facts ? ` ${facts.join(' · ')}` : " the page's own list",
      ...(decision === undefined ? [] : [' · decision ', code(decision)]),
    ],
    ['Place', 'Item', 'Score', 'Because'],
    items.map(({ id, score, because, propensity }, place) => [
      String(place),
      code(id),
      typeof score === 'number' ? score.toFixed(3) : '',
      [
        because === undefined ? '' : `${because.kind} of ${because.item}`,
        propensity === undefined ? '' : `chance ${propensity.toFixed(3)}`,
      ]
        .filter(Boolean)
        .join(', '),
    ]),
  )
}

export function batchesOf({ stored }: DebugState): HTMLElement[] {
  if (stored.length === 0) return [h('p', {}, 'None stored since this panel was opened.')]
  return [
    table(
      ['Newest first; those of other tabs too.'],
      ['Stored', 'Batch', 'Events', 'Answer'],
      stored.map(({ at, events, response, durationMs }) => [
        time(at),
        code(response.batch.slice(-12)),
        String(events),
        [
          `${response.accepted} accepted`,
          ...(response.rejected.length > 0 ? [`${response.rejected.length} rejected`] : []),
          ...(response.duplicate ? ['known already'] : []),
          ms(durationMs),
          ...(response.diagnostics === undefined ? [] : [`${response.diagnostics.ru} RU`]),
        ].join(', '),
      ]),
    ),
  ]
}

export function eventsOf({ events }: DebugState): HTMLElement[] {
  if (events.length === 0) return [h('p', {}, 'None since this panel was opened.')]
  return [
    table(
      ['Newest first, without impressions.'],
      ['At', 'Kind', 'About', 'Where'],
      events.map((event) => [time(event.at), event.kind, about(event), where(event)]),
    ),
  ]
}

const about = ({ item, query, value }: TrackedEvent): string =>
  [item ?? '', query === undefined ? '' : `“${query}”`, value === undefined ? '' : String(value)]
    .filter(Boolean)
    .join(', ')

const where = ({ slot, position }: TrackedEvent): string =>
  slot === undefined ? '' : position === undefined ? slot : `${slot}, place ${position}`

export function errorsOf({ errors }: DebugState): HTMLElement[] {
  if (errors.length === 0) return [h('p', {}, 'None since this panel was opened.')]
  return errors.map((error) => h('p', { class: 'bad' }, code(error.code), ` ${error.message}`))
}
