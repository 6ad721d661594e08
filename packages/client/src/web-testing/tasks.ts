import type { CDPSession } from 'playwright-core'

/** A slice of Chromium's trace; microseconds. */
interface Slice {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly dur?: number
  /** Of the processor: what other processes take of the machine does not count. */
  readonly tdur?: number
  readonly args: { readonly data?: { readonly url?: string } }
}

/**
 * Records the tasks of the browser's main threads.
 *
 * @param devtools - a session with the whole browser
 * @returns ends it: milliseconds of processor time of each task in which code of `script` ran, longest first
 */
export async function recordTasks(devtools: CDPSession, script: RegExp): Promise<() => Promise<number[]>> {
  const slices: Slice[] = []
  devtools.on('Tracing.dataCollected', ({ value }) => slices.push(...(value as unknown as Slice[])))
  const includedCategories = ['toplevel', 'devtools.timeline']
  await devtools.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories, excludedCategories: ['*'] },
  })
  return async () => {
    const complete = new Promise((resolve) => devtools.once('Tracing.tracingComplete', resolve))
    await devtools.send('Tracing.end')
    await complete
    return tasksOf(slices, script)
  }
}

function tasksOf(slices: readonly Slice[], script: RegExp): number[] {
  const tasks = new Map<string, { end: number; ms: number; ours: boolean }[]>()
  // A task comes before what is inside it.
  const ordered = slices
    .filter(({ ph }) => ph === 'X')
    .toSorted((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0))
  for (const { pid, tid, ts, dur = 0, tdur = 0, args } of ordered) {
    const thread = tasks.get(`${pid} ${tid}`) ?? []
    tasks.set(`${pid} ${tid}`, thread)
    if (ts >= (thread.at(-1)?.end ?? 0)) thread.push({ end: ts + dur, ms: tdur / 1_000, ours: false })
    const task = thread.at(-1)
    if (task && script.test(args.data?.url ?? '')) task.ours = true
  }
  return [...tasks.values()]
    .flat()
    .flatMap(({ ms, ours }) => (ours ? [ms] : []))
    .toSorted((a, b) => b - a)
}
