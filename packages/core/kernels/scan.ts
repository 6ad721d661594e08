// AssemblyScript, compiled by asc to wasm/scan.wasm. The twin in TypeScript: src/rank/scan.ts, TypeScriptScanner.
// Memory is laid out by the caller; nothing is allocated here.

/** Swaps heap entry `at` down to its place; a min-heap by score in `scores`, rows alongside. */
function sift(scores: usize, rows: usize, size: i32, start: i32): void {
  let at = start
  const score = load<f32>(scores + (at << 2))
  const row = load<u32>(rows + (at << 2))
  for (;;) {
    let child = 2 * at + 1
    if (child >= size) break
    if (child + 1 < size && load<f32>(scores + ((child + 1) << 2)) < load<f32>(scores + (child << 2))) child++
    const childScore = load<f32>(scores + (child << 2))
    if (childScore >= score) break
    store<f32>(scores + (at << 2), childScore)
    store<u32>(rows + (at << 2), load<u32>(rows + (child << 2)))
    at = child
  }
  store<f32>(scores + (at << 2), score)
  store<u32>(rows + (at << 2), row)
}

/**
 * The k rows with the largest `scales[row] · (quantized[row] · query)`, unordered.
 *
 * @param query - i8[dim]; dim a multiple of 16
 * @param quantized - i8[count, dim]
 * @param scales - f32[count]
 * @returns how many were written to outScores f32[k] and outRows u32[k]
 */
export function scan(
  query: usize,
  quantized: usize,
  scales: usize,
  count: i32,
  dim: i32,
  k: i32,
  outScores: usize,
  outRows: usize,
): i32 {
  let size = 0
  let threshold: f32 = -Infinity
  let at = quantized
  for (let row = 0; row < count; row++) {
    let sum = i32x4.splat(0)
    for (let c = 0; c < dim; c += 16) {
      const a = v128.load(at + c)
      const b = v128.load(query + c)
      sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(i16x8.extmul_low_i8x16_s(a, b)))
      sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(i16x8.extmul_high_i8x16_s(a, b)))
    }
    at += dim
    const dot =
      i32x4.extract_lane(sum, 0) +
      i32x4.extract_lane(sum, 1) +
      i32x4.extract_lane(sum, 2) +
      i32x4.extract_lane(sum, 3)
    const score = <f32>dot * load<f32>(scales + (row << 2))
    if (size < k) {
      store<f32>(outScores + (size << 2), score)
      store<u32>(outRows + (size << 2), row)
      size++
      if (size == k) {
        for (let start = (k >> 1) - 1; start >= 0; start--) sift(outScores, outRows, k, start)
        threshold = load<f32>(outScores)
      }
    } else if (score > threshold) {
      store<f32>(outScores, score)
      store<u32>(outRows, row)
      sift(outScores, outRows, k, 0)
      threshold = load<f32>(outScores)
    }
  }
  return size
}
