import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Keys, PartName } from '../start/parts.ts'

const SCRIPT = fileURLToPath(new URL('../../../../scripts/start.ts', import.meta.url))
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url))
const READY_WITHIN_MS = 150_000
const PORTS = 4

/** `scripts/start.ts` as a person would run it, with a small training and a folder of its own. */
export interface RunningStart {
  readonly child: ChildProcess
  /** Everything it has printed. */
  output(): string
  /** Settles when it has printed the address to open. @throws when it ends before, or takes too long */
  ready(): Promise<void>
  /** Settles when the process has ended; its exit code. */
  readonly exit: Promise<number | null>
  /** Process numbers out of the table it printed. */
  pids(): Record<PartName, number>
}

export function runStart(args: readonly string[], env: NodeJS.ProcessEnv = {}): RunningStart {
  const child = spawn(
    process.execPath,
    ['--conditions=@attune/source', '--disable-warning=ExperimentalWarning', SCRIPT, ...args],
    {
      cwd: ROOT,
      // vitest's own variables would change what the parts resolve.
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let printed = ''
  child.stdout.on('data', (text: Buffer) => (printed += String(text)))
  child.stderr.on('data', (text: Buffer) => (printed += String(text)))
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve))
  return {
    child,
    exit,
    output: () => printed,
    async ready() {
      const end = performance.now() + READY_WITHIN_MS
      while (!printed.includes('Open http://')) {
        if (child.exitCode !== null) throw new Error(`start ended with ${child.exitCode}:\n${printed}`)
        if (performance.now() > end)
          throw new Error(`start was not ready within ${READY_WITHIN_MS} ms:\n${printed}`)
        await sleep(50)
      }
    },
    pids() {
      const of = (title: string) =>
        Number(new RegExp(`^  ${title}.*?\\s(\\d{2,})\\s`, 'm').exec(printed.replace(/https?:\S+/g, ''))?.[1])
      return { shop: of('shop'), edge: of('edge'), cosmos: of('Cosmos DB'), bridge: of('trainer-bridge') }
    },
  }
}

export interface Stack extends RunningStart {
  readonly shop: string
  readonly edge: string
  readonly cosmos: string
  readonly folder: string
  readonly portBase: number
  keys(): Promise<Keys>
  /** Ctrl-C. */
  interrupt(): Promise<number | null>
  /** Ends it and forgets its folder. */
  close(): Promise<void>
}

const SMALL = ['--shoppers', '1200', '--iterations', '2']

/** A stack of its own: free ports, a temporary folder unless one is given. */
export async function startStack(
  given?: { readonly folder: string; readonly portBase: number },
  ...options: readonly string[]
): Promise<Stack> {
  const folder = given?.folder ?? (await mkdtemp(join(tmpdir(), 'tuppence-')))
  const portBase = given?.portBase ?? (await freePorts())
  const started = runStart(['--data', folder, '--port-base', String(portBase), ...SMALL, ...options])
  const interrupt = async (): Promise<number | null> => {
    started.child.kill('SIGINT')
    return started.exit
  }
  const stack: Stack = {
    ...started,
    shop: `http://localhost:${portBase}`,
    edge: `http://127.0.0.1:${portBase + 1}`,
    cosmos: `http://127.0.0.1:${portBase + 2}`,
    folder,
    portBase,
    keys: async () => JSON.parse(await readFile(join(folder, 'keys.json'), 'utf8')) as Keys,
    interrupt,
    async close() {
      await interrupt()
      await rm(folder, { recursive: true, force: true })
    },
  }
  try {
    await started.ready()
  } catch (error) {
    await stack.close()
    throw error
  }
  return stack
}

/** First of four free ports in a row. */
export async function freePorts(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    // Below what the system hands out for port 0, so that nobody gets one in between.
    const base = 12_000 + Math.floor(Math.random() * 18_000)
    const free = await Promise.all(Array.from({ length: PORTS }, (_, offset) => isFree(base + offset)))
    if (free.every(Boolean)) return base
  }
  throw new Error('no four free ports in a row')
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => {
      resolve(false)
    })
    server.listen(port, '127.0.0.1', () =>
      server.close(() => {
        resolve(true)
      }),
    )
  })
}

/** Whether a process lives; one that has ended and waits for its parent does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return process.platform !== 'linux'
  }
}

/** Processes under this one, all generations; empty where there is no /proc. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>()
  let names: string[]
  try {
    names = readdirSync('/proc')
  } catch {
    return []
  }
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue
    try {
      parents.set(
        Number(name),
        Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]),
      )
    } catch {
      // It ended meanwhile.
    }
  }
  const found: number[] = []
  const visit = (parent: number): void => {
    for (const [child, its] of parents) {
      if (its !== parent) continue
      found.push(child)
      visit(child)
    }
  }
  visit(pid)
  return found
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks until the answer is accepted. @throws with the last answer */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  accept: (answer: T) => boolean,
  withinMs = 20_000,
): Promise<T> {
  const end = performance.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (accept(answer)) return answer
    if (performance.now() > end)
      throw new Error(`${what}: not within ${withinMs} ms; last: ${JSON.stringify(answer)}`)
    await sleep(50)
  }
}
