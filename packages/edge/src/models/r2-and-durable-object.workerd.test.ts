import type { DurableObjectNamespace, R2Bucket } from '@cloudflare/workers-types'
import { Miniflare } from 'miniflare'
import { afterAll } from 'vitest'
import { bundleWorker } from '../host/bundle.ts'
import { COMPATIBILITY_DATE } from '../host/workerd.ts'
import { R2AndDurableObjectModelStore } from './r2-and-durable-object.ts'
import { describeModelStore } from './store.contract.ts'

const { script } = await bundleWorker(new URL('../testing/model-log-worker.ts', import.meta.url))
const running: Miniflare[] = []

afterAll(async () => {
  for (const miniflare of running) await miniflare.dispose()
})

const names = new Map<string, Miniflare>()

/** One workerd; each name is a bucket and a namespace of its own, opened anew on each call. */
describeModelStore(async (name) => {
  let miniflare = names.get(name)
  if (miniflare === undefined) {
    miniflare = new Miniflare({
      modules: [{ type: 'ESModule', path: 'worker.js', contents: script }],
      cf: false,
      compatibilityDate: COMPATIBILITY_DATE,
      r2Buckets: ['MODELS'],
      durableObjects: { MODEL_LOG: { className: 'ModelLog', useSQLite: true } },
    })
    running.push(miniflare)
    names.set(name, miniflare)
  }
  const bucket = (await miniflare.getR2Bucket('MODELS')) as unknown as R2Bucket
  const namespace = (await miniflare.getDurableObjectNamespace(
    'MODEL_LOG',
  )) as unknown as DurableObjectNamespace
  return new R2AndDurableObjectModelStore(bucket, namespace)
})
