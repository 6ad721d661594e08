import {
  BUCKETS,
  COUNTERS,
  GAUGES,
  HISTOGRAMS,
  type GaugeName,
  type Labels,
  type Series,
} from '../metrics.ts'
import type { Attributes, RequestTrace, StageName } from './trace.ts'
import { randomHex } from './trace-context.ts'

// What is exported, as OTLP/HTTP's JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

/** A request that was followed to its end. */
export interface FinishedRequest {
  readonly trace: RequestTrace
  readonly method: string
  /** The route's pattern, never the path. */
  readonly route: string
  readonly status: number
  /** Code of the error it ended with. */
  readonly error?: string
}

const HELP = { ...GAUGES, ...HISTOGRAMS, ...COUNTERS }
const SCOPE = { name: '@attune/edge' }
const KIND = { internal: 1, server: 2, client: 3 } as const
const STATUS_ERROR = 2
const TEMPORALITY = { delta: 1, cumulative: 2 } as const
/** Sampled; and known to have, or not to have, its parent in another process. */
const FLAGS_SAMPLED = 1
const FLAGS_HAS_IS_REMOTE = 0x100
const FLAGS_IS_REMOTE = 0x200

/** Stages in which the edge waits for Cosmos. */
const COSMOS_STAGES: ReadonlySet<StageName> = new Set<StageName>(['history', 'create'])

export function tracesJson(requests: readonly FinishedRequest[], resource: Attributes): object {
  return {
    resourceSpans: [
      {
        resource: { attributes: attributesJson(resource) },
        scopeSpans: [{ scope: SCOPE, spans: requests.flatMap(spansOf) }],
      },
    ],
  }
}

function spansOf({ trace, method, route, status, error }: FinishedRequest): object[] {
  const { context, startedAt, duration, stages } = trace
  if (context === undefined) return []
  const { traceId, spanId, parentId } = context
  const root = {
    traceId,
    spanId,
    ...(parentId !== undefined && { parentSpanId: parentId }),
    flags: FLAGS_SAMPLED | FLAGS_HAS_IS_REMOTE | (parentId === undefined ? 0 : FLAGS_IS_REMOTE),
    name: `${method} ${route}`,
    kind: KIND.server,
    startTimeUnixNano: nanoseconds(startedAt),
    endTimeUnixNano: nanoseconds(startedAt + duration),
    attributes: attributesJson({
      'http.request.method': method,
      'http.route': route,
      'http.response.status_code': status,
      ...(error !== undefined && { 'error.type': error }),
      ...trace.attributes,
    }),
    status: status >= 500 ? { code: STATUS_ERROR } : {},
  }
  const inside = stages.map(({ name, from, to }) => ({
    traceId,
    spanId: randomHex(8),
    parentSpanId: spanId,
    flags: FLAGS_SAMPLED | FLAGS_HAS_IS_REMOTE,
    name,
    kind: COSMOS_STAGES.has(name) ? KIND.client : KIND.internal,
    startTimeUnixNano: nanoseconds(startedAt + from),
    endTimeUnixNano: nanoseconds(startedAt + to),
    attributes: attributesJson(
      COSMOS_STAGES.has(name)
        ? { 'db.system.name': 'azure.cosmosdb', 'db.operation.name': name === 'create' ? 'create' : 'query' }
        : {},
    ),
    status: {},
  }))
  return [root, ...inside]
}

export interface MetricsOptions {
  readonly resource: Attributes
  readonly temporality: keyof typeof TEMPORALITY
  /** Milliseconds since 1970: where counting began; with `delta` when `before` was taken. */
  readonly from: number
  readonly to: number
  /** What was exported last; only with `delta`. */
  readonly before: readonly Series[]
}

/** Names go out without `_total`: collectors that turn OTLP into Prometheus add it again. */
export function metricsJson(
  series: readonly Series[],
  gauges: Readonly<Partial<Record<GaugeName, number>>>,
  options: MetricsOptions,
): object {
  const { from, to, temporality, resource } = options
  const times = { startTimeUnixNano: nanoseconds(from), timeUnixNano: nanoseconds(to) }
  const before = new Map(options.before.map((one) => [keyOf(one), one]))
  const aggregationTemporality = TEMPORALITY[temporality]
  const names = [...new Set(series.map(({ name }) => name))]
  const metrics: object[] = Object.entries(gauges).map(([name, value]) => ({
    ...describeMetric(name as GaugeName),
    gauge: { dataPoints: [{ timeUnixNano: times.timeUnixNano, asDouble: value, attributes: [] }] },
  }))
  for (const name of names) {
    const points = series
      .filter((one) => one.name === name)
      .map((one) => ({
        ...times,
        ...valueJson(one, temporality === 'delta' ? before.get(keyOf(one)) : undefined),
        attributes: attributesJson(one.labels),
      }))
    metrics.push({
      ...describeMetric(name),
      ...(name in HISTOGRAMS
        ? { histogram: { aggregationTemporality, dataPoints: points } }
        : { sum: { aggregationTemporality, isMonotonic: true, dataPoints: points } }),
    })
  }
  return {
    resourceMetrics: [
      { resource: { attributes: attributesJson(resource) }, scopeMetrics: [{ scope: SCOPE, metrics }] },
    ],
  }
}

function valueJson({ value }: Series, before: Series | undefined): object {
  const earlier = before?.value
  if (typeof value === 'number') return { asDouble: value - (typeof earlier === 'number' ? earlier : 0) }
  const past = typeof earlier === 'object' ? earlier : undefined
  const counts = value.counts.map((count, bucket) => count - (past?.counts[bucket] ?? 0))
  const total = value.total - (past?.total ?? 0)
  const above = total - counts.reduce((sum, count) => sum + count, 0)
  return {
    count: String(total),
    sum: value.sum - (past?.sum ?? 0),
    explicitBounds: BUCKETS,
    bucketCounts: [...counts, above].map(String),
  }
}

function describeMetric(name: Series['name'] | GaugeName): object {
  return {
    name: name.replace(/_total$/, ''),
    description: HELP[name],
    unit: name.endsWith('_seconds') ? 's' : '',
  }
}

function keyOf({ name, labels }: Series): string {
  return JSON.stringify([name, labels])
}

function attributesJson(attributes: Attributes | Labels): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: valueOf(value) }))
}

function valueOf(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}

/** Milliseconds → nanoseconds as text: they do not fit a double. */
function nanoseconds(milliseconds: number): string {
  return String(BigInt(Math.round(milliseconds * 1_000)) * 1_000n)
}
