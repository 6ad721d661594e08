// What is counted, measured and timed, with the help text Prometheus shows. Names are API for dashboards.

/** Values of a moment. */
export const GAUGES = {
  attune_epoch: 'Epoch being served; 0 without one.',
  attune_delta: 'Newest delta of the epoch being served.',
  attune_items: 'Items of the model being served.',
  attune_epoch_age_seconds: 'Time since the epoch being served was activated.',
  attune_last_delta_age_seconds: 'Time since an epoch or delta last came to serve here.',
  attune_freshness_lag_seconds:
    'Age of the oldest batch stored through this process that the model being served does not contain yet; 0 when it contains all.',
} as const

export const HISTOGRAMS = {
  attune_request_seconds: 'Time to answer by route.',
  attune_stage_seconds: 'Time spent by route and stage of the request.',
  attune_history_seconds: 'Time to read a history from Cosmos.',
  attune_rank_seconds: 'Time to rank, history read aside.',
  attune_freshness_seconds:
    'Time from a batch being stored through this process to a model being served here that contains it.',
} as const

export const COUNTERS = {
  attune_requests_total: 'Requests by route and status.',
  attune_rate_limited_total: 'Requests refused with 429, by what was exhausted.',
  attune_events_total: 'Events by outcome.',
  attune_events_missing_total: 'Numbers of events that pages gave out and no batch held when it should have.',
  attune_events_late_total:
    'Events counted as missing that came after all: missing less late is what was lost.',
  attune_decisions_total: 'Decisions by what became of their record: stored, lost.',
  attune_rank_engine_total: 'Lists by who computed the scores.',
  attune_rank_stale_total: 'Lists answered with fresh: false.',
  attune_fallbacks_total:
    'Answers that were not made the usual way: core-engine (ONNX Runtime not warm yet), other-region (the nearest was behind or did not answer), stale-history (no region was new enough).',
  attune_cosmos_calls_total: 'Requests to Cosmos by operation.',
  attune_cosmos_request_units_total: 'RU charged by operation.',
  attune_cosmos_errors_total: 'Requests that failed because of Cosmos, by code.',
  attune_telemetry_dropped_total: 'Traces that found no room in the queue.',
} as const

export type GaugeName = keyof typeof GAUGES
export type HistogramName = keyof typeof HISTOGRAMS
export type CounterName = keyof typeof COUNTERS
export type SeriesName = CounterName | HistogramName

/** What an answer that was not made the usual way fell back to. */
export type Fallback = 'core-engine' | 'other-region' | 'stale-history'

export type Labels = Readonly<Record<string, string | number>>

/** Observations of one label set. */
export interface Histogram {
  /** By bucket of {@link BUCKETS}, not cumulative; those above the last bound are only in `total`. */
  readonly counts: readonly number[]
  /** Seconds. */
  readonly sum: number
  readonly total: number
}

/** One name with a label set and its value. */
export interface Series {
  readonly name: SeriesName
  readonly labels: Labels
  readonly value: number | Histogram
}

interface MutableSeries {
  readonly name: SeriesName
  readonly labels: Labels
  value: number | { counts: number[]; sum: number; total: number }
}

/** Upper bounds of the histograms, seconds. */
export const BUCKETS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
]
/** Label sets kept: routes and statuses are few, so more than this is a mistake that must not eat the memory. */
const MAX_SERIES = 1_000

/** Counters and histograms of this process. */
export class Metrics {
  readonly #series = new Map<string, MutableSeries>()

  count(name: CounterName, labels: Labels = {}, by = 1): void {
    const series = this.#find(name, labels, () => 0)
    if (series !== undefined) series.value = (series.value as number) + by
  }

  /** @param milliseconds - kept as seconds, as Prometheus wants them */
  time(name: HistogramName, milliseconds: number, labels: Labels = {}): void {
    const series = this.#find(name, labels, () => ({ counts: BUCKETS.map(() => 0), sum: 0, total: 0 }))
    if (series === undefined || typeof series.value === 'number') return
    const seconds = milliseconds / 1_000
    series.value.sum += seconds
    series.value.total++
    let bucket = 0
    while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] ?? 0)) bucket++
    if (bucket < BUCKETS.length) series.value.counts[bucket] = (series.value.counts[bucket] ?? 0) + 1
  }

  /** Everything counted so far, as it is now: later counts do not change what was given back. */
  snapshot(): readonly Series[] {
    return [...this.#series.values()].map((series) => structuredClone(series))
  }

  /**
   * Prometheus's text format.
   *
   * @param gauges - values of this moment
   * @see https://prometheus.io/docs/instrumenting/exposition_formats/
   */
  text(gauges: Readonly<Partial<Record<GaugeName, number>>>): string {
    const all = [...this.#series.values()]
    const lines: string[] = []
    const describe = (name: string, type: string, help: string): void => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
    }
    for (const [name, help] of Object.entries(GAUGES)) {
      const value = gauges[name as GaugeName]
      if (value === undefined) continue
      describe(name, 'gauge', help)
      lines.push(`${name} ${value}`)
    }
    for (const [name, help] of Object.entries({ ...COUNTERS, ...HISTOGRAMS })) {
      const series = all.filter((one) => one.name === name)
      if (series.length === 0) continue
      describe(name, name in HISTOGRAMS ? 'histogram' : 'counter', help)
      for (const { labels, value } of series) {
        if (typeof value === 'number') lines.push(`${name}${labelText(labels)} ${value}`)
        else lines.push(...histogramLines(name, labels, value))
      }
    }
    return `${lines.join('\n')}\n`
  }

  #find(name: SeriesName, labels: Labels, fresh: () => MutableSeries['value']): MutableSeries | undefined {
    const key = keyOf(name, labels)
    const known = this.#series.get(key)
    if (known !== undefined || this.#series.size >= MAX_SERIES) return known
    const series = { name, labels, value: fresh() }
    this.#series.set(key, series)
    return series
  }
}

/** On every request's path, so without the escaping that only the text needs. */
function keyOf(name: string, labels: Labels): string {
  let key = name
  for (const label in labels) key += `\n${label}\n${labels[label]}`
  return key
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escape(String(value))}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escape(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function histogramLines(name: string, labels: Labels, { counts, sum, total }: Histogram): string[] {
  const within = (le: string | number) => `${name}_bucket${labelText({ ...labels, le })}`
  let below = 0
  const buckets = BUCKETS.map((bound, index) => {
    below += counts[index] ?? 0
    return `${within(bound)} ${below}`
  })
  return [
    ...buckets,
    `${within('+Inf')} ${total}`,
    `${name}_sum${labelText(labels)} ${sum}`,
    `${name}_count${labelText(labels)} ${total}`,
  ]
}
