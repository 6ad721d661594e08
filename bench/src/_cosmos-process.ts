import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { startCosmosLocal } from '@attune/cosmos-local'

// The local Cosmos in a process of its own, so that its work is not mistaken for the load generator's.

export interface CosmosProcess {
  readonly endpoint: string
  readonly key: string
  readonly adminEndpoint: string
  close(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
}

/** Starts this file as a child; it ends with its parent. */
export async function forkCosmos(folder: string, port = 0): Promise<CosmosProcess> {
  const child = fork(import.meta.filename, [], {
    env: { ...process.env, ATTUNE_BENCH_COSMOS: folder, ATTUNE_BENCH_COSMOS_PORT: String(port) },
    execArgv: ['--conditions=@attune/source', '--no-warnings'],
  })
  const [account] = (await Promise.race([once(child, 'message'), died(child)])) as [
    { endpoint: string; key: string; adminEndpoint: string },
  ]
  return {
    ...account,
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.disconnect()
      await gone
    },
    kill: () => killChild(child),
  }
}

/** Ends a child without a word to it. */
export async function killChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

async function died(child: ChildProcess): Promise<never> {
  const [code] = (await once(child, 'exit')) as [number | null]
  throw new Error(`the local Cosmos ended with ${code} before it was ready`)
}

const folder = process.env['ATTUNE_BENCH_COSMOS']
if (folder !== undefined && process.argv[1] === import.meta.filename) {
  const cosmos = await startCosmosLocal({
    port: Number(process.env['ATTUNE_BENCH_COSMOS_PORT'] ?? 0),
    folder,
  })
  process.once('disconnect', () => {
    void cosmos.close().then(() => process.exit())
  })
  process.send?.({ endpoint: cosmos.endpoint, key: cosmos.key, adminEndpoint: cosmos.adminEndpoint })
}
