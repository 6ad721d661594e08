import { spawn, type ChildProcess } from 'node:child_process'
import { cp, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { SparkError } from './errors.ts'
import { isAborted } from './http.ts'
import type { SparkStep } from './steps.ts'
import { reasonIn, type RunOptions, type Submitter } from './submitter.ts'

export interface LocalSparkOptions {
  /** `local[2]`, or the URL of a cluster this machine can start drivers for. */
  readonly master: string
  /** Folder of prepare.py, train.py and export.py. */
  readonly scripts: string
  /** The program to start; `spark-submit` of the path when absent. */
  readonly submit?: string
  /** The interpreter of driver and workers; what spark-submit finds when absent. */
  readonly python?: string
  readonly conf?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** Lines of output kept to find the reason of a failure in. */
const KEPT_LINES = 200
const KILL_AFTER_MS = 10_000

/** Starts `spark-submit` on this machine, one step after the other. */
export function localSubmitter(options: LocalSparkOptions): Submitter {
  return {
    name: `spark-submit --master ${options.master}`,
    run: async (steps, run = {}) => {
      for (const step of steps) await runStep(step, options, run)
    },
    collect: async (remote, folder) => {
      const from = remote.replace(/^file:(\/\/)?/, '')
      const found = await stat(from).catch(() => undefined)
      if (found?.isDirectory() !== true)
        throw new SparkError('SPARK_RESULT_MISSING', `${from}: no such folder`)
      if (resolve(from) !== resolve(folder)) await cp(from, folder, { recursive: true })
    },
  }
}

async function runStep(
  step: SparkStep,
  options: LocalSparkOptions,
  { signal, onEvent }: RunOptions,
): Promise<void> {
  const { master, scripts, submit = 'spark-submit', python, conf = {} } = options
  const aborted = () => new SparkError('SPARK_ABORTED', `${step.name} was stopped`)
  if (isAborted(signal)) throw aborted()
  const settings = Object.entries(conf).flatMap(([name, value]) => ['--conf', `${name}=${value}`])
  const child = spawn(
    submit,
    ['--master', master, ...settings, join(scripts, `${step.name}.py`), ...step.args],
    {
      env: {
        ...process.env,
        ...options.env,
        ...(python !== undefined && { PYSPARK_PYTHON: python, PYSPARK_DRIVER_PYTHON: python }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that Java, Python and the processes of PyTorch can be ended together.
      detached: true,
    },
  )
  onEvent?.({ type: 'state', step: step.name, state: 'running' })
  const lines: string[] = []
  const listen = (stream: NodeJS.ReadableStream) =>
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
      lines.push(line)
      if (lines.length > KEPT_LINES) lines.shift()
      onEvent?.({ type: 'line', step: step.name, line })
    })
  listen(child.stdout)
  listen(child.stderr)
  const stop = () => end(child)
  signal?.addEventListener('abort', stop)
  try {
    const status = await new Promise<number | null>((done, failed) => {
      child.on('close', done)
      child.on('error', (cause) =>
        failed(
          new SparkError(
            'SPARK_MISSING',
            `${submit} cannot be started; install Spark (pip install pyspark) or name its spark-submit`,
            { cause },
          ),
        ),
      )
    })
    if (isAborted(signal)) throw aborted()
    if (status !== 0) {
      throw new SparkError(
        'SPARK_JOB_FAILED',
        `${step.name} ended with ${String(status)}: ${reasonIn(lines)}`,
      )
    }
    onEvent?.({ type: 'state', step: step.name, state: 'succeeded' })
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

function end(child: ChildProcess): void {
  const send = (name: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name)
    } catch {
      // it has ended
    }
  }
  send('SIGTERM')
  const timer = setTimeout(() => send('SIGKILL'), KILL_AFTER_MS)
  child.on('close', () => clearTimeout(timer))
}
