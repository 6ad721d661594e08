import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Container, ContainerRequest } from '@azure/cosmos'
import { covers, parseSessionToken } from '@attune/core'
import { startCosmosLocal, type CosmosLocal } from '@attune/cosmos-local'
import { createSigner, generateSigningKey, type SigningKey } from '../artifact/sign.ts'
import { createEvents } from './events-container.ts'
import { startStagedEdge, type StagedEdge } from './staged-edge.ts'

/** Everything around a bridge: a Cosmos with the events container, an edge that trusts its key, a folder. */
export interface BridgeWorld {
  readonly cosmos: CosmosLocal
  readonly container: Container
  readonly edge: StagedEdge
  readonly signingKey: SigningKey
  readonly folder: string
  /** Done before the world ends; the last first. */
  later(action: () => unknown): void
  /** Whether the edge contains what this session token proves. */
  contains(session: string): boolean
  close(): Promise<void>
}

export async function startBridgeWorld(options: Partial<ContainerRequest> = {}): Promise<BridgeWorld> {
  const actions: (() => unknown)[] = []
  const folder = await mkdtemp(join(tmpdir(), 'attune-bridge-'))
  actions.push(() => rm(folder, { recursive: true, force: true }))
  const cosmos = await startCosmosLocal({ port: 0 })
  actions.push(() => cosmos.close())
  const signingKey = await generateSigningKey()
  const edge = await startStagedEdge((await createSigner(signingKey)).publicJwk)
  actions.push(() => edge.close())
  return {
    cosmos,
    container: await createEvents(cosmos, options),
    edge,
    signingKey,
    folder,
    later: (action) => void actions.push(action),
    contains(session) {
      const through = edge.model?.through ?? null
      return through !== null && covers(parseSessionToken(through), parseSessionToken(session))
    },
    async close() {
      for (const action of actions.splice(0).reverse()) await action()
    },
  }
}
