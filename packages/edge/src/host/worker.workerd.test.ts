import { Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleWorker } from './bundle.ts'
import { COMPATIBILITY_DATE, WORKER_ENTRIES } from './workerd.ts'

let miniflare: Miniflare

beforeAll(async () => {
  const { script, modules } = await bundleWorker(WORKER_ENTRIES.small)
  miniflare = new Miniflare({
    cf: false,
    compatibilityDate: COMPATIBILITY_DATE,
    modules: [
      { type: 'ESModule', path: 'worker.js', contents: script },
      ...[...modules].map(([path, contents]) => ({ type: 'CompiledWasm' as const, path, contents })),
    ],
    bindings: { ATTUNE_PUSH_KEYS: 'short secret', COSMOS_ENDPOINTS: 'http://127.0.0.1:9' },
    r2Buckets: ['MODELS'],
    durableObjects: { MODEL_LOG: { className: 'ModelLog', useSQLite: true } },
    handleRuntimeStdio: () => undefined,
  })
})

afterAll(() => miniflare.dispose())

test('a Worker with wrong settings answers 503 CONFIG_INVALID with their names, and none of their values', async () => {
  for (const path of ['/readyz', '/v1/rank']) {
    const response = await miniflare.dispatchFetch(`http://edge.test${path}`)
    const text = await response.text()
    expect([response.status, response.headers.get('content-type')]).toEqual([503, 'application/problem+json'])
    expect(JSON.parse(text)).toMatchObject({ code: 'CONFIG_INVALID', status: 503 })
    for (const name of ['ATTUNE_SITES', 'ATTUNE_PUSH_KEYS', 'ATTUNE_VISITOR_SECRETS', 'COSMOS_KEY'])
      expect(text).toContain(name)
    expect(text).not.toContain('short secret')
  }
})
