import { buildRandomModel, seededRandom } from '@attune/core/testing'
import { readWeights } from '@attune/core/rank'
import type { TrainedModel } from '../train/trained-model.ts'

/** A well-formed model of random numbers: `item-0`, `item-1`, … */
export function randomTrainedModel(items: number, seed = 1, neighbours = 20): TrainedModel {
  const { manifest, data } = buildRandomModel(seededRandom(seed), { items, neighbours })
  const { srItems, srScores, srScales, srSums, popularity, trend } = data
  return {
    ids: data.ids,
    dim: manifest.dim,
    historyLength: manifest.historyLength,
    neighbours: manifest.neighbours,
    temperature: manifest.temperature,
    factors: data.factors,
    tables: { srItems, srScores, srScales, srSums, popularity, trend },
    weights: readWeights(data.weights ?? new Map(), manifest.dim, manifest.historyLength),
    metrics: undefined,
  }
}
