import { CodedError } from '../error.ts'

/** Rows found and their approximate scores, unordered, `length` of them. Valid until the next scan. */
export interface ScanResult {
  readonly length: number
  readonly rows: Uint32Array
  readonly scores: Float32Array
}

/** The factors of a catalogue, exact and as int8, and the arithmetic over them. */
export interface Scanner {
  /** [capacity, d]; another view after {@link reserve} */
  readonly factors: Float32Array
  /**
   * Takes int8 factors over, `factors ≈ scales · quantized`; the scan keeps them as suits it.
   *
   * @param row - the first
   * @param quantized - `[n, d]`
   * @param scales - `[n]`
   */
  write(row: number, quantized: Int8Array, scales: Float32Array): void
  /** Makes room for at least so many rows, keeping what is there. */
  reserve(rows: number): void
  /**
   * The `k` rows of the first `count` with the largest `scales · (quantized · query)`; ties go to the smaller row. O(count·d).
   *
   * @param query - `[d]`, any length; quantised here, which moves scores by a common factor
   * @param mask - u8 a row, 0 for those to be left out; absent: none
   */
  scan(query: Float32Array, count: number, k: number, mask?: Uint8Array): ScanResult
  /**
   * Inner products of rows with a few vectors. O(n·m·d).
   *
   * @param rows - n of the rows
   * @param vectors - `[m, d]`, at most 8
   * @returns `[n, m]`, the caller's own
   */
  dots(rows: Uint32Array, vectors: Float32Array): Float32Array
}

export const MAX_SCAN_K = 1_024
export const MAX_DIM = 2_048
export const MAX_VECTORS = 8
/** Columns whose products the kernel adds up in int16. */
export const CHUNK = 64

/** What stands for zero in a quantised query. */
export const QUERY_ZERO = 64
const QUERY_MAX = 63
/** Largest sum of products within a chunk: int16, and a little for rounding here. */
const MAX_CHUNK_SUM = 32_700

/**
 * Query → whole numbers, plus 64, with a common scale that no order depends on: the largest for which the products with no
 * chunk of a row can come to more than int16 holds (Cauchy and Schwarz), so that the kernel adds up eight products at once.
 * That leaves about 5 bits for rows of 64; what it rounds away is a tenth of what lies between the rows kept and those rescored.
 *
 * @param largestSquares - the largest sum of squares of a chunk of any row
 */
export function quantizeQuery(query: Float32Array, largestSquares: number, out: Uint8Array): void {
  let max = 0
  for (let c = 0; c < query.length; c++) max = Math.max(max, Math.abs(query[c]!))
  let scale = max === 0 ? 0 : QUERY_MAX / max
  for (let from = 0; from < query.length; from += CHUNK) {
    const to = Math.min(from + CHUNK, query.length)
    let squares = 0
    for (let c = from; c < to; c++) squares += query[c]! * query[c]!
    // Rounding makes a chunk longer by at most half of one in each column.
    const room = MAX_CHUNK_SUM / Math.sqrt(largestSquares) - 0.5 * Math.sqrt(to - from)
    if (squares > 0 && largestSquares > 0) scale = Math.min(scale, room / Math.sqrt(squares))
  }
  for (let c = 0; c < query.length; c++) out[c] = Math.round(query[c]! * scale) + QUERY_ZERO
}

/** @throws {CodedError} `SCAN_VECTORS_MISSHAPEN` */
export function countVectors(vectors: Float32Array, dim: number): number {
  const many = vectors.length / dim
  if (Number.isInteger(many) && many <= MAX_VECTORS) return many
  throw new CodedError(
    'SCAN_VECTORS_MISSHAPEN',
    `vectors: expected at most ${MAX_VECTORS} of ${dim} numbers, received ${vectors.length}`,
  )
}

/** @throws {CodedError} `SCAN_DIM_UNSUPPORTED` */
export function checkDim(dim: number): void {
  if (dim % 16 !== 0 || dim < 16 || dim > MAX_DIM) {
    throw new CodedError(
      'SCAN_DIM_UNSUPPORTED',
      `factor width: expected a multiple of 16 up to ${MAX_DIM}, received ${dim}`,
    )
  }
}
