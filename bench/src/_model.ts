import { readWeights } from '@attune/core/rank'
import { buildRandomModel, seededRandom } from '@attune/core/testing'
import {
  buildArtifact,
  createSigner,
  EdgeClient,
  manifestBytes,
  nodeScanner,
  type BridgeOptions,
  type TrainingData,
} from '@attune/trainer-bridge'
import type { House } from './_loop.ts'

const PUSH_TIMEOUT_MS = 120_000

export type InitialModel = Awaited<ReturnType<Exclude<BridgeOptions['initial'], string>>>

/** A well-formed model of random numbers, `item-0` to `item-<n−1>`: for benches and tests in which taste plays no part. */
export function randomModel(items: number, seed = 7, neighbours = 20): InitialModel {
  const { manifest, data } = buildRandomModel(seededRandom(seed), { items, neighbours })
  const { ids, factors, srItems, srScores, srScales, srSums, popularity, trend } = data
  const { dim, historyLength, temperature } = manifest
  return {
    ids,
    dim,
    historyLength,
    neighbours,
    temperature,
    factors,
    tables: { srItems, srScores, srScales, srSums, popularity, trend },
    weights: readWeights(data.weights ?? new Map(), dim, historyLength),
    metrics: undefined,
  }
}

/** Gives an edge this model as its epoch 1. */
export async function pushModel(
  url: string,
  { pushKey, signingKey }: Pick<House, 'pushKey' | 'signingKey'>,
  model: InitialModel,
): Promise<void> {
  const artifact = await buildArtifact(model, {
    epoch: 1,
    parent: null,
    created: '2026-01-01T00:00:00.000Z',
    trainer: 'random/0',
    makeScanner: nodeScanner,
    random: seededRandom(3),
  })
  const signer = await createSigner(signingKey)
  const client = new EdgeClient({ url, pushKey }, fetch)
  const signal = AbortSignal.timeout(PUSH_TIMEOUT_MS)
  for (const [sha256, bytes] of artifact.files) await client.putFile(sha256, bytes, signal)
  await client.putEpoch(1, await signer.sign(manifestBytes(artifact.manifest), 'attune-manifest+jws'), signal)
}

/** Visits of shoppers with tastes: each stays mostly within one of `groups` groups of items, nearer ones more often. */
export function simulatedVisits(items: number, groups: number, visits: number, seed = 3): TrainingData {
  const random = seededRandom(seed)
  const size = Math.floor(items / groups)
  const offsets = [0]
  const rows: number[] = []
  for (let visit = 0; visit < visits; visit++) {
    const group = Math.floor(random() * groups)
    let place = Math.floor(random() * size)
    const length = 2 + Math.floor(random() * 7)
    for (let step = 0; step < length; step++) {
      rows.push(random() < 0.05 ? Math.floor(random() * items) : group * size + place)
      place = (place + 1 + Math.floor(random() ** 2 * 6)) % size
    }
    offsets.push(rows.length)
  }
  return {
    ids: Array.from({ length: items }, (_, row) => `item-${row}`),
    offsets: Uint32Array.from(offsets),
    rows: Uint32Array.from(rows),
  }
}
