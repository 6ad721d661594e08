import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { StartError } from './options.ts'
import { PART_TITLES, type FromPart, type PartConfig, type PartName, type ToPart } from './parts.ts'

const LAST_WORDS = 30
const STOP_WITHIN_MS = 10_000

export interface PartListener {
  readonly progress: (message: FromPart & { readonly type: 'progress' }) => void
  readonly note: (text: string) => void
  /** A line of what the process writes. */
  readonly line: (text: string) => void
}

/** One running process of the shop. */
export class Part {
  readonly name: PartName
  /** Rejects when the process ends, or says it cannot go on, without having been told to stop. */
  readonly lost: Promise<never>
  readonly #child: ChildProcess
  readonly #gone: Promise<void>
  readonly #ready: Promise<void>
  readonly #lastWords: string[] = []
  #stopping = false

  constructor(name: PartName, config: PartConfig, listener: PartListener) {
    this.name = name
    // A group of its own: Ctrl-C reaches the parent alone, which then ends the parts in order; and what a part started,
    // like workerd, can be ended with it.
    const child = fork(fileURLToPath(new URL('./part.ts', import.meta.url)), {
      detached: process.platform !== 'win32',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    const hear = (text: Buffer): void => {
      for (const line of String(text).split('\n')) {
        if (line.trim() === '') continue
        this.#lastWords.push(line)
        if (this.#lastWords.length > LAST_WORDS) this.#lastWords.shift()
        listener.line(line)
      }
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    this.#gone = new Promise((resolve) =>
      child.once('close', () => {
        resolve()
      }),
    )
    let failed: string | undefined
    let ready: () => void = () => undefined
    this.#ready = new Promise((resolve) => (ready = resolve))
    this.lost = new Promise((_, reject) => {
      const lose = (why: string): void => {
        if (!this.#stopping) reject(new StartError('PART_FAILED', this.#obituary(why)))
      }
      child.on('message', (message: FromPart) => {
        if (message.type === 'ready') ready()
        else if (message.type === 'progress') listener.progress(message)
        else if (message.type === 'note') listener.note(message.text)
        else failed = message.message
      })
      child.once('error', (error) => {
        lose(error.message)
      })
      child.once('close', (code, signal) => {
        lose(failed ?? (signal === null ? `exit code ${code}` : `signal ${signal}`))
      })
    })
    // Not every caller waits for it at every moment; one that does hears of it all the same.
    this.lost.catch(() => undefined)
    const message: ToPart = { type: 'start', part: name, config }
    child.send(message)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Settles when the part works. @throws {StartError} `PART_FAILED` */
  ready(): Promise<void> {
    return Promise.race([this.#ready, this.lost])
  }

  /** Ends the process and whatever it started. */
  async stop(): Promise<void> {
    this.#stopping = true
    const late = setTimeout(() => {
      this.kill()
    }, STOP_WITHIN_MS)
    if (this.#child.connected) this.#child.send({ type: 'stop' } satisfies ToPart, () => undefined)
    await this.#gone
    clearTimeout(late)
    // Whatever of its group outlived it.
    this.kill()
  }

  /** Ends the process and its group at once. */
  kill(): void {
    this.#stopping = true
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL')
    } catch {
      // Nobody left.
    }
  }

  #obituary(why: string): string {
    const words =
      this.#lastWords.length === 0
        ? ''
        : `\nIts last words:\n${this.#lastWords.map((line) => `  ${line}`).join('\n')}`
    return `the ${PART_TITLES[this.name]} stopped: ${why}${words}`
  }
}
