import { Worker } from 'node:worker_threads'
import { TrainError } from './errors.ts'

/** A group of workers that answer every message with one of their own. */
export interface Crew {
  /** Sends the same message to all; settles when all have answered. */
  ask<Answer>(message: unknown): Promise<Answer[]>
  /** Ends all workers; what is still asked for is rejected with `reason`. */
  close(reason?: Error): Promise<void>
}

/**
 * Starts workers on a module beside this one, from source or from dist.
 *
 * @param name - file name without extension
 * @param data - workerData of each
 * @param onNote - called with what a worker posts as `{ note }`, which is no answer
 */
export function startCrew(name: string, data: readonly unknown[], onNote?: (note: unknown) => void): Crew {
  const source = import.meta.url.endsWith('.ts')
  const url = new URL(`./${name}.${source ? 'ts' : 'js'}`, import.meta.url)
  // Run from source the worker must find other packages' sources too, whatever started this process.
  const execArgv = source
    ? ['--conditions=@attune/source', '--disable-warning=ExperimentalWarning', '--experimental-strip-types']
    : []
  let failure: Error | undefined
  const waiting = new Set<(error: Error) => void>()
  const fail = (cause: unknown) => {
    failure ??= new TrainError(
      'TRAIN_WORKER_FAILED',
      `worker ${name}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    )
    for (const reject of waiting) reject(failure)
    waiting.clear()
  }
  const workers = data.map((workerData) => {
    const worker = new Worker(url, { workerData, execArgv })
    worker.on('error', fail)
    worker.on('exit', (code) => fail(`exited with ${code}`))
    worker.on('message', (message: { note?: unknown }) => {
      if (message.note !== undefined) onNote?.(message.note)
    })
    return worker
  })
  const askOne = <Answer>(worker: Worker, message: unknown): Promise<Answer> =>
    new Promise((resolve, reject) => {
      if (failure !== undefined) return reject(failure)
      const listen = (reply: { answer?: Answer; note?: unknown }) => {
        if (reply.note !== undefined) return
        waiting.delete(reject)
        worker.off('message', listen)
        resolve(reply.answer as Answer)
      }
      waiting.add(reject)
      worker.on('message', listen)
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      worker.postMessage(message)
    })
  return {
    ask: (message) => Promise.all(workers.map((worker) => askOne(worker, message))) as never,
    close: async (reason) => {
      failure ??= reason ?? new TrainError('TRAIN_WORKER_FAILED', `worker ${name}: closed`)
      for (const reject of waiting) reject(failure)
      waiting.clear()
      for (const worker of workers) worker.removeAllListeners('exit')
      await Promise.all(workers.map((worker) => worker.terminate()))
    },
  }
}

/** Waits until all threads are here. `control[0]` counts arrivals, `control[1]` meetings. */
export function meet(control: Int32Array, threads: number): void {
  const meeting = Atomics.load(control, 1)
  if (Atomics.add(control, 0, 1) === threads - 1) {
    Atomics.store(control, 0, 0)
    Atomics.add(control, 1, 1)
    Atomics.notify(control, 1)
    return
  }
  while (Atomics.load(control, 1) === meeting) Atomics.wait(control, 1, meeting)
}
