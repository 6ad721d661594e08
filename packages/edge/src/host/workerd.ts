import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Log, LogLevel, Miniflare } from 'miniflare'
import { bundleWorker, type WorkerBundle } from './bundle.ts'
import { environmentOf, type EdgeOptions, type RunningEdge } from './options.ts'

export { bundleWorker, type WorkerBundle } from './bundle.ts'
export type { EdgeOptions, RunningEdge } from './options.ts'

/** Where each build begins. */
export const WORKER_ENTRIES: Readonly<Record<WorkerBuild, URL>> = {
  full: new URL('../worker.ts', import.meta.url),
  small: new URL('../worker-small.ts', import.meta.url),
}

export const COMPATIBILITY_DATE = '2026-07-01'

/** `small` is the build without ONNX Runtime. */
export type WorkerBuild = 'full' | 'small'

export interface WorkerdOptions extends EdgeOptions {
  /**
   * Connections reach the Worker itself. Otherwise Miniflare's own Worker stands in between, in the same process: it sets
   * `cf-connecting-ip` and compresses as Cloudflare's network does, and with two requests, three responses and all their
   * headers made for each one that passes it costs more than a refusal by ours, and its garbage stops ours, too.
   */
  readonly direct?: boolean
}

const bundled = new Map<WorkerBuild, Promise<WorkerBundle>>()
let starting: Promise<unknown> = Promise.resolve()

/**
 * Runs the Worker in real workerd on this machine, with R2 and the Durable Object kept in `options.persist`. Several can
 * run beside each other on one Cosmos.
 *
 * @throws when the port is taken, or workerd cannot start
 */
export function startWorkerdEdge(options: WorkerdOptions, build: WorkerBuild = 'full'): Promise<RunningEdge> {
  // One at a time, so that the new child process is the one just started.
  const started = starting.catch(() => undefined).then(() => start(options, build))
  starting = started
  return started
}

function bundleOf(build: WorkerBuild): Promise<WorkerBundle> {
  const known = bundled.get(build) ?? bundleWorker(WORKER_ENTRIES[build])
  bundled.set(build, known)
  return known
}

async function start(options: WorkerdOptions, build: WorkerBuild): Promise<RunningEdge> {
  const { script, modules } = await bundleOf(build)
  const { persist, port = 0, direct = false } = options
  if (persist !== undefined) await mkdir(persist, { recursive: true })
  const before = new Set(await children('workerd'))
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port: direct ? 0 : port,
    ...(direct && { unsafeDirectSockets: [{ host: '127.0.0.1', port }] }),
    log: new Log(LogLevel.ERROR),
    cf: false,
    compatibilityDate: COMPATIBILITY_DATE,
    modules: [
      { type: 'ESModule', path: 'worker.js', contents: script },
      ...[...modules].map(([path, contents]) => ({ type: 'CompiledWasm' as const, path, contents })),
    ],
    bindings: { ...environmentOf(options) } as Record<string, string>,
    r2Buckets: ['MODELS'],
    durableObjects: {
      MODEL_LOG: { className: 'ModelLog', useSQLite: true },
      ACTIVITY: { className: 'ActivityLog', useSQLite: true },
      LIMITS: { className: 'LimitCounter', useSQLite: true },
    },
    ...(persist !== undefined && {
      r2Persist: join(persist, 'r2'),
      durableObjectsPersist: join(persist, 'do'),
    }),
  })
  try {
    const ready = await miniflare.ready
    const url = (direct ? await miniflare.unsafeGetDirectURL() : ready).origin
    const pid = (await children('workerd')).find((child) => !before.has(child)) ?? 0
    return { url, pid, close: () => miniflare.dispose() }
  } catch (error) {
    await miniflare.dispose().catch(() => undefined)
    throw error
  }
}

/** Direct children of this process by name; empty where there is no /proc. */
async function children(name: string): Promise<number[]> {
  const found: number[] = []
  const tasks = await readdir('/proc/self/task').catch(() => [])
  for (const task of tasks) {
    const text = await readFile(`/proc/self/task/${task}/children`, 'utf8').catch(() => '')
    for (const pid of text.split(' ').filter(Boolean)) {
      const command = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
      if (command.trim() === name) found.push(Number(pid))
    }
  }
  return found
}
