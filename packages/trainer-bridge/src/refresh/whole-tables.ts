import { NO_ITEM } from '@attune/core/artifact'
import type { Tables } from '../train/tables.ts'
import type { TrainedModel } from '../train/trained-model.ts'
import type { Counts } from './counts.ts'
import type { TogetherCounts } from './together.ts'

/**
 * The base's tables with live counts on top, for `n` items; notes that edges are told these trends. Rows without live
 * counts are copied: quantised once more they would not stay the same bytes.
 */
export function wholeTables(base: TrainedModel, counts: Counts, baskets: TogetherCounts, n: number): Tables {
  const k = base.neighbours
  const together = baskets.table(n)
  const tables: Tables = {
    srItems: new Uint32Array(n * k).fill(NO_ITEM),
    srScores: new Uint8Array(n * k),
    srScales: new Float32Array(n),
    srSums: new Float32Array(n),
    popularity: new Float32Array(n),
    trend: new Float32Array(n),
    ...(together && { together }),
  }
  const out = { items: tables.srItems, scores: tables.srScores, scales: tables.srScales }
  for (let row = 0; row < n; row++) {
    if (row < base.ids.length && counts.targets(row) === undefined) copyRow(base, row, tables)
    else tables.srSums[row] = counts.writeRow(row, out, row)
    tables.popularity[row] = counts.popularity(row)
    tables.trend[row] = counts.markSent(row)
  }
  return tables
}

function copyRow({ neighbours: k, tables: base }: TrainedModel, row: number, to: Tables): void {
  to.srItems.set(base.srItems.subarray(row * k, (row + 1) * k), row * k)
  to.srScores.set(base.srScores.subarray(row * k, (row + 1) * k), row * k)
  to.srScales[row] = base.srScales[row] ?? 0
  to.srSums[row] = base.srSums[row] ?? 0
}
