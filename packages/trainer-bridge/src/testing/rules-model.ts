import { NO_ITEM, quantizeNeighbours } from '@attune/core/artifact'
import { RANKER_INPUT } from '@attune/core/rank'
import type { TrainedModel } from '../train/trained-model.ts'
import { randomTrainedModel } from './random-model.ts'

const NEIGHBOURS = 20
const UNITS = 32
/** Place of `sr_last` among the ranker's inputs: after the two cosines. */
const SR_LAST = 2

/**
 * A model whose lists can be told by hand: after an item come its neighbours in the order given, 20 of them, and nothing
 * else counts.
 *
 * @param after - row → its 20 neighbours, the best first
 * @param popularity - by row; one click each when absent
 */
export function rulesModel(
  items: number,
  after: (row: number) => readonly number[],
  popularity: (row: number) => number = () => 1,
): TrainedModel {
  const model = randomTrainedModel(items, 1, NEIGHBOURS)
  const out = {
    items: new Uint32Array(items * NEIGHBOURS).fill(NO_ITEM),
    scores: new Uint8Array(items * NEIGHBOURS),
    scales: new Float32Array(items),
  }
  for (let row = 0; row < items; row++) {
    const targets = after(row)
    quantizeNeighbours(
      [...targets],
      targets.map((_, place) => 100 / (place + 1)),
      NEIGHBOURS,
      out,
      row,
    )
  }
  const linear = new Float32Array(RANKER_INPUT)
  linear[SR_LAST] = 1
  return {
    ...model,
    tables: {
      srItems: out.items,
      srScores: out.scores,
      srScales: out.scales,
      srSums: new Float32Array(items).fill(400),
      popularity: Float32Array.from({ length: items }, (_, row) => popularity(row)),
      trend: new Float32Array(items),
    },
    weights: {
      encoder: model.weights.encoder,
      ranker: {
        mean: new Float32Array(RANKER_INPUT),
        inverseStd: new Float32Array(RANKER_INPUT).fill(1),
        linear,
        hidden: new Float32Array(UNITS * RANKER_INPUT),
        hiddenBias: new Float32Array(UNITS),
        out: new Float32Array(UNITS),
      },
    },
  }
}
