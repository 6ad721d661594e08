import { D, fma, ROW_BYTES } from './blocks'

/** out[c, r] = matrix[r, c] of a block [64, 64]. */
export function transpose64(matrix: usize, stride: usize, out: usize, outStride: usize): void {
  for (let r: usize = 0; r < <usize>D; r++) {
    for (let c: usize = 0; c < <usize>D; c++) {
      store<f32>(out + c * outStride + (r << 2), load<f32>(matrix + r * stride + (c << 2)))
    }
  }
}

/**
 * For each of 64 queries, how many rows score above its threshold.
 *
 * @param factors - f32[count, 64]
 * @param queries - f32[64, 64], one query a *column*
 * @param thresholds - f32[64]
 * @param counts - i32[64], added to
 */
export function countAbove(
  factors: usize,
  count: i32,
  queries: usize,
  thresholds: usize,
  counts: usize,
): void {
  for (let column: usize = 0; column < ROW_BYTES; column += 32) {
    const t0 = v128.load(thresholds + column)
    const t1 = v128.load(thresholds + column, 16)
    let n0 = v128.load(counts + column)
    let n1 = v128.load(counts + column, 16)
    let row = factors
    for (let i = 0; i < count; i++) {
      let s0 = f32x4.splat(0)
      let s1 = f32x4.splat(0)
      let q = queries + column
      for (let p = row, end = row + ROW_BYTES; p < end; p += 4) {
        const e = v128.load32_splat(p)
        s0 = fma(e, v128.load(q), s0)
        s1 = fma(e, v128.load(q, 16), s1)
        q += ROW_BYTES
      }
      n0 = i32x4.sub(n0, f32x4.gt(s0, t0))
      n1 = i32x4.sub(n1, f32x4.gt(s1, t1))
      row += ROW_BYTES
    }
    v128.store(counts + column, n0)
    v128.store(counts + column, n1, 16)
  }
}
