import type { BridgeStatus } from './bridge-deps.ts'
import type { Bridge } from './bridge.ts'

/** Counters that only the stream of statuses tells. */
export class StatusCounters {
  deltas = 0
  deltaSeconds = 0
  feedErrors = 0
  renewals = 0
  held = 0
  stopped: string | undefined

  see(status: BridgeStatus): void {
    if (status.type === 'delta') {
      this.deltas++
      this.deltaSeconds += status.ms / 1_000
    } else if (status.type === 'held') this.held++
    else if (status.type === 'feed') this.feedErrors++
    else if (status.type === 'epoch' && status.why === 'renewed') this.renewals++
    else if (status.type === 'stopped') this.stopped = status.error
  }
}

const EDGE_STATES = ['unknown', 'current', 'behind', 'failing'] as const

/**
 * The bridge's metrics in Prometheus' text format.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function renderMetrics(bridge: Bridge, counters: StatusCounters): string {
  const lines: string[] = []
  const metric = (
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    samples: [labels: string, value: number][],
  ) => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
    for (const [labels, value] of samples) lines.push(`${name}${labels} ${value}`)
  }
  const { feed, events, release, model } = bridge
  metric('attune_events_total', 'counter', 'Events taken into the model', [['', events.taken]])
  metric('attune_events_waiting', 'gauge', 'Events read that wait for the next micro-batch', [
    ['', events.waiting],
  ])
  metric('attune_feed_documents_total', 'counter', 'Documents read from the change feed', [
    ['', feed.documents],
  ])
  metric('attune_feed_skipped_total', 'counter', 'Documents that are no batch of events', [
    ['', feed.skipped],
  ])
  metric('attune_feed_request_units_total', 'counter', 'RU charged for reading', [['', feed.ru]])
  metric('attune_feed_errors_total', 'counter', 'Reads that failed and were tried again', [
    ['', counters.feedErrors],
  ])
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
  return `${lines.join('\n')}\n`
}

function escape(label: string): string {
  return label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
