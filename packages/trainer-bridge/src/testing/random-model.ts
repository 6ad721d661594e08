import { buildRandomModel, seededRandom } from '@attune/core/testing'
import { readWeights } from '@attune/core/rank'
import { buildArtifact, type Artifact, type ArtifactOptions } from '../artifact/build.ts'
import { nodeScanner } from '../train/node-scanner.ts'
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

/** An epoch of such a model; the epoch seeds it and, unless told, is its time in milliseconds after a fixed one. */
export function randomArtifact(
  items: number,
  epoch: number,
  about: Partial<Pick<ArtifactOptions, 'parent' | 'created' | 'gate'>> = {},
): Promise<Artifact> {
  return buildArtifact(randomTrainedModel(items, epoch), {
    epoch,
    parent: null,
    created: new Date(1_764_000_000_000 + epoch).toISOString(),
    trainer: 'local/0.1.0',
    makeScanner: nodeScanner,
    random: seededRandom(epoch),
    ...about,
  })
}
