import { NO_ITEM } from './delta.ts'

/**
 * Factors → int8 with one scale a row: `factors ≈ scales · quantized`, error at most half a scale.
 *
 * @param factors - `[rows, dim]` row-major
 * @param out - written in place from `row`: `quantized` [.., dim], `scales` [..]
 */
export function quantizeRows(
  factors: Float32Array,
  dim: number,
  out: { readonly quantized: Int8Array; readonly scales: Float32Array },
  row = 0,
): void {
  const rows = factors.length / dim
  for (let r = 0; r < rows; r++) {
    let max = 0
    for (let c = 0; c < dim; c++) max = Math.max(max, Math.abs(factors[r * dim + c]!))
    const scale = max / 127
    out.scales[row + r] = scale
    for (let c = 0; c < dim; c++) {
      out.quantized[(row + r) * dim + c] = scale === 0 ? 0 : Math.round(factors[r * dim + c]! / scale)
    }
  }
}

/**
 * One row of counts → its K largest as `scale · score² / 255²`: a square-root grid keeps small counts apart, and a
 * neighbour that is kept never rounds to zero.
 *
 * @param targets - rows of the neighbours; `counts` the same length, all positive
 * @param out - `items`, `scores` [rows, K] and `scales` [rows], written at `row`
 */
export function quantizeNeighbours(
  targets: ArrayLike<number>,
  counts: ArrayLike<number>,
  k: number,
  out: { readonly items: Uint32Array; readonly scores: Uint8Array; readonly scales: Float32Array },
  row: number,
): void {
  const order = Array.from({ length: targets.length }, (_, index) => index)
  order.sort((a, b) => counts[b]! - counts[a]! || targets[a]! - targets[b]!)
  const kept = order.slice(0, k)
  const max = kept.length === 0 ? 0 : counts[kept[0]!]!
  out.scales[row] = max
  out.items.fill(NO_ITEM, row * k, (row + 1) * k)
  out.scores.fill(0, row * k, (row + 1) * k)
  kept.forEach((index, place) => {
    out.items[row * k + place] = targets[index]!
    out.scores[row * k + place] = Math.max(1, Math.round(255 * Math.sqrt(counts[index]! / max)))
  })
}
