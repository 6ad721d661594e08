import { readWeights } from '@attune/core/rank'
import { buildRandomModel, seededRandom } from '@attune/core/testing'
import type { BridgeOptions } from '@attune/trainer-bridge'

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
