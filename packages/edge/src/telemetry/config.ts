/** Where traces and metrics go: OpenTelemetry's own settings, as far as they make sense on an edge. */
export interface TelemetryConfig {
  /** Base URL without a trailing slash; `/v1/traces` and `/v1/metrics` are appended. */
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  readonly service: string
  /** Share of requests without a caller's trace that are followed, 0 to 1. */
  readonly ratio: number
  /** undefined: as the host needs it. */
  readonly temporality: 'cumulative' | 'delta' | undefined
  readonly intervalMs: number
}

export const DEFAULT_SERVICE = 'attune-edge'
const DEFAULT_INTERVAL_MS = 60_000
const MIN_INTERVAL_MS = 100

/**
 * @param text - a setting's text; undefined when absent or empty
 * @param fail - told what is wrong
 * @returns undefined: nothing is exported
 * @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function readTelemetry(
  text: (name: string) => string | undefined,
  fail: (path: string, expected: string, received: unknown) => void,
): TelemetryConfig | undefined {
  const endpoint = text('OTEL_EXPORTER_OTLP_ENDPOINT')
  if (endpoint === undefined) return undefined
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    fail('OTEL_EXPORTER_OTLP_ENDPOINT', 'an http(s) URL', endpoint)
  const protocol = text('OTEL_EXPORTER_OTLP_PROTOCOL')
  if (protocol !== undefined && protocol !== 'http/json')
    fail('OTEL_EXPORTER_OTLP_PROTOCOL', 'http/json, the one this edge speaks', protocol)
  const temporality = text('OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE')?.toLowerCase()
  if (temporality !== undefined && temporality !== 'cumulative' && temporality !== 'delta')
    fail('OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'cumulative or delta', temporality)
  const ratio = Number(text('OTEL_TRACES_SAMPLER_ARG') ?? 1)
  if (!(ratio >= 0 && ratio <= 1)) fail('OTEL_TRACES_SAMPLER_ARG', '0 to 1', text('OTEL_TRACES_SAMPLER_ARG'))
  const intervalMs = Number(text('OTEL_METRIC_EXPORT_INTERVAL') ?? DEFAULT_INTERVAL_MS)
  if (!(intervalMs >= MIN_INTERVAL_MS))
    fail(
      'OTEL_METRIC_EXPORT_INTERVAL',
      `${MIN_INTERVAL_MS} milliseconds or more`,
      text('OTEL_METRIC_EXPORT_INTERVAL'),
    )
  return {
    endpoint: endpoint.replace(/\/+$/, ''),
    headers: readHeaders(text('OTEL_EXPORTER_OTLP_HEADERS'), fail),
    service: text('OTEL_SERVICE_NAME') ?? DEFAULT_SERVICE,
    ratio,
    temporality: temporality === 'delta' || temporality === 'cumulative' ? temporality : undefined,
    intervalMs,
  }
}

/** `name=value,name=value`, values percent-encoded. Values are secrets: no message repeats them. */
function readHeaders(
  text: string | undefined,
  fail: (path: string, expected: string, received: unknown) => void,
): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const pair of (text ?? '').split(',')) {
    if (pair.trim() === '') continue
    const [, name, value] = /^\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? []
    try {
      if (name === undefined || value === undefined) throw new URIError('no name')
      headers[name.toLowerCase()] = decodeURIComponent(value)
    } catch (error) {
      if (!(error instanceof URIError)) throw error
      fail(
        'OTEL_EXPORTER_OTLP_HEADERS',
        'name=value pairs joined by commas, values percent-encoded',
        `${pair.length} characters that are not one`,
      )
    }
  }
  return headers
}
