import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCosmosLocal, type CosmosLocal, type CosmosLocalOptions } from '@attune/cosmos-local'
import { DATABASE } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import { provision } from '../cosmos/provision.ts'
import type { EdgeOptions, RunningEdge } from '../host/options.ts'
import { Api, edgeOptions } from './api.ts'
import { buildArtifact, createSigner, type TestArtifact, type TestSigner } from './artifact.ts'

export type StartEdge = (options: EdgeOptions & { readonly persist: string }) => Promise<RunningEdge>

/** A Cosmos, edges in front of it and one epoch on each. */
export interface World {
  readonly cosmos: CosmosLocal
  readonly edges: readonly RunningEdge[]
  readonly apis: readonly Api[]
  readonly signer: TestSigner
  readonly artifact: TestArtifact
  /** Stops an edge and starts it again on what it has stored: a process that was never asked anything. */
  restart(edge: number): Promise<Api>
  close(): Promise<void>
}

export interface WorldOptions {
  readonly edges?: number
  readonly cosmos?: CosmosLocalOptions
  /** Changes an edge's options, by its number. */
  readonly configure?: (options: EdgeOptions, edge: number, cosmos: CosmosLocal) => EdgeOptions
}

export async function createWorld(start: StartEdge, options: WorldOptions = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'attune-edge-'))
  const cosmos = await startCosmosLocal({ port: 0, ...options.cosmos })
  const edges: RunningEdge[] = []
  const close = async (): Promise<void> => {
    for (const edge of edges) await edge.close()
    await cosmos.close()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const account = { endpoints: [cosmos.endpoint], key: cosmos.key, database: DATABASE }
    await provision(account, { fetch, now: Date.now })
    const signer = await createSigner()
    const artifact = await buildArtifact(seededRandom(1), { items: 300, epoch: 1 })
    const apis: Api[] = []
    const run = async (edge: number): Promise<Api> => {
      const plain = edgeOptions({ endpoint: cosmos.endpoint, key: cosmos.key }, signer)
      const configured = options.configure?.(plain, edge, cosmos) ?? plain
      const running = await start({ ...configured, persist: join(folder, `edge-${edge}`) })
      edges[edge] = running
      return (apis[edge] = new Api(running.url))
    }
    const restart = async (edge: number): Promise<Api> => {
      await edges[edge]?.close()
      return run(edge)
    }
    for (let edge = 0; edge < (options.edges ?? 1); edge++) {
      const api = await run(edge)
      const pushed = await api.pushArtifact(signer, artifact)
      if (pushed.status !== 200)
        throw new Error(`edge ${edge} refused the epoch: ${JSON.stringify(pushed.body)}`)
    }
    return { cosmos, edges, apis, signer, artifact, restart, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** One edge without a Cosmos: enough for what is about models. */
export interface LoneEdge {
  /** Of the process that runs now. */
  readonly api: Api
  readonly signer: TestSigner
  readonly options: EdgeOptions & { readonly persist: string }
  /** Ends the process and starts another on what was stored. */
  restart(): Promise<void>
  close(): Promise<void>
}

export async function createLoneEdge(start: StartEdge): Promise<LoneEdge> {
  const persist = await mkdtemp(join(tmpdir(), 'attune-lone-edge-'))
  const signer = await createSigner()
  const options = {
    ...edgeOptions({ endpoint: 'http://127.0.0.1:9', key: 'c2VjcmV0' }, signer),
    persist,
  }
  let edge = await start(options)
  return {
    get api() {
      return new Api(edge.url)
    },
    signer,
    options,
    async restart() {
      await edge.close()
      edge = await start(options)
    },
    async close() {
      await edge.close()
      await rm(persist, { recursive: true, force: true })
    },
  }
}
