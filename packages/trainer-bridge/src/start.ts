import type { Container, CosmosClient } from '@azure/cosmos'
import { DATABASE, EVENTS_CONTAINER, ITEMS_CONTAINER } from '@attune/core'
import { modelOf, readArtifact } from './artifact/folder.ts'
import { trainedThrough } from './artifact/hand-over.ts'
import { createSigner, type SigningKey } from './artifact/sign.ts'
import type { BridgeDeps, BridgeLimits, BridgeStatus } from './bridge-deps.ts'
import { Bridge } from './bridge.ts'
import type { FeedStart } from './change-feed/read.ts'
import { cosmosClient, type CosmosAccount } from './cosmos-client.ts'
import { BridgeError } from './error.ts'
import type { Feeds } from './own-feeds.ts'
import type { EdgeTarget } from './push/edge-client.ts'
import { StateFolder } from './state/folder.ts'
import { nodeScanner } from './train/node-scanner.ts'
import type { TrainedModel } from './train/trained-model.ts'

export interface BridgeOptions {
  readonly cosmos: CosmosAccount & {
    /** `attune` when absent */
    readonly database?: string
  }
  readonly edges: readonly EdgeTarget[]
  /** Private Ed25519 JWK; edges know its public half. */
  readonly signingKey: SigningKey
  /** Where state and artifacts are kept; one bridge at a time. */
  readonly folder: string
  /** First model of a new folder: trains it, or names an artifact folder. Not looked at when the folder has an epoch. */
  readonly initial: (() => Promise<TrainedModel>) | string
  /** Where a new folder starts to read; when absent, where the visits of the initial artifact end, else `beginning`. */
  readonly start?: FeedStart
  /** At least so long between two deltas; the first after a pause goes at once. 500 when absent, and at most. */
  readonly deltaIntervalMs?: number
  /** Pause after an empty read of a range, 25 when absent; four times as long once it has been quiet. */
  readonly idleMs?: number
  readonly limits?: BridgeLimits
  readonly onStatus?: (status: BridgeStatus) => void
  readonly fetch?: typeof fetch
  readonly now?: () => number
  readonly random?: () => number
}

const MAX_DELTA_INTERVAL_MS = 500

/**
 * Starts a bridge: goes on from what `folder` holds, or makes its first epoch; then follows the change feed until closed.
 * Edges may come and go; the promise does not wait for them.
 *
 * @throws {BridgeError} `SIGNING_KEY_INVALID`, `STATE_LOCKED`, `STATE_UNREADABLE`, `CONTAINER_MISSING`,
 * `ARTIFACT_FOLDER_MISSING`
 */
export async function startBridge(options: BridgeOptions): Promise<Bridge> {
  await createSigner(options.signingKey)
  const folder = await StateFolder.open(options.folder)
  const { cosmos, onStatus = () => undefined } = options
  const client = cosmosClient(cosmos, 'attune-bridge')
  try {
    return await Bridge.start({
      ...(await bridgeDeps(options, folder)),
      feeds: await openFeeds(client, cosmos.database ?? DATABASE),
      onStatus,
      dispose: () => {
        client.dispose()
      },
    })
  } catch (error) {
    client.dispose()
    await folder.close()
    throw error
  }
}

/** What options say about a bridge; without feeds of its own it takes pages that others read. */
export async function bridgeDeps(
  options: Omit<BridgeOptions, 'onStatus'>,
  folder: StateFolder,
): Promise<BridgeDeps> {
  const { now = Date.now, random = Math.random, fetch: fetcher = fetch } = options
  return {
    feeds: undefined,
    folder,
    edges: options.edges,
    signer: await createSigner(options.signingKey),
    makeScanner: nodeScanner,
    initial: () => initialModel(options.initial),
    start: options.start ?? (await startOf(options.initial)),
    deltaIntervalMs: Math.min(options.deltaIntervalMs ?? MAX_DELTA_INTERVAL_MS, MAX_DELTA_INTERVAL_MS),
    ...(options.idleMs !== undefined && { idleMs: options.idleMs }),
    ...(options.limits !== undefined && { limits: options.limits }),
    fetch: fetcher,
    now,
    random,
    onStatus: () => undefined,
    dispose: () => undefined,
  }
}

async function initialModel(initial: BridgeOptions['initial']): ReturnType<BridgeDeps['initial']> {
  if (typeof initial === 'string') {
    const artifact = await readArtifact(initial)
    const { trainer, gate } = artifact.manifest
    return { model: modelOf(artifact), trainer, ...(gate !== undefined && { gate }) }
  }
  const model = await initial()
  return { model, trainer: 'local/0.1.0', ...(model.metrics !== undefined && { gate: { ...model.metrics } }) }
}

/** Clicks the initial model was trained on are not counted again. */
async function startOf(initial: BridgeOptions['initial']): Promise<FeedStart> {
  if (typeof initial !== 'string') return 'beginning'
  const artifact = await readArtifact(initial).catch(() => undefined)
  return artifact?.manifest.gate?.['through'] === undefined ? 'beginning' : new Date(trainedThrough(artifact))
}

/**
 * The containers a bridge follows. Without one for the catalogue it goes on without a catalogue: an account of an earlier
 * version has none.
 *
 * @throws {BridgeError} `CONTAINER_MISSING`
 */
export async function openFeeds(client: CosmosClient, database: string): Promise<Feeds> {
  const events = await openContainer(client, database, EVENTS_CONTAINER.id)
  const items = await openContainer(client, database, ITEMS_CONTAINER.id).catch((error: unknown) => {
    if (error instanceof BridgeError && error.code === 'CONTAINER_MISSING') return undefined
    throw error
  })
  return { events, items }
}

/** @throws {BridgeError} `CONTAINER_MISSING` */
export async function openContainer(client: CosmosClient, database: string, id: string): Promise<Container> {
  const container = client.database(database).container(id)
  try {
    await container.read()
  } catch (cause) {
    const { code } = (cause ?? {}) as { code?: unknown }
    if (code !== 404) throw cause
    throw new BridgeError(
      'CONTAINER_MISSING',
      `${database}/${id}: there is no such container; start an edge that provisions it, or deploy it first`,
      { cause },
    )
  }
  return container
}
