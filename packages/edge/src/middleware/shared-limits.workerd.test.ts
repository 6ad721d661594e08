import { Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleWorker } from '../host/bundle.ts'
import { environmentOf } from '../host/options.ts'
import { COMPATIBILITY_DATE, WORKER_ENTRIES } from '../host/workerd.ts'
import { edgeOptions, SITE } from '../testing/api.ts'
import { createSigner } from '../testing/artifact.ts'

// Two isolates of real workerd that share one Durable Object namespace, as those of a deployment do.

const LIMIT = { perSecond: 0.01, burst: 40 }
let miniflare: Miniflare

beforeAll(async () => {
  const { script, modules } = await bundleWorker(WORKER_ENTRIES.small)
  const cosmos = { endpoint: 'http://127.0.0.1:9', key: 'c2VjcmV0' }
  const options = { ...edgeOptions(cosmos, await createSigner()), limits: { address: LIMIT } }
  const worker = (name: string, scriptName?: string) => ({
    name,
    compatibilityDate: COMPATIBILITY_DATE,
    modules: [
      { type: 'ESModule' as const, path: 'worker.js', contents: script },
      ...[...modules].map(([path, contents]) => ({ type: 'CompiledWasm' as const, path, contents })),
    ],
    bindings: { ...environmentOf(options) } as Record<string, string>,
    r2Buckets: ['MODELS'],
    durableObjects: {
      MODEL_LOG: { className: 'ModelLog', useSQLite: true },
      LIMITS: { className: 'LimitCounter', useSQLite: true, ...(scriptName !== undefined && { scriptName }) },
    },
  })
  miniflare = new Miniflare({ cf: false, workers: [worker('one'), worker('other', 'one')] })
  await miniflare.ready
})

afterAll(async () => {
  await miniflare.dispose()
})

async function ask(isolate: string, address: string): Promise<number> {
  const worker = await miniflare.getWorker(isolate)
  const response = await worker.fetch(`http://edge.test/v1/visitors?key=${SITE.key}`, {
    method: 'POST',
    body: '{}',
    headers: { 'cf-connecting-ip': address },
  })
  await response.text()
  return response.status
}

test('an address that asks two isolates in turn gets one burst of 40, and at most a tenth more from each', async () => {
  const statuses: number[] = []
  for (let request = 0; request < 100; request++)
    statuses.push(await ask(request % 2 === 0 ? 'one' : 'other', '203.0.113.7'))
  const answered = statuses.filter((status) => status === 201).length
  expect(answered).toBeGreaterThanOrEqual(40)
  expect(answered).toBeLessThanOrEqual(40 + 2 * 4 + 2)
  expect(new Set(statuses)).toEqual(new Set([201, 429]))
  expect(await ask('one', '203.0.113.8')).toBe(201)
})
