import type { DurableObjectNamespace, ExecutionContext, R2Bucket } from '@cloudflare/workers-types'
import scanModule from '@attune/core/scan.wasm'
import { createApp } from './app.ts'
import { readConfig } from './config.ts'
import { consoleLog, createDeps } from './create.ts'
import { R2AndDurableObjectModelStore } from './models/r2-and-durable-object.ts'
import { loadOrt } from './serve/ort-workerd.ts'

// Cloudflare Workers' entry. Bindings: wrangler.jsonc.

export { ModelLog } from './models/model-log.ts'

export interface WorkerEnv {
  readonly MODELS: R2Bucket
  readonly MODEL_LOG: DurableObjectNamespace
  readonly [setting: string]: unknown
}

/** An isolate has 128 MB: the file, its copy in R2's response and the model served meanwhile must fit. */
const MAX_FILE_BYTES = 48_000_000

let app: ReturnType<typeof createApp> | undefined

function appOf(env: WorkerEnv): ReturnType<typeof createApp> {
  const deps = createDeps(readConfig(env), {
    name: 'workerd',
    store: new R2AndDurableObjectModelStore(env.MODELS, env.MODEL_LOG),
    scanModule,
    loadOrt,
    maxFileBytes: MAX_FILE_BYTES,
    fetch: (input, init) => fetch(input, init),
    log: consoleLog,
    addressOf: (c) => c.req.header('cf-connecting-ip'),
  })
  return createApp(deps)
}

export default {
  fetch(request: Request, env: WorkerEnv, context: ExecutionContext): Response | Promise<Response> {
    app ??= appOf(env)
    return app.fetch(request, env, context)
  },
}
