import type { LiveAnswer } from '../src/studio/answers.ts'
import { lineChart } from './chart.ts'
import { byId, el, table } from './dom.ts'
import { count, dateTime, duration, rate, share, time } from './format.ts'
import { newest, seriesOf, slotsOf } from './series.ts'

/** What is drawn anew with every answer. */
export function createBoard(): (answer: LiveAnswer) => void {
  const traffic = lineChart(byId('chart-traffic'), 'Events and lists per second', [
    { label: 'Events', colour: '--events', format: rate },
    { label: 'Lists', colour: '--lists', format: rate },
  ])
  const lag = lineChart(
    byId('chart-lag'),
    'Freshness lag: oldest stored batch that the model does not contain',
    [{ label: 'Lag', colour: '--lag', format: (seconds) => duration(seconds * 1_000) }],
  )
  let drawn = ''
  return (answer) => {
    const series = seriesOf(answer)
    byId('scope').textContent =
      answer.scope === 'deployment'
        ? 'All isolates of this deployment, last 15 minutes'
        : `This ${answer.host === 'node' ? 'process' : 'isolate'} alone, since ${time(answer.since)}`
    drawTiles(answer, newest(series.events), newest(series.lists))
    traffic.draw([series.at, series.events, series.lists])
    lag.draw([series.at, series.lag])
    drawSlots(answer)
    // Seldom new; drawn anew it would take the selection of a reader away.
    const key = JSON.stringify([answer.epochs, answer.serving?.engine])
    if (key !== drawn) drawEpochs(answer)
    drawn = key
  }
}

function drawTiles(answer: LiveAnswer, events: number, lists: number): void {
  const { serving, lagMs, buckets } = answer
  const slots = slotsOf(buckets)
  const impressions = slots.reduce((sum, slot) => sum + slot.impressions, 0)
  const clicks = slots.reduce((sum, slot) => sum + slot.clicks, 0)
  const stale = buckets.reduce((sum, bucket) => sum + bucket.stale, 0)
  const all = buckets.reduce((sum, bucket) => sum + bucket.lists, 0)
  const tile = (title: string, value: string, note: string): HTMLElement =>
    el('div', { class: 'tile' }, el('h2', {}, title), el('p', { class: 'value' }, value), el('p', {}, note))
  byId('tiles').replaceChildren(
    tile('Events', `${rate(events)} /s`, 'stored, mean of 15 seconds'),
    tile('Lists', `${rate(lists)} /s`, `${share(stale, all)} said fresh: false`),
    tile(
      'Click-through',
      share(clicks, impressions),
      `${count(clicks)} of ${count(impressions)} cards seen in slots`,
    ),
    tile(
      'Freshness lag',
      duration(lagMs),
      lagMs === 0 ? 'every click is in the model' : 'oldest click not in the model',
    ),
    tile(
      'Serving',
      serving === null ? 'no model' : `${serving.epoch} · ${serving.delta}`,
      serving === null
        ? 'nothing was pushed yet'
        : `epoch · delta, ${count(serving.items)} items, ${engineOf(serving.engine)}`,
    ),
  )
}

function engineOf(engine: string): string {
  return engine === 'ort' ? 'ONNX Runtime' : engine === 'core' ? 'TypeScript' : 'no engine'
}

function drawSlots({ buckets }: LiveAnswer): void {
  const rows = slotsOf(buckets)
  const most = Math.max(
    0.01,
    ...rows.map(({ clicks, impressions }) => (impressions === 0 ? 0 : clicks / impressions)),
  )
  const body =
    rows.length === 0
      ? el('p', { class: 'none' }, 'No list was shown in the last 15 minutes.')
      : table(
          'Slots of the last 15 minutes',
          [
            { title: 'Slot' },
            { title: 'Lists', numeric: true },
            { title: 'Seen', numeric: true },
            { title: 'Clicked', numeric: true },
            { title: 'Click-through', numeric: true },
            { title: '' },
          ],
          rows.map(({ slot, lists, impressions, clicks }) => [
            slot,
            count(lists),
            count(impressions),
            count(clicks),
            share(clicks, impressions),
            bar(impressions === 0 ? 0 : clicks / impressions / most),
          ]),
        )
  byId('slots').replaceChildren(el('h2', {}, 'Slots'), body)
}

/** Says to the eye what the number beside it says. */
function bar(part: number): HTMLElement {
  const meter = el('span', { class: 'bar', 'aria-hidden': true })
  meter.style.setProperty('--part', String(Math.min(1, part)))
  return meter
}

function drawEpochs({ epochs, serving }: LiveAnswer): void {
  const body =
    epochs.length === 0
      ? el('p', { class: 'none' }, 'No epoch was pushed yet.')
      : table(
          'Epochs',
          [
            { title: 'Epoch' },
            { title: 'Made' },
            { title: 'By' },
            { title: 'Items', numeric: true },
            { title: 'Gate' },
          ],
          epochs.map(({ epoch, created, trainer, items, gate, serving: active }) => [
            el(
              'span',
              { class: active ? 'serving' : undefined },
              active ? `${epoch}, serving` : String(epoch),
            ),
            dateTime(Date.parse(created)),
            trainer,
            count(items),
            gate === null ? 'none' : gateList(gate),
          ]),
        )
  const since = serving === null ? '' : ` Serving since ${dateTime(Date.parse(serving.swappedAt))}.`
  byId('epochs').replaceChildren(
    el('h2', {}, 'Epochs'),
    el('p', {}, `What each trainer measured before it let its epoch out.${since}`),
    body,
  )
}

function gateList(gate: Readonly<Record<string, unknown>>): HTMLElement {
  return el(
    'dl',
    { class: 'gate' },
    ...flat(gate).flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]),
  )
}

/** Trainers write what they measure: names and numbers, perhaps in groups. */
function flat(value: object, before = ''): [string, string][] {
  return Object.entries(value).flatMap(([name, entry]: [string, unknown]): [string, string][] => {
    const path = before + name
    if (typeof entry === 'object' && entry !== null && !Array.isArray(entry)) return flat(entry, `${path}.`)
    if (typeof entry === 'number' && !Number.isInteger(entry)) return [[path, entry.toFixed(4)]]
    return [[path, typeof entry === 'string' ? entry : JSON.stringify(entry)]]
  })
}
