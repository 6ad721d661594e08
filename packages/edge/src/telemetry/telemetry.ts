import type { Log } from '../log.ts'
import type { GaugeName, Metrics, Series } from '../metrics.ts'
import type { Background } from '../models/models.ts'
import type { TelemetryConfig } from './config.ts'
import { metricsJson, tracesJson, type FinishedRequest } from './otlp.ts'
import { Outbox } from './outbox.ts'
import { randomHex } from './trace-context.ts'
import { follow, RequestTrace, type Attributes } from './trace.ts'

export interface TelemetryDeps {
  /** undefined: nothing is exported. */
  readonly config: TelemetryConfig | undefined
  readonly host: 'node' | 'workerd'
  readonly metrics: Metrics
  readonly gauges: () => Readonly<Partial<Record<GaugeName, number>>>
  readonly fetch: typeof fetch
  readonly now: () => number
  readonly elapsed: () => number
  readonly random: () => number
  readonly log: Log
}

const SPANS_WAIT_MS = 1_000
const REQUESTS_AT_ONCE = 256
const MAX_HELD = 2_048
const TIMEOUT_MS = 5_000

/** Traces and metrics to an OpenTelemetry collector, behind responses. */
export class Telemetry {
  readonly #deps: TelemetryDeps
  readonly #finished: Outbox<FinishedRequest>
  /** Each process or isolate counts for itself: collectors must be able to tell them apart. */
  readonly #resource: Attributes
  readonly #startedAt: number
  #exportedAt: number
  #exported: readonly Series[] = []

  constructor(deps: TelemetryDeps) {
    this.#deps = deps
    const { config, log, now } = deps
    this.#startedAt = now()
    this.#exportedAt = this.#startedAt
    this.#resource =
      config === undefined
        ? {}
        : {
            'service.name': config.service,
            'service.instance.id': randomHex(8),
            'attune.host': deps.host,
          }
    this.#finished = new Outbox({
      send: (requests) => this.#post('traces', tracesJson(requests, this.#resource)),
      waitMs: SPANS_WAIT_MS,
      full: REQUESTS_AT_ONCE,
      most: MAX_HELD,
      now,
      failed: (error, requests) => {
        log('warn', 'traces were not taken by the collector', { requests, error: reason(error) })
      },
      dropped: (requests) => {
        deps.metrics.count('attune_telemetry_dropped_total', { signal: 'traces' }, requests)
      },
    })
  }

  /** A request begins. @param traceparent - its header */
  begin(traceparent: string | undefined): RequestTrace {
    const { config, now, elapsed, random } = this.#deps
    const followed = config === undefined ? undefined : follow(traceparent, config.ratio, random)
    return new RequestTrace(now(), elapsed, followed)
  }

  /** A request was answered. */
  finish(request: FinishedRequest, background: Background): void {
    const { config, now } = this.#deps
    if (config === undefined) return
    if (request.trace.context !== undefined) this.#finished.add(request, background)
    if (now() - this.#exportedAt >= config.intervalMs) background(this.#exportMetrics(config))
  }

  /** This process ends: what is held goes out now. */
  async end(): Promise<void> {
    this.#finished.hurry()
    const { config } = this.#deps
    if (config !== undefined) await this.#exportMetrics(config)
  }

  async #exportMetrics(config: TelemetryConfig): Promise<void> {
    const { metrics, gauges, now, log, host } = this.#deps
    const from = this.#exportedAt
    const to = now()
    this.#exportedAt = to
    const series = metrics.snapshot()
    // Isolates live minutes: as cumulative series they would be thousands that never end.
    const temporality = config.temporality ?? (host === 'workerd' ? 'delta' : 'cumulative')
    const options = {
      resource: this.#resource,
      temporality,
      from: temporality === 'delta' ? from : this.#startedAt,
      to,
      before: this.#exported,
    }
    this.#exported = temporality === 'delta' ? series : []
    try {
      await this.#post('metrics', metricsJson(series, gauges(), options))
    } catch (error) {
      log('warn', 'metrics were not taken by the collector', { error: reason(error) })
    }
  }

  async #post(signal: 'traces' | 'metrics', body: object): Promise<void> {
    const { config, fetch: send } = this.#deps
    if (config === undefined) return
    const response = await send(`${config.endpoint}/v1/${signal}`, {
      method: 'POST',
      headers: { ...config.headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    // Read, so that the connection is free again.
    await response.arrayBuffer()
    if (!response.ok) throw new Error(`the collector answered ${response.status}`)
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown'
}
