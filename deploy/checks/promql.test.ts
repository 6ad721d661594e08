import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkQuery, knownMetrics } from './promql.ts'

const AZURE = join(import.meta.dirname, '..', 'azure')
const known = await knownMetrics()

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}
const dashboards = await Promise.all(
  (await readdir(join(AZURE, 'dashboards'))).map(
    async (name) =>
      JSON.parse(await readFile(join(AZURE, 'dashboards', name), 'utf8')) as {
        readonly uid: string
        readonly panels: readonly Panel[]
      },
  ),
)
const alerts = [
  ...(await readFile(join(AZURE, 'alerts.bicep'), 'utf8')).matchAll(/expression: '(.*)'$/gm),
].map(([, text = '']) => text.replaceAll("\\'", "'"))

test('every query of a dashboard is one, about metrics that edge, bridge or cluster have', () => {
  const queries = dashboards.flatMap(({ panels }) => panels.flatMap(({ targets = [] }) => targets))
  expect(queries.length).toBeGreaterThan(25)
  expect(queries.flatMap(({ expr }) => checkQuery(expr, known))).toEqual([])
})

test('nine of ten metrics of edge and bridge are on a dashboard', () => {
  const shown = JSON.stringify(dashboards)
  // What other panels show by stage, or what says nothing in a chart.
  const leftOut = [
    'attune_history_seconds',
    'attune_rank_seconds',
    'attune_rank_engine_total',
    'attune_items',
    'attune_feed_documents_total',
    'attune_feed_skipped_total',
    'attune_deltas_total',
    'attune_renewals_total',
    'attune_open_visitors',
    'attune_edge_delta',
  ]
  const own = [...known.keys()].filter(
    (name) => name.startsWith('attune_') && !/_(bucket|sum|count)$/.test(name) && !leftOut.includes(name),
  )
  const missing = own.filter((name) => !shown.includes(name))
  expect(missing.length / own.length, missing.join(', ')).toBeLessThanOrEqual(0.1)
})

test('panels have ids of their own, lie beside each other, and name their series by labels that the query keeps', () => {
  for (const { panels } of dashboards) {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const taken = new Set<string>()
    for (const { gridPos, targets = [], title } of panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, taken.has(`${x} ${y}`)]).toEqual([title, false])
          taken.add(`${x} ${y}`)
        }
      for (const { expr, legendFormat } of targets)
        for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
          if (/\b(sum|max|min) /.test(expr)) expect(expr).toMatch(new RegExp(`by \\([^)]*\\b${label}\\b`))
    }
  }
})

test('every alert is a query about metrics that there are', () => {
  expect(alerts.length).toBeGreaterThanOrEqual(8)
  expect(alerts.flatMap((expression) => checkQuery(expression, known))).toEqual([])
})

test.each([
  ['a bracket left open', 'sum(rate(attune_events_total[5m])', 'syntax: not understood'],
  [
    'a metric that was renamed',
    'sum(rate(attune_rank_requests_total[5m]))',
    'attune_rank_requests_total: nobody',
  ],
  ['a function that is none', 'sum(rates(attune_events_total[5m]))', 'syntax: not understood'],
  ['a rate of a gauge', 'rate(attune_epoch_age_seconds[5m])', 'rate around a gauge'],
  ['a counter as it is', 'sum(attune_events_total)', 'nothing around a counter'],
  ['a histogram without its part', 'rate(attune_stage_seconds[5m])', 'a histogram has _bucket'],
  [
    'a quantile of a sum',
    'histogram_quantile(0.9, rate(attune_stage_seconds_sum[5m]))',
    'a quantile of what has no buckets',
  ],
])('%s is found', (_, query, problem) => {
  expect(checkQuery(query, known).join('\n')).toContain(problem)
})
