import { randomUUID } from 'node:crypto'
import type { RankResponse } from '@attune/core'
import { startNodeEdge } from '@attune/edge/node'
import { startWorkerdEdge } from '@attune/edge/workerd'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { PUSH_KEY, SITE, VISITOR_SECRET, type Api } from '../../packages/edge/src/testing/api.ts'
import { createWorld, type World } from '../../packages/edge/src/testing/worlds.ts'
import { startCollector, type Collector } from './collector.ts'
import { python, runScript } from './python.ts'

// What the edge tells operators, read by the official decoders, on both hosts.

interface Value {
  readonly stringValue?: string
  readonly intValue?: string
  readonly doubleValue?: number
  readonly boolValue?: boolean
}
type Attributes = readonly { readonly key: string; readonly value: Value }[]
interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes?: Attributes
  readonly status?: { readonly code?: string }
}
interface Point {
  readonly attributes?: Attributes
  readonly asDouble?: number
  readonly count?: string
  readonly bucketCounts?: readonly string[]
  readonly explicitBounds?: readonly number[]
}
interface Data {
  readonly aggregationTemporality?: string
  readonly isMonotonic?: boolean
  readonly dataPoints: readonly Point[]
}
interface Metric {
  readonly name: string
  readonly unit?: string
  readonly sum?: Data
  readonly gauge?: Data
  readonly histogram?: Data
}
interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: readonly (readonly [name: string, labels: Record<string, string>, value: number])[]
}
interface Decoded {
  readonly traces: {
    resourceSpans: { resource: { attributes: Attributes }; scopeSpans: { spans: Span[] }[] }[]
  }[]
  readonly metrics: { resourceMetrics: { scopeMetrics: { metrics: Metric[] }[] }[] }[]
  readonly prometheus: Family[]
}

const interpreter = await python()
const CALLER = 'b7ad6b7169203331'
const HEADER_SECRET = 'collector secret, of test'

describe.skipIf(interpreter === undefined).each([
  { host: 'node', start: startNodeEdge },
  { host: 'workerd', start: startWorkerdEdge },
])('telemetry of $host (needs Python)', ({ host, start }) => {
  let collector: Collector
  let world: World
  let api: Api
  const lines: string[] = []

  beforeAll(async () => {
    for (const name of ['log', 'error'] as const)
      vi.spyOn(console, name).mockImplementation((...parts: unknown[]) => void lines.push(parts.join(' ')))
    collector = await startCollector()
    world = await createWorld(start, {
      configure: (options) => ({
        ...options,
        settings: {
          OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
          OTEL_EXPORTER_OTLP_HEADERS: `x-collector-key=${encodeURIComponent(HEADER_SECRET)}`,
          OTEL_TRACES_SAMPLER_ARG: '0',
          OTEL_METRIC_EXPORT_INTERVAL: '100',
          ATTUNE_LOG_LEVEL: 'debug',
        },
      }),
    })
    api = world.apis[0] as Api
  })

  afterAll(async () => {
    await world.close()
    await collector.close()
    vi.restoreAllMocks()
  })

  const decode = async (prometheus = ''): Promise<Decoded> =>
    (await runScript(interpreter ?? '', 'telemetry.py', { ...collector.bodies, prometheus })) as Decoded

  /** A request with a trace around it. */
  const call = async <T>(path: string, body: unknown, sampled = true) => {
    const traceId = randomUUID().replaceAll('-', '')
    const answer = await api.send<T>('POST', `${path}?key=${SITE.key}`, {
      body: JSON.stringify(body),
      headers: { traceparent: `00-${traceId}-${CALLER}-${sampled ? '01' : '00'}` },
    })
    return { traceId, answer }
  }
  const spansOf = async (traceId: string): Promise<Span[]> => {
    await expect
      .poll(() => collector.bodies.traces.some((body) => body.includes(traceId)), { timeout: 20_000 })
      .toBe(true)
    const { traces } = await decode()
    return traces
      .flatMap(({ resourceSpans }) => resourceSpans.flatMap(({ scopeSpans }) => scopeSpans))
      .flatMap(({ spans }) => spans)
      .filter((span) => span.traceId === traceId)
  }
  const plain = (attributes: Attributes = []) =>
    Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0] as unknown]))

  const click = () => ({
    id: randomUUID(),
    kind: 'click',
    item: 'item-42',
    at: Date.now() - 1_000,
    slot: 'a-slot-of-the-page',
  })

  test("a caller's trace goes on through the edge: one span for the request, one inside it for each stage", async () => {
    const visitor = await api.visitor()
    const stored = await call<{ session: string }>('/v1/events', {
      batch: randomUUID(),
      visitor,
      events: [click()],
    })
    const ranked = await call<RankResponse>('/v1/rank', {
      slot: 'for-you',
      visitor,
      session: stored.answer.body.session,
    })
    expect([stored.answer.status, ranked.answer.status]).toEqual([202, 200])
    const events = await spansOf(stored.traceId)
    expect(events.map(({ name, kind }) => [name, kind])).toEqual([
      ['POST /v1/events', 'SPAN_KIND_SERVER'],
      ['parse', 'SPAN_KIND_INTERNAL'],
      ['create', 'SPAN_KIND_CLIENT'],
      ['serialise', 'SPAN_KIND_INTERNAL'],
    ])
    const [root, ...stages] = await spansOf(ranked.traceId)
    expect(root).toMatchObject({ name: 'POST /v1/rank', kind: 'SPAN_KIND_SERVER', parentSpanId: CALLER })
    expect(plain(root?.attributes)).toMatchObject({
      'http.request.method': 'POST',
      'http.route': '/v1/rank',
      'http.response.status_code': '200',
      'attune.request_id': ranked.answer.headers.get('x-request-id'),
      'attune.epoch': '1',
      'attune.strategy': 'for-you',
      'attune.fresh': true,
    })
    expect(stages.map(({ name, kind }) => [name, kind])).toEqual([
      ['parse', 'SPAN_KIND_INTERNAL'],
      ['history', 'SPAN_KIND_CLIENT'],
      ['retrieve', 'SPAN_KIND_INTERNAL'],
      ['rank', 'SPAN_KIND_INTERNAL'],
      ['rules', 'SPAN_KIND_INTERNAL'],
      ['serialise', 'SPAN_KIND_INTERNAL'],
    ])
    let before = BigInt(root?.startTimeUnixNano ?? 0)
    for (const stage of stages) {
      expect(stage.parentSpanId).toBe(root?.spanId)
      expect(BigInt(stage.startTimeUnixNano)).toBeGreaterThanOrEqual(before)
      before = BigInt(stage.endTimeUnixNano)
    }
    expect(BigInt(root?.endTimeUnixNano ?? 0)).toBeGreaterThanOrEqual(before)
  })

  test('a request that fails says with which code; one whose caller is not followed leaves no span', async () => {
    const refused = await call('/v1/rank', { slot: '' })
    const quiet = await call('/v1/rank', { slot: 'for-you' }, false)
    expect([refused.answer.status, quiet.answer.status]).toEqual([400, 200])
    const [root] = await spansOf(refused.traceId)
    expect(plain(root?.attributes)).toMatchObject({
      'error.type': 'RANK_MALFORMED',
      'http.response.status_code': '400',
    })
    expect(collector.bodies.traces.some((body) => body.includes(quiet.traceId))).toBe(false)
  })

  test('metrics arrive as sums, gauges and histograms, with the collector’s own headers', async () => {
    await expect
      .poll(async () => {
        await api.rank({})
        return collector.bodies.metrics.join('').includes('attune_stage_seconds')
      })
      .toBe(true)
    expect(collector.headers()).toMatchObject({
      'x-collector-key': HEADER_SECRET,
      'content-type': 'application/json',
    })
    const { metrics } = await decode()
    const all = metrics.flatMap(({ resourceMetrics }) =>
      resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics)),
    )
    const temporality = `AGGREGATION_TEMPORALITY_${host === 'node' ? 'CUMULATIVE' : 'DELTA'}`
    const requests = all.filter(({ name }) => name === 'attune_requests')
    expect(requests[0]?.sum).toMatchObject({ aggregationTemporality: temporality, isMonotonic: true })
    const stages = all.find(({ name }) => name === 'attune_stage_seconds')
    expect(stages).toMatchObject({ unit: 's', histogram: { aggregationTemporality: temporality } })
    for (const { count, bucketCounts = [], explicitBounds = [] } of stages?.histogram?.dataPoints ?? []) {
      expect(bucketCounts).toHaveLength(explicitBounds.length + 1)
      expect(bucketCounts.reduce((sum, one) => sum + Number(one), 0)).toBe(Number(count))
    }
    expect(all.findLast(({ name }) => name === 'attune_epoch')?.gauge?.dataPoints[0]?.asDouble).toBe(1)
  })

  test('Prometheus reads /metrics: every family has its type and help, and says what was done', async () => {
    const response = await fetch(`${api.url}/metrics`, { headers: { authorization: `Bearer ${PUSH_KEY}` } })
    const { prometheus } = await decode(await response.text())
    expect(prometheus.map(({ type }) => type).filter((type) => type === 'unknown')).toEqual([])
    expect(prometheus.filter(({ help }) => help === '')).toEqual([])
    const sample = (name: string, labels: Record<string, string> = {}): number | undefined =>
      prometheus
        .flatMap(({ samples }) => samples)
        .find(
          ([one, has]) =>
            one === name && Object.entries(labels).every(([label, value]) => has[label] === value),
        )?.[2]
    const stages = prometheus.find(({ name }) => name === 'attune_stage_seconds')
    expect(stages?.type).toBe('histogram')
    expect(
      [...new Set(stages?.samples.map(([, labels]) => `${labels['route']} ${labels['stage']}`))].sort(),
    ).toEqual([
      '/v1/events create',
      '/v1/events parse',
      '/v1/events serialise',
      '/v1/rank history',
      '/v1/rank parse',
      '/v1/rank rank',
      '/v1/rank retrieve',
      '/v1/rank rules',
      '/v1/rank serialise',
    ])
    expect(sample('attune_requests_total', { route: '/v1/rank', status: '400' })).toBe(1)
    expect(sample('attune_cosmos_request_units_total', { operation: 'history' })).toBeGreaterThan(0)
    expect(sample('attune_epoch')).toBe(1)
    // No trainer reads these clicks, so the oldest has been waiting since it was stored.
    expect(sample('attune_freshness_lag_seconds')).toBeGreaterThan(0)
  })

  test('nothing that was exported or logged names a visitor, an item, an event, a key or a secret', async () => {
    const visitor = await api.visitor()
    const event = { ...click(), query: 'a secret wish' }
    const batch = randomUUID()
    const first = await call<{ session: string }>('/v1/events', { batch, visitor, events: [event] })
    const { traceId, answer } = await call<RankResponse>('/v1/rank', {
      slot: 'a-slot-of-the-page',
      visitor,
      session: first.answer.body.session,
      recent: [event],
    })
    await call('/v1/visitors/export', { visitor })
    await call('/v1/events', { batch, visitor: `${visitor.slice(0, 23)}${'A'.repeat(22)}`, events: [event] })
    await spansOf(traceId)
    const said = [...collector.bodies.traces, ...collector.bodies.metrics, ...lines].join('\n')
    const names = {
      handle: visitor,
      id: visitor.slice(0, 22),
      batch,
      event: event.id,
      item: 'item-42',
      listed: answer.body.items[0]?.id ?? 'item-',
      decision: answer.body.decision,
      slot: event.slot,
      query: event.query,
      'site key': SITE.key,
      'push key': PUSH_KEY,
      secret: VISITOR_SECRET,
      'collector key': HEADER_SECRET,
      'account key': world.cosmos.key,
      address: '127.0.0.1',
    }
    for (const [what, text] of Object.entries(names))
      expect([what, said.replaceAll(world.cosmos.endpoint, '').includes(text)]).toEqual([what, false])
  })

  test('a collector that refuses takes nothing from visitors', async () => {
    collector.answer(503)
    const before = collector.bodies.traces.length
    const { answer } = await call('/v1/rank', { slot: 'for-you' })
    expect(answer.status).toBe(200)
    await expect.poll(() => collector.bodies.traces.length, { timeout: 20_000 }).toBeGreaterThan(before)
    collector.answer(200)
    const { traceId } = await call('/v1/rank', { slot: 'for-you' })
    expect((await spansOf(traceId))[0]?.name).toBe('POST /v1/rank')
  })
})
