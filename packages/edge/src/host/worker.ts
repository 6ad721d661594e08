import type { DurableObjectNamespace, ExecutionContext, R2Bucket } from '@cloudflare/workers-types'
import scanModule from '@attune/core/scan.wasm'
import { createApp } from '../app.ts'
import { readConfig } from '../config.ts'
import { consoleLog, createDeps } from '../create.ts'
import { R2AndDurableObjectModelStore } from '../models/r2-and-durable-object.ts'
import type { LoadOrt } from '../serve/ort.ts'

export interface WorkerEnv {
  readonly MODELS: R2Bucket
  readonly MODEL_LOG: DurableObjectNamespace
  readonly [setting: string]: unknown
}

export interface WorkerHandler {
  fetch(request: Request, env: WorkerEnv, context: ExecutionContext): Response | Promise<Response>
}

/** An isolate has 128 MB: the file, its copy in R2's response and the model served meanwhile must fit. */
const MAX_FILE_BYTES = 48_000_000

/** The app on Workers: made at the first request, as bindings come with it. */
export function workerHandler(loadOrt: LoadOrt | undefined): WorkerHandler {
  let app: ReturnType<typeof createApp> | undefined
  return {
    fetch(request, env, context) {
      app ??= createApp(
        createDeps(readConfig(env), {
          name: 'workerd',
          store: new R2AndDurableObjectModelStore(env.MODELS, env.MODEL_LOG),
          scanModule,
          loadOrt,
          maxFileBytes: MAX_FILE_BYTES,
          fetch: (input, init) => fetch(input, init),
          log: consoleLog,
          addressOf: (c) => c.req.header('cf-connecting-ip'),
        }),
      )
      return app.fetch(request, env, context)
    },
  }
}
