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

/** Sum of the four lanes. */
@inline
function total(sum: v128): i32 {
  const pairs = i32x4.add(sum, v128.shuffle<i32>(sum, sum, 2, 3, 0, 1))
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1)
}

/** 16 products of int8 at `row` with int16 `low`, `high`, added to four sums. Widening the row costs less than the query. */
@inline
function dot16(sum: v128, row: usize, low: v128, high: v128): v128 {
  const bytes = v128.load(row)
  return i32x4.add(
    i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(bytes), low)),
    i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(bytes), high),
  )
}

let size: i32 = 0
let threshold: f32 = -Infinity

/** Offers a row to the k best so far. */
@inline
function offer(score: f32, row: i32, k: i32, outScores: usize, outRows: usize): void {
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

/**
 * The k rows with the largest `scales[row] · (quantized[row] · query)`, unordered.
 *
 * @param query - i16[dim]; dim a multiple of 16
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
  size = 0
  threshold = -Infinity
  if (dim == 64) scan64(query, quantized, scales, count, k, outScores, outRows)
  else scanAny(query, quantized, scales, count, dim, k, outScores, outRows)
  return size
}

/** Width 64, the standard model's: the whole query stays in registers. */
function scan64(query: usize, quantized: usize, scales: usize, count: i32, k: i32, outScores: usize, outRows: usize): void {
  const q0 = v128.load(query)
  const q1 = v128.load(query, 16)
  const q2 = v128.load(query, 32)
  const q3 = v128.load(query, 48)
  const q4 = v128.load(query, 64)
  const q5 = v128.load(query, 80)
  const q6 = v128.load(query, 96)
  const q7 = v128.load(query, 112)
  let at = quantized
  for (let row = 0; row < count; row++) {
    let sum = dot16(i32x4.splat(0), at, q0, q1)
    let other = dot16(i32x4.splat(0), at + 16, q2, q3)
    sum = dot16(sum, at + 32, q4, q5)
    other = dot16(other, at + 48, q6, q7)
    at += 64
    offer(<f32>total(i32x4.add(sum, other)) * load<f32>(scales + (row << 2)), row, k, outScores, outRows)
  }
}

function scanAny(
  query: usize,
  quantized: usize,
  scales: usize,
  count: i32,
  dim: i32,
  k: i32,
  outScores: usize,
  outRows: usize,
): void {
  let at = quantized
  for (let row = 0; row < count; row++) {
    let sum = i32x4.splat(0)
    for (let c = 0; c < dim; c += 16) {
      const q = query + (c << 1)
      sum = dot16(sum, at + c, v128.load(q), v128.load(q, 16))
    }
    at += dim
    offer(<f32>total(sum) * load<f32>(scales + (row << 2)), row, k, outScores, outRows)
  }
}

/**
 * Inner products of some rows of a matrix with a few vectors.
 *
 * @param rows - u32[count]
 * @param factors - f32[.., dim]; dim a multiple of 4
 * @param vectors - f32[many, dim]
 * @param out - f32[count, many]
 */
export function dots(
  rows: usize,
  count: i32,
  factors: usize,
  dim: i32,
  vectors: usize,
  many: i32,
  out: usize,
): void {
  const width = <usize>dim << 2
  for (let place = 0; place < count; place++) {
    const row = factors + <usize>load<u32>(rows + (place << 2)) * width
    for (let index = 0; index < many; index++) {
      const vector = vectors + <usize>index * width
      let sum = f32x4.splat(0)
      for (let c: usize = 0; c < width; c += 16) {
        sum = f32x4.add(sum, f32x4.mul(v128.load(row + c), v128.load(vector + c)))
      }
      store<f32>(
        out + ((place * many + index) << 2),
        f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3),
      )
    }
  }
}
