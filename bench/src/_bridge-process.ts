import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { startMember, type MemberOptions } from '@attune/trainer-bridge'
import { randomModel } from './_model.ts'

// A bridge in a process of its own, so that it can be killed, and so that its work is not mistaken for others'.

export type MemberProcessOptions = Omit<
  MemberOptions,
  'initial' | 'onStatus' | 'fetch' | 'now' | 'random'
> & {
  /** Artifact folder, or the size of a random model. */
  readonly initial: string | number
}

/** What a bridge tells now and then. */
export interface MemberReport {
  readonly leads: boolean
  readonly events: number
  readonly ranges: number
  readonly lagSeconds: number
  readonly lagItems: number
  readonly rss: number
}

export interface MemberProcess {
  readonly child: ChildProcess
  readonly pid: number
  /** As last told. */
  report: MemberReport | undefined
  readonly errors: string[]
  /** Ends in order. */
  close(): Promise<void>
  /** As a crash would. */
  kill(): Promise<void>
}

const REPORT_MS = 200
/** As long as Kubernetes would wait. */
const END_MS = 20_000

export async function forkMember(options: MemberProcessOptions): Promise<MemberProcess> {
  const child = fork(import.meta.filename, [], {
    env: { ...process.env, ATTUNE_BENCH_MEMBER: JSON.stringify(options) },
    execArgv: ['--conditions=@attune/source', '--no-warnings'],
  })
  const gone = once(child, 'exit')
  const [first] = (await Promise.race([
    once(child, 'message'),
    gone.then(([code]) => {
      throw new Error(`the bridge ended with ${String(code)} before it was ready`)
    }),
  ])) as [unknown]
  void first
  gone.catch(() => undefined)
  const member: MemberProcess = {
    child,
    pid: child.pid ?? 0,
    report: undefined,
    errors: [],
    async close() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await gone
    },
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
  }
  child.on('message', (message: MemberReport | { error: string }) => {
    if ('error' in message) member.errors.push(message.error)
    else member.report = message
  })
  return member
}

const text = process.env['ATTUNE_BENCH_MEMBER']
if (text !== undefined && process.argv[1] === import.meta.filename) {
  const { initial, ...options } = JSON.parse(text) as MemberProcessOptions
  const tell = (message: unknown) => {
    if (process.connected) process.send?.(message)
  }
  const member = await startMember({
    ...options,
    initial: typeof initial === 'string' ? initial : () => Promise.resolve(randomModel(initial)),
    onStatus: (status) => {
      if ('error' in status && status.error !== undefined) tell({ error: `${status.type}: ${status.error}` })
    },
  })
  const telling = setInterval(() => {
    const ranges = member.processors.flatMap(([, processor]) => processor.ranges)
    tell({
      leads: member.bridge !== undefined,
      events: member.bridge?.events.taken ?? 0,
      ranges: ranges.length,
      lagSeconds: ranges.reduce((most, { lagSeconds }) => Math.max(most, lagSeconds), 0),
      lagItems: ranges.reduce((sum, { lagItems }) => sum + lagItems, 0),
      rss: process.memoryUsage.rss(),
    } satisfies MemberReport)
  }, REPORT_MS)
  const end = () => {
    clearInterval(telling)
    // Whoever started it may be gone, and Cosmos with it: then there is nothing it could still hand over.
    setTimeout(() => process.exit(1), END_MS)
    void member.close().then(() => process.exit())
  }
  process.once('SIGTERM', end)
  process.once('disconnect', end)
  tell('started')
}
