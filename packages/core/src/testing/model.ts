import { ARTIFACT_FORMAT, type Manifest } from '../artifact/manifest.ts'
import { NO_ITEM } from '../artifact/delta.ts'
import { quantizeNeighbours, quantizeRows } from '../artifact/quantize.ts'
import type { ModelData } from '../artifact/read.ts'
import { HISTORY_KINDS } from '../event/history.ts'
import { CONTEXT_NAMES, FEATURE_NAMES } from '../rank/features.ts'
import { RANKER_INPUT, weightTensors, type StandardWeights } from '../rank/weights.ts'
import type { Random } from '../uuid.ts'

export interface RandomModelOptions {
  readonly items: number
  readonly dim?: number
  readonly historyLength?: number
  readonly neighbours?: number
  readonly hidden?: number
  readonly epoch?: number
}

/** A well-formed model of random numbers for tests: `item-0`, `item-1`, …, files left out of the manifest. */
export function buildRandomModel(
  random: Random,
  options: RandomModelOptions,
): { manifest: Manifest; data: ModelData } {
  const { items: n, dim = 64, historyLength = 16, neighbours: k = 20, hidden = 32, epoch = 1 } = options
  const manifest: Manifest = {
    format: ARTIFACT_FORMAT,
    epoch,
    parent: null,
    created: '2026-01-01T00:00:00.000Z',
    trainer: 'random/0',
    items: n,
    dim,
    historyLength,
    neighbours: k,
    features: FEATURE_NAMES,
    context: CONTEXT_NAMES,
    temperature: 0.07,
    files: {},
  }
  const factors = gaussian(random, n * dim, 1)
  for (let row = 0; row < n; row++) normalise(factors.subarray(row * dim, (row + 1) * dim))
  const quantized = new Int8Array(n * dim)
  const scales = new Float32Array(n)
  quantizeRows(factors, dim, { quantized, scales })
  const table = {
    items: new Uint32Array(n * k).fill(NO_ITEM),
    scores: new Uint8Array(n * k),
    scales: new Float32Array(n),
  }
  const srSums = new Float32Array(n)
  for (let row = 0; row < n; row++) {
    const targets = [
      ...new Set(Array.from({ length: Math.floor(random() * k) }, () => Math.floor(random() * n))),
    ]
    const counts = targets.map(() => 0.1 + 5 * random())
    quantizeNeighbours(targets, counts, k, table, row)
    srSums[row] = counts.reduce((sum, count) => sum + count, 0) * 1.1
  }
  return {
    manifest,
    data: {
      ids: Array.from({ length: n }, (_, row) => `item-${row}`),
      factors,
      quantized,
      scales,
      srItems: table.items,
      srScores: table.scores,
      srScales: table.scales,
      srSums,
      popularity: Float32Array.from({ length: n }, () => Math.floor(100 * random())),
      trend: Float32Array.from({ length: n }, () => Math.floor(10 * random())),
      weights: new Map(Object.entries(weightTensors(randomWeights(random, dim, historyLength, hidden)))),
    },
  }
}

export function randomWeights(
  random: Random,
  dim: number,
  historyLength: number,
  hidden: number,
): StandardWeights {
  return {
    encoder: {
      dim,
      historyLength,
      position: gaussian(random, historyLength * dim, 0.1),
      w1: gaussian(random, dim * dim, 0.15),
      w2: gaussian(random, dim * dim, 0.15),
      bias: gaussian(random, dim, 0.1),
      v: gaussian(random, dim, 0.2),
      w3: gaussian(random, 2 * dim * dim, 0.1),
      strength: Float32Array.from(HISTORY_KINDS, () => 0.5 + random()),
      decay: 0.01,
    },
    ranker: {
      mean: gaussian(random, RANKER_INPUT, 0.2),
      inverseStd: Float32Array.from({ length: RANKER_INPUT }, () => 0.5 + random()),
      linear: gaussian(random, RANKER_INPUT, 0.5),
      hidden: gaussian(random, hidden * RANKER_INPUT, 0.3),
      hiddenBias: gaussian(random, hidden, 0.1),
      out: gaussian(random, hidden, 0.3),
    },
  }
}

/** Normal numbers by Box and Muller's transform. */
function gaussian(random: Random, length: number, deviation: number): Float32Array {
  return Float32Array.from(
    { length },
    () => deviation * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  )
}

function normalise(vector: Float32Array): void {
  const length = Math.hypot(...vector) || 1
  vector.forEach((value, index) => {
    vector[index] = value / length
  })
}
