// AssemblyScript, compiled by asc to wasm/scan.wasm. The twin in TypeScript: src/rank/typescript-scanner.ts.
// Memory is laid out by the caller; nothing is allocated here.

/**
 * Rows of a block, which lie interleaved: first columns 0 and 1 of all of them, row by row, then columns 2 and 3, and so
 * on. 16 bytes are then two columns of eight rows, whose sums need no adding across lanes; the columns of the query
 * are loaded once for 64 rows; and everything is read in the order in which it lies.
 */
const BLOCK: i32 = 64
/** Columns whose products are added up in int16: the caller scales queries so that they fit. */
const CHUNK: i32 = 64
/** What stands for zero in a query. */
const QUERY_ZERO: i32 = 64

/** Chunks of a row, the last of which may be shorter. */
@inline
function chunksOf(dim: i32): i32 {
  return (dim + CHUNK - 1) / CHUNK
}

/**
 * 16 products of int8 with numbers from 0 to 127, added up in pairs: at most 2·128·127 = 32,512, which fits into int16.
 * With the second factor below 128 the relaxed instruction has one meaning on every machine.
 */
@inline
function products(rows: usize, query: v128): v128 {
  return i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(rows), query)
}

/** Scores of eight rows, rounded to 16 bits. No scale is −32,768, so this relaxed instruction too has one meaning. */
@inline
function rounded(dots: v128, narrow: usize): v128 {
  return i16x8.relaxed_q15mulr_s(dots, v128.load(narrow))
}

/** Which of 16 rows are above the bar, a bit each. */
@inline
function above(a: v128, b: v128, bar: v128): i64 {
  return <i64>i8x16.bitmask(i8x16.narrow_i16x8_s(i16x8.gt_s(a, bar), i16x8.gt_s(b, bar)))
}

/** Inner products of a block of rows of more than one chunk, i32[64]. */
function dotWide(splats: usize, block: usize, sums: usize, dim: i32, out: usize): void {
  for (let from = 0; from < dim; from += CHUNK) {
    const columns = <usize>min(dim - from, CHUNK)
    for (let group: usize = 0; group < 128; group += 16) {
      let dots = v128.load(sums + group)
      for (let c: usize = 0; c < columns; c += 2) {
        dots = i16x8.add(dots, products(block + group + (c << 6), v128.load(splats + (c << 3))))
      }
      const to = out + (group << 1)
      const first = i32x4.extend_low_i16x8_s(dots)
      const second = i32x4.extend_high_i16x8_s(dots)
      v128.store(to, from == 0 ? first : i32x4.add(v128.load(to), first))
      v128.store(to, from == 0 ? second : i32x4.add(v128.load(to, 16), second), 16)
    }
    splats += columns << 3
    block += columns << 6
    sums += 128
  }
}

let size: i32 = 0
let threshold: f32 = -Infinity

/** Which rows of a block are above the threshold, a bit each. */
function aboveWide(dots: usize, scales: usize): i64 {
  const bar = f32x4.splat(threshold)
  let bits: i64 = 0
  for (let row: usize = 0; row < <usize>BLOCK; row += 4) {
    const scores = f32x4.mul(f32x4.convert_i32x4_s(v128.load(dots + (row << 2))), v128.load(scales + (row << 2)))
    bits |= <i64>i32x4.bitmask(f32x4.gt(scores, bar)) << <i64>row
  }
  return bits
}

/** Keeps those rows of a block whose bits are set and that are above the threshold. */
@inline
function keep<Dot>(
  bits: i64,
  dots: usize,
  scales: usize,
  row: i32,
  count: i32,
  mask: usize,
  outScores: usize,
  outRows: usize,
): void {
  for (; bits != 0; bits &= bits - 1) {
    const place = <i32>ctz(bits)
    const found = row + place
    const score = <f32>load<Dot>(dots + <usize>place * sizeof<Dot>()) * load<f32>(scales + (<usize>place << 2))
    if (!(score > threshold) || found >= count || (mask != 0 && load<u8>(mask + found) == 0)) continue
    store<f32>(outScores + (size << 2), score)
    store<u32>(outRows + (size << 2), found)
    size++
  }
}

/** Whether the entry (score, row) comes before another: ties go to the smaller row. */
@inline
function before(score: f32, row: u32, other: f32, otherRow: u32): bool {
  return score > other || (score == other && row < otherRow)
}

@inline
function swap<T>(at: usize, one: i32, other: i32): void {
  const value = load<T>(at + (one << 2))
  store<T>(at + (one << 2), load<T>(at + (other << 2)))
  store<T>(at + (other << 2), value)
}

/** Brings the k best of `size` entries to the front, the worst of them last (quickselect), and forgets the others. */
function select(k: i32, scores: usize, rows: usize): void {
  if (size <= k) return
  const last = k - 1
  let low = 0
  let high = size - 1
  while (low < high) {
    const middle = (low + high) >> 1
    const score = load<f32>(scores + (middle << 2))
    const row = load<u32>(rows + (middle << 2))
    let left = low
    let right = high
    while (left <= right) {
      while (before(load<f32>(scores + (left << 2)), load<u32>(rows + (left << 2)), score, row)) left++
      while (before(score, row, load<f32>(scores + (right << 2)), load<u32>(rows + (right << 2)))) right--
      if (left <= right) {
        swap<f32>(scores, left, right)
        swap<u32>(rows, left, right)
        left++
        right--
      }
    }
    if (last <= right) high = right
    else if (last >= left) low = left
    else break
  }
  size = k
  threshold = load<f32>(scores + (last << 2))
}

/** Blocks a guess of the threshold is taken from: one in 16, and at most about 32. Below 8,192 rows it does not pay. */
const GUESSED_FROM: i32 = 32
const MIN_STRIDE: i32 = 16
const MIN_GUESSED: i32 = 8_192

/**
 * The k rows with the largest `scales[row] · (quantized[row] · (query − 64))`, unordered; ties go to the smaller row.
 *
 * Arrays over rows have room for whole blocks.
 *
 * @param query - u8[dim], 1 to 127: a signed number plus 64; dim a multiple of 16. Within each 64 columns of any row the
 *   signed products must come to at most 32,767 either way
 * @param scratch - 8·dim + 256 bytes
 * @param blocks - written by {@link pack}
 * @param sums - written by {@link pack}
 * @param scales - f32[count]
 * @param narrow - i16[count], `scales / reference · 32,767` rounded up
 * @param reference - at least the largest of the scales
 * @param mask - u8[count], 0 for rows to be left out; or 0 for none
 * @param outScores - f32[4·k + 256], of which the first are the result
 * @param outRows - u32[4·k + 256]
 * @returns how many rows were found
 */
export function scan(
  query: usize,
  scratch: usize,
  blocks: usize,
  sums: usize,
  scales: usize,
  narrow: usize,
  reference: f32,
  mask: usize,
  count: i32,
  dim: i32,
  k: i32,
  outScores: usize,
  outRows: usize,
): i32 {
  const splats = scratch + 256
  for (let c = 0; c < dim; c += 2) v128.store(splats + (<usize>c << 3), v128.load16_splat(query + c))
  // A few blocks from everywhere tell what the k best will be above, so that nearly nothing else is kept for long. Should
  // fewer than k be above that, everything is looked at once more.
  if (mask == 0 && count >= MIN_GUESSED) {
    const stride = max(MIN_STRIDE, count / (GUESSED_FROM * BLOCK))
    // Of the k best so many are expected among those; the margin is 3.5 standard deviations.
    const expected = <f64>k / <f64>stride
    const share = <i32>(expected + 3.5 * sqrt<f64>(expected)) + 2
    size = 0
    threshold = -Infinity
    pass(splats, scratch, blocks, sums, scales, narrow, reference, 0, count, stride, dim, share, outScores, outRows)
    size = 0
    pass(splats, scratch, blocks, sums, scales, narrow, reference, 0, count, 1, dim, k, outScores, outRows)
    if (size == k) return k
  }
  size = 0
  threshold = -Infinity
  pass(splats, scratch, blocks, sums, scales, narrow, reference, mask, count, 1, dim, k, outScores, outRows)
  return size
}

/** Finds the k best above the threshold in every block whose number is a multiple of `stride`. */
function pass(
  splats: usize,
  scratch: usize,
  blocks: usize,
  sums: usize,
  scales: usize,
  narrow: usize,
  reference: f32,
  mask: usize,
  count: i32,
  stride: i32,
  dim: i32,
  k: i32,
  outScores: usize,
  outRows: usize,
): void {
  const rowsStep = stride * BLOCK
  const blockStep = <usize>dim * rowsStep
  const sumsStep = <usize>(chunksOf(dim) * rowsStep) << 1
  const end = splats + (<usize>dim << 3)
  const limit = 4 * k + 2 * BLOCK
  let bar = barOf(reference)
  for (let row = 0; row < count; row += rowsStep, blocks += blockStep, sums += sumsStep) {
    if (mask != 0 && !anyOf(mask + row)) continue
    const at = scales + (<usize>row << 2)
    if (dim > CHUNK) {
      dotWide(splats, blocks, sums, dim, scratch)
      const bits = aboveWide(scratch, at)
      if (bits == 0) continue
      keep<i32>(bits, scratch, at, row, count, mask, outScores, outRows)
    } else {
      // Sums start from minus 64 times the sum of the row and may wrap around on their way: what they come to fits into
      // int16, so it is exact.
      let a = v128.load(sums)
      let b = v128.load(sums, 16)
      let c = v128.load(sums, 32)
      let d = v128.load(sums, 48)
      let e = v128.load(sums, 64)
      let f = v128.load(sums, 80)
      let g = v128.load(sums, 96)
      let h = v128.load(sums, 112)
      let block = blocks
      for (let q = splats; q < end; q += 32) {
        const one = v128.load(q)
        const two = v128.load(q, 16)
        a = i16x8.add(a, i16x8.add(products(block, one), products(block + 128, two)))
        b = i16x8.add(b, i16x8.add(products(block + 16, one), products(block + 144, two)))
        c = i16x8.add(c, i16x8.add(products(block + 32, one), products(block + 160, two)))
        d = i16x8.add(d, i16x8.add(products(block + 48, one), products(block + 176, two)))
        e = i16x8.add(e, i16x8.add(products(block + 64, one), products(block + 192, two)))
        f = i16x8.add(f, i16x8.add(products(block + 80, one), products(block + 208, two)))
        g = i16x8.add(g, i16x8.add(products(block + 96, one), products(block + 224, two)))
        h = i16x8.add(h, i16x8.add(products(block + 112, one), products(block + 240, two)))
        block += 256
      }
      const scale = narrow + (<usize>row << 1)
      const ra = rounded(a, scale)
      const rb = rounded(b, scale + 16)
      const rc = rounded(c, scale + 32)
      const rd = rounded(d, scale + 48)
      const re = rounded(e, scale + 64)
      const rf = rounded(f, scale + 80)
      const rg = rounded(g, scale + 96)
      const rh = rounded(h, scale + 112)
      const best = i16x8.max_s(
        i16x8.max_s(i16x8.max_s(ra, rb), i16x8.max_s(rc, rd)),
        i16x8.max_s(i16x8.max_s(re, rf), i16x8.max_s(rg, rh)),
      )
      if (!v128.any_true(i16x8.gt_s(best, bar))) continue
      v128.store(scratch, a)
      v128.store(scratch, b, 16)
      v128.store(scratch, c, 32)
      v128.store(scratch, d, 48)
      v128.store(scratch, e, 64)
      v128.store(scratch, f, 80)
      v128.store(scratch, g, 96)
      v128.store(scratch, h, 112)
      const bits =
        above(ra, rb, bar) | (above(rc, rd, bar) << 16) | (above(re, rf, bar) << 32) | (above(rg, rh, bar) << 48)
      keep<i16>(bits, scratch, at, row, count, mask, outScores, outRows)
    }
    if (size > limit) {
      select(k, outScores, outRows)
      bar = barOf(reference)
    }
  }
  select(k, outScores, outRows)
}

@inline
function anyOf(mask: usize): bool {
  return v128.any_true(
    v128.or(v128.or(v128.load(mask), v128.load(mask, 16)), v128.or(v128.load(mask, 32), v128.load(mask, 48))),
  )
}

/**
 * What a rounded score is above whenever the score is above the threshold, in eight lanes. Rounding a scale up moves a
 * product by less than 1 and rounding the product by at most 0.5.
 */
function barOf(reference: f32): v128 {
  const bar = reference > 0 ? floor<f64>(<f64>threshold / <f64>reference) - 3 : -32_768
  return i16x8.splat(<i16>max<f64>(-32_768, min<f64>(32_767, bar)))
}

/**
 * Puts rows into their places in blocks, and minus 64 times the sum of each chunk beside them.
 *
 * @param rows - i8[count, dim]
 * @param first - number of the first
 * @param blocks - i8[.., dim, 64] of whole blocks
 * @param sums - i16[.., chunks, 64]
 * @returns the largest sum of squares of a chunk
 */
export function pack(rows: usize, first: i32, count: i32, dim: i32, blocks: usize, sums: usize): i32 {
  let largest = 0
  for (let row = first; row < first + count; row++) {
    const block = row / BLOCK
    const place = row % BLOCK
    let to = blocks + <usize>block * <usize>(dim * BLOCK) + (place << 1)
    let sumTo = sums + <usize>(block * chunksOf(dim) * BLOCK + place) * 2
    for (let from = 0; from < dim; from += CHUNK) {
      let sum = 0
      let squares = 0
      for (let c = min(dim - from, CHUNK); c > 0; c -= 2) {
        const one = <i32>load<i8>(rows)
        const other = <i32>load<i8>(rows, 1)
        sum += one + other
        squares += one * one + other * other
        store<u16>(to, load<u16>(rows))
        rows += 2
        to += BLOCK << 1
      }
      store<i16>(sumTo, <i16>(-QUERY_ZERO * sum))
      sumTo += BLOCK << 1
      largest = max(largest, squares)
    }
  }
  return largest
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
