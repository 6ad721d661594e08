import type { DurableObjectNamespace, ExecutionContext, R2Bucket } from '@cloudflare/workers-types'
import type { Problem } from '@attune/core'
import scanModule from '@attune/core/scan.wasm'
import { createApp } from '../app.ts'
import { ConfigError, readConfig } from '../config.ts'
import { createDeps } from '../create.ts'
import { consoleLog } from '../log.ts'
import { R2AndDurableObjectModelStore } from '../models/r2-and-durable-object.ts'
import { deploymentActivityStore } from '../studio/activity-log.ts'
import { PAGE, SCRIPT, STYLE } from '../studio/generated.ts'
import { durableObjectLimits } from '../middleware/shared-limits.ts'
import { watchEnvironment } from './unread.ts'
import type { LoadOrt } from '../serve/ort.ts'

export interface WorkerEnv {
  readonly MODELS: R2Bucket
  readonly MODEL_LOG: DurableObjectNamespace
  /** Absent: the live page shows one isolate. */
  readonly ACTIVITY?: DurableObjectNamespace
  /** Absent: limits are counted by each isolate. */
  readonly LIMITS?: DurableObjectNamespace
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
      try {
        app ??= make(env)
      } catch (error) {
        if (error instanceof ConfigError) return misconfigured(error)
        throw error
      }
      return app.fetch(request, env, context)
    },
  }

  function make(env: WorkerEnv): ReturnType<typeof createApp> {
    const watched = watchEnvironment(env)
    const config = readConfig(watched.env)
    const settings = watched.unread()
    if (settings.length > 0) consoleLog('warn', 'settings that nobody reads', { settings })
    return createApp(
      createDeps(config, {
        name: 'workerd',
        store: new R2AndDurableObjectModelStore(env.MODELS, env.MODEL_LOG),
        scanModule,
        loadOrt,
        maxFileBytes: MAX_FILE_BYTES,
        ...(env.LIMITS !== undefined && { sharedLimits: durableObjectLimits(env.LIMITS) }),
        fetch: (input, init) => fetch(input, init),
        log: consoleLog,
        addressOf: (c) => c.req.header('cf-connecting-ip'),
        ...(env.ACTIVITY !== undefined && { activity: deploymentActivityStore(env.ACTIVITY) }),
        studio: { page: PAGE, script: SCRIPT, style: STYLE },
      }),
    )
  }
}

/** A Worker cannot refuse to start: every answer says which settings are wrong. Values are for the log alone. */
function misconfigured(error: ConfigError): Response {
  consoleLog('error', 'the edge cannot start', { code: error.code, problems: error.message })
  const settings = [...new Set(error.issues.map(({ path }) => path))]
  const body: Problem = {
    type: 'about:blank',
    title: 'The edge is not set up',
    status: 503,
    code: error.code,
    detail: `settings that are missing or wrong: ${settings.join(', ')}; the log says what was expected`,
    requestId: crypto.randomUUID(),
  }
  return Response.json(body, { status: 503, headers: { 'content-type': 'application/problem+json' } })
}
