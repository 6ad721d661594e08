import { join } from 'node:path'
import { SparkError } from './errors.ts'
import { isAborted, objectIn, request, type HttpOptions } from './http.ts'
import { saveResponse } from './save.ts'
import type { SparkStep, StepName } from './steps.ts'
import { reasonIn, type RunOptions, type Submitter } from './submitter.ts'

export interface DatabricksOptions extends HttpOptions {
  /** `https://adb-….azuredatabricks.net` */
  readonly host: string
  /** Workspace folder of prepare.py, train.py and export.py; the bundle puts them there. */
  readonly scripts: string
  /** A cluster that runs, or what one is to be made of for each step (the API's `new_cluster`). */
  readonly cluster: { readonly id: string } | { readonly fresh: Readonly<Record<string, unknown>> }
  /** What a fresh cluster installs: the API's `libraries`. */
  readonly libraries?: readonly Readonly<Record<string, unknown>>[]
  /** Tells this submission from others: a repeated one with the same key is the same run. */
  readonly key: string
  readonly now: () => number
  readonly pollMs?: number
  readonly timeoutMs?: number
}

const ENDED = new Set(['TERMINATED', 'SKIPPED', 'INTERNAL_ERROR'])
const TIMEOUT_MS = 24 * 3_600_000

interface TaskState {
  readonly name: StepName
  readonly runId: number
  readonly life: string
  readonly result: string
  readonly message: string
}

/**
 * One run of three tasks through the Jobs API: runs/submit, runs/get until it ends, runs/get-output for what the tasks
 * printed; artifacts come from a Unity Catalog volume through the Files API.
 *
 * @see https://docs.databricks.com/api/azure/workspace/jobs/submit
 * @see https://docs.databricks.com/api/azure/workspace/files
 */
export function databricksSubmitter(options: DatabricksOptions): Submitter {
  return {
    name: `Databricks ${new URL(options.host).host}`,
    run: (steps, run = {}) => runTasks(steps, options, run),
    collect: (remote, folder, signal) => copyVolume(remote, folder, options, signal),
  }
}

async function runTasks(
  steps: readonly SparkStep[],
  options: DatabricksOptions,
  { signal, onEvent }: RunOptions,
): Promise<void> {
  const { cluster, scripts, libraries, key, pollMs = 10_000, timeoutMs = TIMEOUT_MS } = options
  const api = (path: string) => `${options.host.replace(/\/+$/, '')}/api/2.2/jobs/runs/${path}`
  const body = {
    run_name: 'attune train',
    // Submitting twice gives the first run back, so a lost answer costs nothing.
    idempotency_token: key.slice(0, 64),
    tasks: steps.map(({ name, args }, index) => ({
      task_key: name,
      ...(index > 0 && { depends_on: [{ task_key: steps[index - 1]?.name }] }),
      ...('id' in cluster ? { existing_cluster_id: cluster.id } : { new_cluster: cluster.fresh }),
      spark_python_task: {
        python_file: `${scripts.replace(/\/+$/, '')}/${name}.py`,
        parameters: [...args],
      },
      ...(libraries && { libraries }),
    })),
  }
  const submitted = await objectIn(
    await request(api('submit'), options, { method: 'POST', body, ...(signal && { signal }) }),
  )
  const runId = submitted['run_id']
  if (typeof runId !== 'number')
    throw new SparkError('SPARK_UNREACHABLE', 'runs/submit: expected a run_id, received none')
  const cancel = () =>
    request(api('cancel'), options, { method: 'POST', body: { run_id: runId } }).then(
      () => undefined,
      () => undefined,
    )
  const started = options.now()
  const told = new Map<string, string>()
  try {
    for (;;) {
      const answer = await objectIn(
        await request(`${api('get')}?run_id=${runId}`, options, signal && { signal }),
      )
      const page = typeof answer['run_page_url'] === 'string' ? answer['run_page_url'] : undefined
      for (const task of tasksIn(answer)) {
        const state = ENDED.has(task.life) ? task.result || task.life : task.life
        if (told.get(task.name) === state) continue
        told.set(task.name, state)
        onEvent?.({
          type: 'state',
          step: task.name,
          state: state.toLowerCase(),
          ...(page !== undefined && { page }),
        })
        if (!ENDED.has(task.life) || task.result === 'UPSTREAM_FAILED' || task.life === 'SKIPPED') continue
        const lines = await outputOf(task, api('get-output'), options, signal)
        for (const line of lines) onEvent?.({ type: 'line', step: task.name, line })
        if (task.result !== 'SUCCESS') {
          const reason = task.result === 'FAILED' && lines.length > 0 ? reasonIn(lines) : task.message
          throw new SparkError(
            'SPARK_JOB_FAILED',
            `${task.name}: ${state}, ${reason || 'no reason given'}${page === undefined ? '' : `; see ${page}`}`,
          )
        }
      }
      const { life, result, message } = stateIn(answer['state'])
      if (ENDED.has(life)) {
        if (result === 'SUCCESS') return
        throw new SparkError('SPARK_JOB_FAILED', `run ${runId}: ${result || life}, ${message}`)
      }
      if (options.now() - started > timeoutMs) {
        await cancel()
        throw new SparkError(
          'SPARK_TIMED_OUT',
          `run ${runId}: not ended after ${Math.round(timeoutMs / 60_000)} minutes`,
        )
      }
      await options.sleep(pollMs, signal)
    }
  } catch (error) {
    if (!isAborted(signal)) throw error
    await cancel()
    throw new SparkError('SPARK_ABORTED', `run ${runId} was cancelled`, { cause: error })
  }
}

function stateIn(state: unknown): { life: string; result: string; message: string } {
  const { life_cycle_state, result_state, state_message } = (state ?? {}) as Record<string, unknown>
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  return { life: text(life_cycle_state), result: text(result_state), message: text(state_message) }
}

function tasksIn(run: Readonly<Record<string, unknown>>): TaskState[] {
  const tasks = Array.isArray(run['tasks']) ? (run['tasks'] as Record<string, unknown>[]) : []
  return tasks.map((task) => ({
    name: task['task_key'] as StepName,
    runId: Number(task['run_id']),
    ...stateIn(task['state']),
  }))
}

/** Lines a task printed and the error it ended with; none when they cannot be had. */
async function outputOf(
  { runId }: TaskState,
  url: string,
  options: DatabricksOptions,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  try {
    const output = await objectIn(await request(`${url}?run_id=${runId}`, options, signal && { signal }))
    return [output['logs'], output['error']].flatMap((text) =>
      typeof text === 'string' && text !== '' ? text.trimEnd().split(/\r?\n/) : [],
    )
  } catch (error) {
    if (error instanceof SparkError && error.code !== 'SPARK_ABORTED') return []
    throw error
  }
}

/** Depth first through the Files API: /api/2.0/fs/directories lists, /api/2.0/fs/files reads. */
async function copyVolume(
  remote: string,
  folder: string,
  options: DatabricksOptions,
  signal: AbortSignal | undefined,
): Promise<void> {
  const path = remote.replace(/^dbfs:/, '').replace(/\/+$/, '')
  if (!path.startsWith('/Volumes/')) {
    throw new SparkError(
      'SPARK_OPTION_INVALID',
      `${remote}: expected a folder of a volume, /Volumes/catalog/schema/volume/…`,
    )
  }
  const root = options.host.replace(/\/+$/, '')
  const encoded = (value: string) => value.split('/').map(encodeURIComponent).join('/')
  let token: string | undefined
  do {
    const more = token === undefined ? '' : `?page_token=${encodeURIComponent(token)}`
    const url = `${root}/api/2.0/fs/directories${encoded(path)}${more}`
    const listed = await objectIn(await missing(path, request(url, options, signal && { signal })))
    for (const entry of (listed['contents'] ?? []) as Record<string, unknown>[]) {
      const name = entry['name']
      if (typeof name !== 'string' || name === '' || name.includes('/') || name === '..') continue
      const from = `${path}/${name}`
      const to = join(folder, name)
      if (entry['is_directory'] === true) await copyVolume(from, to, options, signal)
      else {
        const file = `${root}/api/2.0/fs/files${encoded(from)}`
        await saveResponse(await request(file, options, signal && { signal }), to)
      }
    }
    token = typeof listed['next_page_token'] === 'string' ? listed['next_page_token'] : undefined
  } while (token !== undefined && token !== '')
}

async function missing(path: string, response: Promise<Response>): Promise<Response> {
  try {
    return await response
  } catch (error) {
    if (error instanceof SparkError && error.code === 'SPARK_REFUSED')
      throw new SparkError('SPARK_RESULT_MISSING', `${path}: the job wrote nothing there`, { cause: error })
    throw error
  }
}
