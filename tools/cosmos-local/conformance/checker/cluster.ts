import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { ConsistencyLevel } from '../../src/index.ts'

export const REGIONS: readonly string[] = ['West', 'East', 'North']
export const CONTAINER = '/dbs/check/colls/registers'

interface Started {
  readonly regions: readonly { readonly endpoint: string }[]
  readonly adminEndpoint: string
  readonly key: string
}

/** A server with three regions that is killed and started again on the same ports and folder. */
export class Cluster {
  endpoints: readonly string[] = []
  adminEndpoint = ''
  key = ''
  #child: ChildProcess | undefined
  #ports: number[] = []
  #adminPort = 0
  readonly #folder: string
  readonly #consistency: ConsistencyLevel
  readonly #planted: boolean

  constructor(folder: string, consistency: ConsistencyLevel, planted: boolean) {
    this.#folder = folder
    this.#consistency = consistency
    this.#planted = planted
  }

  async start(): Promise<void> {
    const options = {
      port: this.#ports[0] ?? 0,
      adminPort: this.#adminPort,
      folder: this.#folder,
      consistency: this.#consistency,
      regions: REGIONS.map((name, i) => ({ name, port: this.#ports[i] ?? 0 })),
      ...(this.#planted ? { plantedBug: 'ignore-session-tokens' } : {}),
    }
    const child = fork(join(import.meta.dirname, 'server.ts'), [JSON.stringify(options)], {
      execArgv: ['--no-warnings', ...process.execArgv],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child = child
    const [started] = (await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => Promise.reject(new Error('the server did not start'))),
    ])) as [Started]
    this.endpoints = started.regions.map((region) => region.endpoint)
    this.#ports = this.endpoints.map((endpoint) => Number(new URL(endpoint).port))
    this.adminEndpoint = started.adminEndpoint
    this.#adminPort = Number(new URL(started.adminEndpoint).port)
    this.key = started.key
    // The sea is never quite calm: every region is a little behind the others, before anything goes wrong.
    for (const name of REGIONS)
      await this.admin('POST', `regions/${name}`, { lag: { minMs: 10, maxMs: 120 } })
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  async admin(method: string, path: string, body?: unknown): Promise<boolean> {
    try {
      const response = await fetch(`${this.adminEndpoint}/api/${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
        signal: AbortSignal.timeout(5000),
      })
      await response.arrayBuffer()
      return response.ok
    } catch {
      return false
    }
  }
}
