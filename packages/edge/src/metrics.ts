/** What is counted and timed, with the help text Prometheus shows. Names are API for dashboards. */
const HELP = {
  attune_requests_total: 'Requests by route and status.',
  attune_request_seconds: 'Time to answer by route.',
  attune_history_seconds: 'Time to read a history from Cosmos.',
  attune_rank_seconds: 'Time to rank, history read aside.',
  attune_cosmos_request_units_total: 'RU charged by operation.',
  attune_cosmos_calls_total: 'Requests to Cosmos by operation.',
  attune_rank_stale_total: 'Lists answered with fresh: false.',
  attune_rank_engine_total: 'Lists by who computed the scores.',
  attune_events_total: 'Events by outcome.',
} as const

export type MetricName = keyof typeof HELP
type Labels = Readonly<Record<string, string | number>>

interface Histogram {
  readonly counts: number[]
  sum: number
  total: number
}

/** Upper bounds of the histograms, seconds. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
/** Label sets kept: routes and statuses are few, so more than this is a mistake that must not eat the memory. */
const MAX_SERIES = 1_000

/** Counters and histograms of this process, in Prometheus's text format. */
export class Metrics {
  readonly #counters = new Map<string, number>()
  readonly #histograms = new Map<string, Histogram>()

  count(name: MetricName, labels: Labels = {}, by = 1): void {
    const series = seriesOf(name, labels)
    const value = this.#counters.get(series)
    if (value === undefined && this.#counters.size >= MAX_SERIES) return
    this.#counters.set(series, (value ?? 0) + by)
  }

  /** @param milliseconds - kept as seconds, as Prometheus wants them */
  time(name: MetricName, milliseconds: number, labels: Labels = {}): void {
    const series = seriesOf(name, labels)
    let histogram = this.#histograms.get(series)
    if (histogram === undefined) {
      if (this.#histograms.size >= MAX_SERIES) return
      histogram = { counts: BUCKETS.map(() => 0), sum: 0, total: 0 }
      this.#histograms.set(series, histogram)
    }
    const seconds = milliseconds / 1_000
    histogram.sum += seconds
    histogram.total++
    const bucket = BUCKETS.findIndex((bound) => seconds <= bound)
    if (bucket >= 0) histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1
  }

  /**
   * @param gauges - values of this moment by name
   * @see https://prometheus.io/docs/instrumenting/exposition_formats/
   */
  text(gauges: Readonly<Record<string, number>>): string {
    const lines: string[] = []
    for (const [name, value] of Object.entries(gauges)) lines.push(`# TYPE ${name} gauge`, `${name} ${value}`)
    for (const name of Object.keys(HELP) as MetricName[]) {
      const counters = ofName(this.#counters, name)
      const histograms = ofName(this.#histograms, name)
      if (counters.length + histograms.length === 0) continue
      lines.push(
        `# HELP ${name} ${HELP[name]}`,
        `# TYPE ${name} ${histograms.length > 0 ? 'histogram' : 'counter'}`,
      )
      for (const [series, value] of counters) lines.push(`${series} ${value}`)
      for (const [series, histogram] of histograms) lines.push(...histogramLines(name, series, histogram))
    }
    return `${lines.join('\n')}\n`
  }
}

function seriesOf(name: string, labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([label, value]) => `${label}="${String(value).replace(/[\\"\n]/g, '_')}"`,
  )
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`
}

function ofName<T>(series: ReadonlyMap<string, T>, name: string): [string, T][] {
  return [...series].filter(([key]) => key === name || key.startsWith(`${name}{`))
}

function histogramLines(name: string, series: string, { counts, sum, total }: Histogram): string[] {
  const labels = series.slice(name.length + 1, -1)
  const within = (le: string | number) => `${name}_bucket{${labels === '' ? '' : `${labels},`}le="${le}"}`
  const suffix = labels === '' ? '' : `{${labels}}`
  let below = 0
  const buckets = BUCKETS.map((bound, index) => {
    below += counts[index] ?? 0
    return `${within(bound)} ${below}`
  })
  return [
    ...buckets,
    `${within('+Inf')} ${total}`,
    `${name}_sum${suffix} ${sum}`,
    `${name}_count${suffix} ${total}`,
  ]
}
