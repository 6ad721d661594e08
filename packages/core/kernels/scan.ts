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

/** Lane sums of a, b, c and d, as one vector. */
@inline
function lanes(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 1, 4, 5), v128.shuffle<i32>(a, b, 2, 3, 6, 7))
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 1, 4, 5), v128.shuffle<i32>(c, d, 2, 3, 6, 7))
  return i32x4.add(v128.shuffle<i32>(ab, cd, 0, 2, 4, 6), v128.shuffle<i32>(ab, cd, 1, 3, 5, 7))
}

/**
 * 16 products of int8 with numbers from 0 to 31, added up in pairs: at most 2·127·31 = 7,874, so that four such vectors
 * fit into int16. With the second factor below 128 the relaxed instruction has one meaning on every machine.
 */
@inline
function products(row: usize, query: v128): v128 {
  return i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(row), query)
}

/** 64 products, in four sums. */
@inline
function dot64(row: usize, q0: v128, q1: v128, q2: v128, q3: v128): v128 {
  const low = i16x8.add(products(row, q0), products(row + 16, q1))
  const high = i16x8.add(products(row + 32, q2), products(row + 48, q3))
  return i32x4.dot_i16x8_s(i16x8.add(low, high), i16x8.splat(1))
}

function dotAny(row: usize, query: usize, dim: usize): v128 {
  let sum = i32x4.splat(0)
  for (let c: usize = 0; c < dim; c += 16) {
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(products(row + c, v128.load(query + c)), i16x8.splat(1)))
  }
  return sum
}

let size: i32 = 0
let threshold: f32 = -Infinity

/** Offers a row to the k best so far of those above the threshold. */
@inline
function offer(score: f32, row: i32, k: i32, outScores: usize, outRows: usize): void {
  if (!(score > threshold)) return
  if (size < k) {
    store<f32>(outScores + (size << 2), score)
    store<u32>(outRows + (size << 2), row)
    size++
    if (size < k) return
    for (let start = (k >> 1) - 1; start >= 0; start--) sift(outScores, outRows, k, start)
  } else {
    store<f32>(outScores, score)
    store<u32>(outRows, row)
    sift(outScores, outRows, k, 0)
  }
  threshold = load<f32>(outScores)
}

/** Offers four neighbouring rows, of which some may lie past the end or be masked. */
@inline
function offer4(scores: v128, row: i32, count: i32, mask: usize, k: i32, outScores: usize, outRows: usize): void {
  if (!v128.any_true(f32x4.gt(scores, f32x4.splat(threshold)))) return
  if (mask == 0 || load<u8>(mask + row)) offer(f32x4.extract_lane(scores, 0), row, k, outScores, outRows)
  if (row + 1 < count && (mask == 0 || load<u8>(mask + row + 1)))
    offer(f32x4.extract_lane(scores, 1), row + 1, k, outScores, outRows)
  if (row + 2 < count && (mask == 0 || load<u8>(mask + row + 2)))
    offer(f32x4.extract_lane(scores, 2), row + 2, k, outScores, outRows)
  if (row + 3 < count && (mask == 0 || load<u8>(mask + row + 3)))
    offer(f32x4.extract_lane(scores, 3), row + 3, k, outScores, outRows)
}

/**
 * The k rows with the largest `scales[row] · (quantized[row] · (query − 16))`, unordered.
 *
 * Four rows at a time: a row past the end is read, never counted, so what follows an array must be readable.
 *
 * @param query - u8[dim], 1 to 31: a signed number of 5 bits plus 16; dim a multiple of 16
 * @param quantized - i8[count, dim]
 * @param scales - f32[count]
 * @param sums - i32[count]: 16 times the sum of a row of `quantized`
 * @param mask - u8[count], 0 for rows to be left out; or 0 for none
 * @returns how many were written to outScores f32[k] and outRows u32[k]
 */
export function scan(
  query: usize,
  quantized: usize,
  scales: usize,
  sums: usize,
  mask: usize,
  count: i32,
  dim: i32,
  k: i32,
  outScores: usize,
  outRows: usize,
): i32 {
  // A few rows from everywhere tell what the k best will be above, which spares the heap nearly all it would throw out
  // again. Should fewer than k be above that, everything is looked at once more.
  if (mask == 0 && count >= MIN_GUESSED) {
    const stride = (count / GUESSED_FROM) & ~3
    const share = <i32>(<f64>(8 * k) * <f64>GUESSED_FROM / <f64>count) + 4
    size = 0
    threshold = -Infinity
    pass(query, quantized, scales, sums, 0, count, stride, dim, min(share, k), outScores, outRows)
    size = 0
    pass(query, quantized, scales, sums, 0, count, 4, dim, k, outScores, outRows)
    if (size == k) return size
  }
  size = 0
  threshold = -Infinity
  pass(query, quantized, scales, sums, mask, count, 4, dim, k, outScores, outRows)
  return size
}

/** Rows a guess of the threshold is taken from, in groups of four, and the fewest rows it pays for. */
const GUESSED_FROM: i32 = 512
const MIN_GUESSED: i32 = 8_192

/** Offers every group of four rows whose first is a multiple of `stride`. */
function pass(
  query: usize,
  quantized: usize,
  scales: usize,
  sums: usize,
  mask: usize,
  count: i32,
  stride: i32,
  dim: i32,
  k: i32,
  outScores: usize,
  outRows: usize,
): void {
  const width = <usize>dim
  const step = width * <usize>stride
  const q0 = v128.load(query)
  const q1 = v128.load(query, 16)
  const q2 = v128.load(query, 32)
  const q3 = v128.load(query, 48)
  let at = quantized
  for (let row = 0; row < count; row += stride) {
    if (mask == 0 || load<u32>(mask + row) != 0) {
      let dots: v128
      // Width 64, the standard model's: the whole query stays in registers.
      if (dim == 64) {
        dots = lanes(
          dot64(at, q0, q1, q2, q3),
          dot64(at + 64, q0, q1, q2, q3),
          dot64(at + 128, q0, q1, q2, q3),
          dot64(at + 192, q0, q1, q2, q3),
        )
      } else {
        dots = lanes(
          dotAny(at, query, width),
          dotAny(at + width, query, width),
          dotAny(at + 2 * width, query, width),
          dotAny(at + 3 * width, query, width),
        )
      }
      const place = <usize>row << 2
      const scores = f32x4.mul(
        f32x4.convert_i32x4_s(i32x4.sub(dots, v128.load(sums + place))),
        v128.load(scales + place),
      )
      offer4(scores, row, count, mask, k, outScores, outRows)
    }
    at += step
  }
}

/** 16 times the sum of each row, for {@link scan}. */
export function sumRows(quantized: usize, count: i32, dim: i32, sums: usize): void {
  const width = <usize>dim
  let at = quantized
  for (let row = 0; row < count; row++) {
    let sum = i32x4.splat(0)
    for (let c: usize = 0; c < width; c += 16) {
      sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(v128.load(at + c))))
    }
    const total = lanes(sum, i32x4.splat(0), i32x4.splat(0), i32x4.splat(0))
    store<i32>(sums + (<usize>row << 2), i32x4.extract_lane(total, 0) << 4)
    at += width
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
  let to = out
  for (let place = 0; place < count; place++) {
    const row = factors + <usize>load<u32>(rows + (place << 2)) * width
    let index = 0
    // Two vectors at a time: sums of one wait for each other, those of two do not.
    for (; index + 1 < many; index += 2) {
      const one = vectors + <usize>index * width
      const two = one + width
      let sum = f32x4.splat(0)
      let other = f32x4.splat(0)
      for (let c: usize = 0; c < width; c += 16) {
        const values = v128.load(row + c)
        sum = f32x4.add(sum, f32x4.mul(values, v128.load(one + c)))
        other = f32x4.add(other, f32x4.mul(values, v128.load(two + c)))
      }
      store<f32>(to, total(sum))
      store<f32>(to, total(other), 4)
      to += 8
    }
    if (index < many) {
      const vector = vectors + <usize>index * width
      let sum = f32x4.splat(0)
      for (let c: usize = 0; c < width; c += 16) {
        sum = f32x4.add(sum, f32x4.mul(v128.load(row + c), v128.load(vector + c)))
      }
      store<f32>(to, total(sum))
      to += 4
    }
  }
}

@inline
function total(sum: v128): f32 {
  return (
    f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3)
  )
}
