import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parser } from '@prometheus-io/lezer-promql'
import { COUNTERS, GAUGES, HISTOGRAMS } from '../../packages/edge/src/metrics.ts'

const ROOT = join(import.meta.dirname, '..', '..')

export type MetricType = 'counter' | 'gauge' | 'histogram'

/** What the cluster itself reports, as far as our files ask for it. */
const CLUSTER: Readonly<Record<string, MetricType>> = {
  kube_statefulset_status_replicas_ready: 'gauge',
  kube_statefulset_replicas: 'gauge',
  kube_pod_container_status_restarts_total: 'counter',
  kube_horizontalpodautoscaler_status_current_replicas: 'gauge',
  kube_horizontalpodautoscaler_spec_max_replicas: 'gauge',
  kubelet_volume_stats_available_bytes: 'gauge',
  kubelet_volume_stats_capacity_bytes: 'gauge',
}

/** Functions that are of use for counters only. */
const OF_COUNTERS = new Set(['rate', 'irate', 'increase'])

/** Every metric there is, by name: of the edge from its definitions, of the bridge from its source. */
export async function knownMetrics(): Promise<Map<string, MetricType>> {
  const known = new Map<string, MetricType>(Object.entries(CLUSTER))
  const bridge = await readFile(join(ROOT, 'packages/trainer-bridge/src/metrics.ts'), 'utf8')
  for (const [, name = '', type = ''] of bridge.matchAll(/'(attune_\w+)',\s+'(counter|gauge)'/g))
    known.set(name, type as MetricType)
  for (const name of Object.keys(COUNTERS)) known.set(name, 'counter')
  for (const name of Object.keys(GAUGES)) known.set(name, 'gauge')
  for (const name of Object.keys(HISTOGRAMS)) {
    known.set(name, 'histogram')
    for (const part of ['_bucket', '_sum', '_count']) known.set(name + part, 'counter')
  }
  return known
}

/**
 * What is wrong with a query: syntax by Prometheus's own grammar, metrics that nobody has, a rate of what is no counter, a
 * counter or histogram taken as it is, a quantile of what has no buckets.
 */
export function checkQuery(query: string, known: ReadonlyMap<string, MetricType>): string[] {
  // Grafana puts a duration in before Prometheus sees the query.
  const text = query.replaceAll('$__rate_interval', '5m')
  const problems: string[] = []
  const cursor = parser.parse(text).cursor()
  do {
    const { type, from, to } = cursor
    if (type.isError)
      problems.push(`syntax: not understood at ${JSON.stringify(text.slice(from, from + 20))}`)
    if (type.name !== 'Identifier' || cursor.node.parent?.name !== 'VectorSelector') continue
    const name = text.slice(from, to)
    const kind = known.get(name)
    const calls = functionsAround(cursor.node, text)
    if (kind === undefined) problems.push(`${name}: nobody has this metric`)
    else if (kind === 'histogram') problems.push(`${name}: a histogram has _bucket, _sum and _count`)
    else if (OF_COUNTERS.has(calls[0] ?? '') !== (kind === 'counter'))
      problems.push(`${name}: ${calls[0] ?? 'nothing'} around a ${kind}`)
    if (calls.includes('histogram_quantile') && !name.endsWith('_bucket'))
      problems.push(`${name}: a quantile of what has no buckets`)
  } while (cursor.next())
  return problems
}

type Node = NonNullable<ReturnType<ReturnType<typeof parser.parse>['cursor']>['node']>

/** Names of the functions a selector is an argument of, innermost first. */
function functionsAround(node: Node, text: string): string[] {
  const names: string[] = []
  for (let at = node.parent; at !== null; at = at.parent) {
    const name = at.name === 'FunctionCall' ? at.getChild('FunctionIdentifier') : null
    if (name !== null) names.push(text.slice(name.from, name.to))
  }
  return names
}
