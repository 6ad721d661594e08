import type { TrackedEvent } from '@attune/core'
import type { ExplainAnswer, ExplainedItem } from '../src/studio/answers.ts'
import { explain, Refused } from './api.ts'
import { byId, el, table } from './dom.ts'
import { difference, when } from './format.ts'

/** Features that say most, for each item. */
const PARTS_SHOWN = 4

/** One visitor's view: what it did, what it would be shown now, and what each score is made of. */
export function createVisitorView(keyOf: () => string): void {
  const input = el('input', { id: 'handle', required: true, autocomplete: 'off', spellcheck: 'false' })
  const slot = el('input', {
    id: 'slot',
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'any, without rules',
  })
  const said = el('p', { role: 'status' })
  const result = el('div', {})
  const form = el(
    'form',
    { class: 'line' },
    el('label', { for: 'handle' }, 'Handle'),
    input,
    el('label', { for: 'slot' }, 'Slot'),
    slot,
    el('button', { type: 'submit' }, 'Explain'),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    said.textContent = 'Asking…'
    explain(keyOf(), input.value.trim(), slot.value.trim()).then(
      (answer) => {
        said.textContent = `Site ${answer.site}, ${answer.strategy}, epoch ${answer.epoch} · delta ${answer.delta}${answer.fresh ? '' : ', history may be stale'}.`
        result.replaceChildren(...view(answer))
      },
      (error: unknown) => {
        said.textContent =
          error instanceof Refused ? `${error.code}: ${error.message}` : 'The edge did not answer.'
        result.replaceChildren()
      },
    )
  })
  byId('visitor').append(
    el('h2', {}, 'One visitor’s view'),
    el('p', {}, 'The handle is what the visitor’s page holds; asking is not counted as a list shown.'),
    form,
    said,
    result,
  )
}

function view({ events, items, names, rules }: ExplainAnswer): HTMLElement[] {
  const ruled = Object.keys(rules).length > 0
  return [
    ...(ruled
      ? [
          el(
            'details',
            {},
            el('summary', {}, 'Rules of the slot'),
            el('pre', {}, JSON.stringify(rules, undefined, 2)),
          ),
        ]
      : []),
    el(
      'div',
      { class: 'pair' },
      el('section', {}, el('h3', {}, 'What it did, newest first'), history(events)),
      el(
        'section',
        {},
        el('h3', {}, 'What it is shown now, and what sets each item apart from the mean of the list'),
        list(items, names),
      ),
    ),
  ]
}

function history(events: readonly TrackedEvent[]): HTMLElement {
  if (events.length === 0) return el('p', { class: 'none' }, 'Nothing is stored of this visitor.')
  return table(
    'History',
    [{ title: 'When' }, { title: 'What' }, { title: 'Item' }, { title: 'Slot' }],
    events.map(({ at, kind, item, query, slot }) => [
      when(at, Date.now()),
      kind,
      item ?? query ?? '',
      slot ?? '',
    ]),
  )
}

/** Each item beside the mean of the list: what all of them share explains no place. */
function list(items: readonly ExplainedItem[], names: readonly string[]): HTMLElement {
  const apart = items.map(({ parts, rest = 0, boost = 0 }) =>
    parts === undefined ? undefined : [...parts, boost, rest],
  )
  const named = [...names, 'boosts of the slot']
  const known = apart.flatMap((values) => (values === undefined ? [] : [values]))
  const means = [...named, ''].map(
    (_, index) => known.reduce((sum, values) => sum + (values[index] ?? 0), 0) / Math.max(1, known.length),
  )
  const beside = apart.map((values) => values?.map((value, index) => value - (means[index] ?? 0)))
  const most = Math.max(1e-9, ...beside.flatMap((values = []) => values.map(Math.abs)))
  return el(
    'ol',
    { class: 'shown', tabindex: 0, 'aria-label': 'The list' },
    ...items.map((item, place) =>
      el(
        'li',
        {},
        el('b', {}, item.id),
        el('span', { class: 'score' }, item.score === null ? 'unknown to the model' : item.score.toFixed(3)),
        item.pinned ? el('p', { class: 'because' }, 'pinned here') : null,
        item.because === undefined
          ? null
          : el('p', { class: 'because' }, `because of the ${item.because.kind} on ${item.because.item}`),
        parts(beside[place], named, most),
      ),
    ),
  )
}

/** The largest contributions; all others together, so that the lines add up to the score less the mean score. */
function parts(
  values: readonly number[] | undefined,
  names: readonly string[],
  most: number,
): HTMLElement | null {
  if (values === undefined) return null
  const sorted = values
    .map((value, index) => ({ name: names[index]?.replaceAll('_', ' '), value }))
    .toSorted((a, b) => Math.abs(b.value) - Math.abs(a.value))
  const shown = sorted.filter(({ name }) => name !== undefined).slice(0, PARTS_SHOWN)
  const others = sorted.filter((one) => !shown.includes(one)).reduce((sum, { value }) => sum + value, 0)
  return el(
    'ul',
    { class: 'parts', 'aria-label': 'What sets it apart from the mean of the list' },
    ...[...shown, { name: 'all others', value: others }].map(({ name, value }) => {
      const line = el('span', { class: value < 0 ? 'part less' : 'part', 'aria-hidden': true })
      line.style.setProperty('--part', String(Math.min(1, Math.abs(value) / most)))
      return el('li', {}, el('span', {}, name), line, el('span', { class: 'number' }, difference(value)))
    }),
  )
}
