import { join } from 'node:path'
import { SparkError } from './errors.ts'
import { isAborted, objectIn, request, type HttpOptions } from './http.ts'
import { saveResponse } from './save.ts'
import type { SparkStep } from './steps.ts'
import { reasonIn, type RunOptions, type Submitter } from './submitter.ts'

export interface SynapseOptions extends HttpOptions {
  /** `https://WORKSPACE.dev.azuresynapse.net` */
  readonly endpoint: string
  readonly pool: string
  /** Folder of the programs in the lake: `abfss://training@ACCOUNT.dfs.core.windows.net/spark` */
  readonly scripts: string
  /** Bearer tokens for the lake, which is another audience. */
  readonly storage: HttpOptions
  readonly size?: SynapseSize
  readonly conf?: Readonly<Record<string, string>>
  readonly now: () => number
  readonly pollMs?: number
  readonly timeoutMs?: number
}

export interface SynapseSize {
  readonly driverMemory: string
  readonly driverCores: number
  readonly executorMemory: string
  readonly executorCores: number
  readonly numExecutors: number
}

/** Executors of a Medium node: 8 vCores, 56 GB. */
const MEDIUM: SynapseSize = {
  driverMemory: '56g',
  driverCores: 8,
  executorMemory: '56g',
  executorCores: 8,
  numExecutors: 2,
}
const LIVY = 'livyApi/versions/2019-11-01-preview'
const TIMEOUT_MS = 24 * 3_600_000
const FAILED = new Set(['error', 'dead', 'killed'])

/**
 * One batch after the other through Synapse's Livy interface; artifacts come from the lake's own REST interface.
 *
 * @see https://learn.microsoft.com/rest/api/synapse/data-plane/spark-batch
 */
export function synapseSubmitter(options: SynapseOptions): Submitter {
  return {
    name: `Synapse ${new URL(options.endpoint).host}, pool ${options.pool}`,
    run: async (steps, run = {}) => {
      for (const step of steps) await runBatch(step, options, run)
    },
    collect: (remote, folder, signal) => copyLake(remote, folder, options.storage, signal),
  }
}

async function runBatch(
  { name, args }: SparkStep,
  options: SynapseOptions,
  { signal, onEvent }: RunOptions,
): Promise<void> {
  const { pool, conf = {}, size = MEDIUM, pollMs = 10_000, timeoutMs = TIMEOUT_MS } = options
  const scripts = options.scripts.replace(/\/+$/, '')
  const batches = `${options.endpoint.replace(/\/+$/, '')}/${LIVY}/sparkPools/${encodeURIComponent(pool)}/batches`
  const body = {
    name: `attune-${name}`,
    file: `${scripts}/${name}.py`,
    args: [...args],
    pyFiles: [`${scripts}/attune_spark.zip`],
    conf: { 'spark.dynamicAllocation.enabled': 'false', ...conf },
    ...size,
  }
  // Not repeated when the answer is lost: the batch may run, and two would write over each other.
  const created = await objectIn(
    await request(
      `${batches}?detailed=true`,
      options,
      { method: 'POST', body, ...(signal && { signal }) },
      false,
    ),
  )
  const { id } = created
  if (typeof id !== 'number')
    throw new SparkError('SPARK_UNREACHABLE', 'batches: expected an id, received none')
  const batch = `${batches}/${id}`
  const cancel = () =>
    request(batch, options, { method: 'DELETE' }).then(
      () => undefined,
      () => undefined,
    )
  const started = options.now()
  let told = ''
  let seen = 0
  try {
    for (let answer = created; ;) {
      const state = String(answer['state'] ?? '')
      const result = String(answer['result'] ?? '')
      if (state !== told) onEvent?.({ type: 'state', step: name, state })
      told = state
      const lines = Array.isArray(answer['log']) ? (answer['log'] as string[]) : []
      for (const line of lines.slice(Math.min(seen, lines.length)))
        onEvent?.({ type: 'line', step: name, line })
      seen = lines.length
      if (state === 'success' && result !== 'Failed' && result !== 'Cancelled') return
      if (FAILED.has(state) || result === 'Failed' || result === 'Cancelled') {
        const [error] = (answer['errorInfo'] ?? []) as { message?: string; errorCode?: string }[]
        const reason =
          error === undefined ? reasonIn(lines) : `${error.errorCode ?? ''} ${error.message ?? ''}`
        throw new SparkError(
          'SPARK_JOB_FAILED',
          `${name}, batch ${id}: ${result || state}, ${reason.trim()}; see Monitor, Apache Spark applications, in Synapse Studio`,
        )
      }
      if (options.now() - started > timeoutMs) {
        await cancel()
        throw new SparkError(
          'SPARK_TIMED_OUT',
          `${name}, batch ${id}: not ended after ${Math.round(timeoutMs / 60_000)} minutes`,
        )
      }
      await options.sleep(pollMs, signal)
      answer = await objectIn(await request(`${batch}?detailed=true`, options, signal && { signal }))
    }
  } catch (error) {
    if (!isAborted(signal)) throw error
    await cancel()
    throw new SparkError('SPARK_ABORTED', `${name}, batch ${id}, was cancelled`, { cause: error })
  }
}

/** Version of the lake's interface that takes bearer tokens. */
const STORAGE_VERSION = { 'x-ms-version': '2021-08-06' }

/** @see https://learn.microsoft.com/rest/api/storageservices/datalakestoragegen2/path/list */
async function copyLake(
  remote: string,
  folder: string,
  http: HttpOptions,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [, container, account, path] =
    /^abfss:\/\/([^@/]+)@([^/]+)\/(.+?)\/*$/.exec(remote) ?? ([] as (string | undefined)[])
  if (container === undefined || account === undefined || path === undefined) {
    throw new SparkError(
      'SPARK_OPTION_INVALID',
      `${remote}: expected abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER`,
    )
  }
  const root = `https://${account}/${container}`
  const about = { headers: STORAGE_VERSION, ...(signal && { signal }) }
  let continuation: string | null = null
  let files = 0
  do {
    const query = new URLSearchParams({ resource: 'filesystem', recursive: 'true', directory: path })
    if (continuation !== null) query.set('continuation', continuation)
    const response = await request(`${root}?${query}`, http, about).catch((error: unknown) => {
      if (!(error instanceof SparkError) || error.code !== 'SPARK_REFUSED') throw error
      throw new SparkError('SPARK_RESULT_MISSING', `${remote}: the job wrote nothing there`, { cause: error })
    })
    continuation = response.headers.get('x-ms-continuation')
    const { paths } = await objectIn(response)
    for (const { name, isDirectory } of (paths ?? []) as { name: string; isDirectory?: string | boolean }[]) {
      const inside = name.startsWith(`${path}/`) ? name.slice(path.length + 1) : ''
      if (String(isDirectory) === 'true' || inside === '' || inside.split('/').includes('..')) continue
      const file = `${root}/${name.split('/').map(encodeURIComponent).join('/')}`
      await saveResponse(await request(file, http, about), join(folder, ...inside.split('/')))
      files++
    }
  } while (continuation !== null && continuation !== '')
  if (files === 0) throw new SparkError('SPARK_RESULT_MISSING', `${remote}: the job wrote nothing there`)
}
