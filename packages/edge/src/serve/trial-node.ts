import { Worker } from 'node:worker_threads'
import { MAX_CANDIDATES } from '@attune/core'
import { ArtifactError, type ArtifactErrorCode } from '@attune/core/artifact'
import type { TrialNote } from './trial-worker.ts'
import type { Trial, UntriedGraphs } from './trial.ts'

/** For both sessions, one query and one list, on a busy machine too; ours take some 50 ms. */
const TRIAL_MS = 5_000
/** For ONNX Runtime itself, which is not the graphs' fault. */
const LOAD_MS = 30_000
/** Trials that are not made again, by the digests of the graphs. */
const MAX_REMEMBERED = 64

/**
 * Tries graphs in a thread of its own, once for the same pair. What runs in ONNX Runtime cannot be interrupted from
 * within, but its thread can be ended.
 *
 * @param limitMs - sessions and runs together
 */
export function createNodeTrial(limitMs: number = TRIAL_MS): Trial {
  const passed = new Set<string>()
  return async (graphs) => {
    const { encoder, ranker } = graphs.manifest.files
    const key = `${encoder?.sha256} ${ranker?.sha256}`
    if (passed.has(key)) return
    await tryOnce(graphs, limitMs)
    if (passed.size >= MAX_REMEMBERED) passed.clear()
    passed.add(key)
  }
}

function tryOnce(graphs: UntriedGraphs, limitMs: number): Promise<void> {
  const source = import.meta.url.endsWith('.ts')
  const url = new URL(`./trial-worker.${source ? 'ts' : 'js'}`, import.meta.url)
  // Run from source the thread must find other packages' sources too, whatever started this process.
  const execArgv = source
    ? ['--conditions=@attune/source', '--disable-warning=ExperimentalWarning', '--experimental-strip-types']
    : []
  const worker = new Worker(url, { workerData: graphs, execArgv })
  return new Promise<void>((resolve, reject) => {
    let timer: NodeJS.Timeout
    const within = (ms: number, what: string): void => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        end(
          new ArtifactError('ARTIFACT_TOO_SLOW', `graphs: expected ${what} within ${ms} ms; they were ended`),
        )
      }, ms)
    }
    const end = (error?: Error): void => {
      clearTimeout(timer)
      void worker.terminate()
      if (error === undefined) resolve()
      else reject(error)
    }
    within(LOAD_MS, 'ONNX Runtime')
    worker.on('message', (note: TrialNote) => {
      if ('ready' in note) within(limitMs, `one list of ${MAX_CANDIDATES} candidates`)
      else if ('done' in note) end()
      else end(new ArtifactError(note.code as ArtifactErrorCode, note.message))
    })
    const died = (cause: unknown): void => {
      const reason = cause instanceof Error ? cause.message : `thread ended with ${String(cause)}`
      end(new ArtifactError('ARTIFACT_MALFORMED', `graphs: could not be run: ${reason}`, { cause }))
    }
    worker.on('error', died)
    worker.on('exit', died)
  })
}
