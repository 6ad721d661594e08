import { forkNodeEdge, type ServerProcess } from './_edge-process.ts'
import { pause } from './_pause.ts'

/** A Node edge that can be killed and started again where it was. */
export class KillableEdge {
  readonly #options: Parameters<typeof forkNodeEdge>[0]
  #process: ServerProcess
  readonly url: string
  readonly folder: string
  alive = true

  private constructor(options: Parameters<typeof forkNodeEdge>[0], process: ServerProcess) {
    this.#options = { ...options, port: Number(new URL(process.url).port) }
    this.#process = process
    this.url = process.url
    this.folder = options.persist ?? ''
  }

  static async start(options: Parameters<typeof forkNodeEdge>[0]): Promise<KillableEdge> {
    return new KillableEdge(options, await forkNodeEdge(options))
  }

  async kill(): Promise<void> {
    this.alive = false
    process.kill(this.#process.pid, 'SIGKILL')
    await pause(50)
  }

  async restart(): Promise<void> {
    this.#process = await forkNodeEdge(this.#options)
    this.alive = true
  }
}
