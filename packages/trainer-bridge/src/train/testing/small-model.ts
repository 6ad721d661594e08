import { HISTORY_KINDS } from '@attune/core'
import { RANKER_INPUT, type StandardWeights } from '@attune/core/rank'
import type { TrainingData } from '../data.ts'
import { createRandom } from '../random.ts'
import { buildTables } from '../tables.ts'
import type { TrainedModel } from '../trained-model.ts'

/** Visits of shoppers who mostly walk from item r to r + 1 or r + 2, on a ring of `items`. */
export function ringVisits(items: number, visits: number, seed = 1): TrainingData {
  const random = createRandom(seed, items)
  const offsets = [0]
  const rows: number[] = []
  for (let visit = 0; visit < visits; visit++) {
    let row = random.next() % items
    const length = 2 + (random.next() % 7)
    for (let step = 0; step < length; step++) {
      rows.push(row)
      row = random.uniform() < 0.1 ? random.next() % items : (row + 1 + (random.next() % 2)) % items
    }
    offsets.push(rows.length)
  }
  return {
    ids: Array.from({ length: items }, (_, row) => `item-${row}`),
    offsets: Uint32Array.from(offsets),
    rows: Uint32Array.from(rows),
  }
}

/** A model that was never trained: every weight random and different from zero, so that a wrong graph shows. */
export function randomModel(items = 300, seed = 1): TrainedModel {
  const dim = 64
  const historyLength = 16
  const random = createRandom(seed, 99)
  const normal = (length: number, deviation: number, mean = 0) =>
    Float32Array.from({ length }, () => mean + random.normal() * deviation)
  const factors = normal(items * dim, 1)
  for (let row = 0; row < items; row++) {
    const values = factors.subarray(row * dim, (row + 1) * dim)
    const norm = Math.hypot(...values)
    values.forEach((value, column) => (values[column] = value / norm))
  }
  const units = 32
  const weights: StandardWeights = {
    encoder: {
      dim,
      historyLength,
      position: normal(historyLength * dim, 0.05),
      w1: normal(dim * dim, 0.2),
      w2: normal(dim * dim, 0.2),
      bias: normal(dim, 0.2),
      v: normal(dim, 0.2),
      w3: normal(2 * dim * dim, 0.2),
      strength: normal(HISTORY_KINDS.length, 0.2, 1),
      decay: 0.4,
    },
    ranker: {
      mean: normal(RANKER_INPUT, 0.3),
      inverseStd: normal(RANKER_INPUT, 0.1, 0.6),
      linear: normal(RANKER_INPUT, 0.5),
      hidden: normal(units * RANKER_INPUT, 0.3),
      hiddenBias: normal(units, 0.3),
      out: normal(units, 0.3),
    },
  }
  const tables = buildTables(ringVisits(items, 1_500, seed), 100)
  const ids = Array.from({ length: items }, (_, row) => `item-${row}`)
  return {
    ids,
    dim,
    historyLength,
    neighbours: 100,
    temperature: 0.07,
    factors,
    tables,
    weights,
    metrics: undefined,
  }
}
