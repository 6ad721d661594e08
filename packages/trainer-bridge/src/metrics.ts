import type { Bridge } from './bridge.ts'
import type { Member, MemberStatus } from './cluster/member.ts'

/** Counters that only the stream of statuses tells. */
export class StatusCounters {
  deltas = 0
  deltaSeconds = 0
  feedErrors = 0
  renewals = 0
  held = 0
  stopped: string | undefined

  see(status: MemberStatus): void {
    if (status.type === 'delta') {
      this.deltas++
      this.deltaSeconds += status.ms / 1_000
    } else if (status.type === 'held') this.held++
    else if (status.type === 'feed') this.feedErrors++
    else if (status.type === 'epoch' && (status.why === 'renewed' || status.why === 'folded')) this.renewals++
    else if (status.type === 'stopped') this.stopped = status.error
  }
}

const EDGE_STATES = ['unknown', 'current', 'behind', 'failing'] as const

/** What a process is doing: a bridge alone, or one of several, which has a bridge while it leads. */
export interface Measured {
  readonly bridge: Bridge | undefined
  readonly member?: Member
}

type Metric = (
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  samples: [labels: string, value: number][],
) => void

/**
 * Metrics of this process in Prometheus' text format.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function renderMetrics({ bridge, member }: Measured, counters: StatusCounters): string {
  const lines: string[] = []
  const metric: Metric = (name, type, help, samples) => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
    for (const [labels, value] of samples) lines.push(`${name}${labels} ${value}`)
  }
  metric('attune_feed_errors_total', 'counter', 'Reads that failed and were tried again', [
    ['', counters.feedErrors],
  ])
  metric('attune_leads', 'gauge', '1 while this instance keeps the state and tells the edges', [
    ['', bridge === undefined ? 0 : 1],
  ])
  if (member !== undefined) tellMember(metric, member)
  if (bridge !== undefined) tellBridge(metric, bridge, counters, member === undefined)
  return `${lines.join('\n')}\n`
}

function tellMember(metric: Metric, { processors }: Member): void {
  const totals = processors.map(([, processor]) => processor.totals)
  const sum = (value: (one: (typeof totals)[number]) => number) =>
    totals.reduce((all, one) => all + value(one), 0)
  metric('attune_feed_documents_total', 'counter', 'Documents read from the change feed', [
    ['', sum(({ documents }) => documents)],
  ])
  metric('attune_feed_request_units_total', 'counter', 'RU charged for reading', [['', sum(({ ru }) => ru)]])
  metric('attune_lease_request_units_total', 'counter', 'RU charged for leases', [
    ['', sum(({ leaseRu }) => leaseRu)],
  ])
  metric('attune_leases_acquired_total', 'counter', 'Ranges taken over', [
    ['', sum(({ acquired }) => acquired)],
  ])
  metric('attune_leases_lost_total', 'counter', 'Ranges another took over', [['', sum(({ lost }) => lost)]])
  tellLags(
    metric,
    processors.flatMap(([feed, { ranges }]) =>
      ranges.map(({ range, lagItems, lagSeconds }) => ({
        feed,
        range,
        items: lagItems,
        seconds: lagSeconds,
      })),
    ),
  )
}

function tellLags(
  metric: Metric,
  lags: readonly {
    readonly feed: string
    readonly range: string
    readonly items: number
    readonly seconds: number
  }[],
): void {
  const labels = ({ feed, range }: (typeof lags)[number]) => `{feed="${feed}",range="${escape(range)}"}`
  metric(
    'attune_feed_lag_items',
    'gauge',
    'Transactions of a range that have not been taken in',
    lags.map((one) => [labels(one), one.items]),
  )
  metric(
    'attune_feed_lag_seconds',
    'gauge',
    'Age of the oldest change of a range that is waiting; 0 when none is',
    lags.map((one) => [labels(one), one.seconds]),
  )
}

function tellBridge(metric: Metric, bridge: Bridge, counters: StatusCounters, reads: boolean): void {
  const { feed, events, release, model } = bridge
  metric('attune_events_total', 'counter', 'Events taken into the model', [['', events.taken]])
  metric('attune_events_waiting', 'gauge', 'Events read that wait for the next micro-batch', [
    ['', events.waiting],
  ])
  if (reads) {
    metric('attune_feed_documents_total', 'counter', 'Documents read from the change feed', [
      ['', feed.documents],
    ])
    metric('attune_feed_skipped_total', 'counter', 'Documents that are neither events nor items', [
      ['', feed.skipped],
    ])
    metric('attune_feed_request_units_total', 'counter', 'RU charged for reading', [['', feed.ru]])
    tellLags(metric, feed.lags())
  }
  metric('attune_epoch', 'gauge', 'Epoch edges follow', [['', release.number]])
  metric('attune_delta', 'gauge', 'Newest delta of the epoch', [['', release.delta]])
  metric('attune_deltas_total', 'counter', 'Deltas made since the start', [['', counters.deltas]])
  metric('attune_delta_seconds_total', 'counter', 'Time spent making deltas', [['', counters.deltaSeconds]])
  metric('attune_deltas_held_total', 'counter', 'Deltas whose factor rows the drift guard kept back', [
    ['', counters.held],
  ])
  metric('attune_drift_nats', 'gauge', 'How much worse known next items are told than by the base model', [
    ['', model.drift],
  ])
  metric('attune_renewals_total', 'counter', 'Fresh epochs made of the current state', [
    ['', counters.renewals],
  ])
  metric('attune_items', 'gauge', 'Items of the model', [['', model.items]])
  metric('attune_pairs', 'gauge', 'Pairs counted on top of the base, which memory grows with', [
    ['', model.pairs],
  ])
  metric('attune_open_visitors', 'gauge', 'Visitors whose visits are in memory', [['', model.openVisitors]])
  metric(
    'attune_edge_state',
    'gauge',
    'How an edge is doing: 1 for the state it is in',
    bridge.edges.flatMap(({ url, state }) =>
      EDGE_STATES.map((one): [string, number] => [
        `{edge="${escape(url)}",state="${one}"}`,
        one === state ? 1 : 0,
      ]),
    ),
  )
  metric(
    'attune_edge_delta',
    'gauge',
    'Delta an edge acknowledged; -1 when none, or of another epoch',
    bridge.edges.map(({ url, epoch, delta }) => [
      `{edge="${escape(url)}"}`,
      epoch === release.number ? (delta ?? -1) : -1,
    ]),
  )
}

function escape(label: string): string {
  return label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
