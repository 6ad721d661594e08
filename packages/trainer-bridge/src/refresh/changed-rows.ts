import type { FactorRows, NeighbourRows, PopularityRows, TogetherRows } from '@attune/core/artifact'
import type { Counts } from './counts.ts'
import type { TogetherCounts } from './together.ts'

/** Rows of `[N, d]` factors as a delta carries them. */
export function factorRows(changed: Iterable<number>, factors: Float32Array, dim: number): FactorRows {
  const rows = Uint32Array.from(changed).sort()
  const values = new Float32Array(rows.length * dim)
  rows.forEach((row, index) => values.set(factors.subarray(row * dim, (row + 1) * dim), index * dim))
  return { rows, factors: values }
}

/** Rows of the table of sequential rules, the best `k` targets of each. */
export function neighbourRows(changed: Iterable<number>, counts: Counts, k: number): NeighbourRows {
  const rows = Uint32Array.from(changed).sort()
  const out = {
    items: new Uint32Array(rows.length * k),
    scores: new Uint8Array(rows.length * k),
    scales: new Float32Array(rows.length),
  }
  return { rows, ...out, sums: Float32Array.from(rows, (row, index) => counts.writeRow(row, out, index)) }
}

/** Counts of rows; notes that edges are told these trends. */
export function popularityRows(changed: Iterable<number>, counts: Counts): PopularityRows {
  const rows = Uint32Array.from(changed).sort()
  return {
    rows,
    popularity: Float32Array.from(rows, (row) => counts.popularity(row)),
    trend: Float32Array.from(rows, (row) => counts.markSent(row)),
  }
}

/** Rows of the table of baskets. */
export function togetherRows(changed: Iterable<number>, baskets: TogetherCounts): TogetherRows {
  const { width } = baskets
  const rows = Uint32Array.from(changed).sort()
  const out = {
    items: new Uint32Array(rows.length * width),
    scores: new Uint8Array(rows.length * width),
    scales: new Float32Array(rows.length),
  }
  rows.forEach((row, index) => {
    baskets.writeRow(row, out, index)
  })
  return { rows, ...out, width }
}
