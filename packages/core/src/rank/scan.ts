import { CodedError } from '../error.ts'
import { dotRows } from './matrix.ts'

/** What scan.wasm exports. Hosts differ in how they make an instance, so they hand in `instantiate`. */
export interface ScanExports {
  readonly memory: { readonly buffer: ArrayBuffer | SharedArrayBuffer; grow(pages: number): number }
  scan(
    query: number,
    quantized: number,
    scales: number,
    sums: number,
    mask: number,
    count: number,
    dim: number,
    k: number,
    outScores: number,
    outRows: number,
  ): number
  sumRows(quantized: number, count: number, dim: number, sums: number): void
  dots(
    rows: number,
    count: number,
    factors: number,
    dim: number,
    vectors: number,
    many: number,
    out: number,
  ): void
}

/** Makes a fresh instance of scan.wasm with memory of its own. */
export type InstantiateScan = () => ScanExports

/** Rows found and their approximate scores, unordered, `length` of them. Valid until the next scan. */
export interface ScanResult {
  readonly length: number
  readonly rows: Uint32Array
  readonly scores: Float32Array
}

/** The factors of a catalogue, exact and as int8, and the arithmetic over them. Views are new after {@link reserve}. */
export interface Scanner {
  /** [capacity, d] */
  readonly factors: Float32Array
  /** [capacity, d]; `factors ≈ scales · quantized` */
  readonly quantized: Int8Array
  /** [capacity] */
  readonly scales: Float32Array
  /** To be told after rows of `quantized` were written: the scan needs their sums. */
  rowsWritten(from: number, count: number): void
  /** Makes room for at least so many rows, keeping what is there. */
  reserve(rows: number): void
  /**
   * The `k` rows of the first `count` with the largest `scales · (quantized · query)`. O(count·d).
   *
   * @param query - `[d]`, any length; quantised to 5 bits here, which moves scores by a common factor
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
const PAGE = 65_536
const MAX_DIM = 2_048
const MAX_VECTORS = 8
/** Rows a call of the kernel takes; more are given in several. */
const MAX_DOTS = 1_024

// Bytes from the start of memory: query u8, scan's scores and rows, then rows, vectors and results of dots.
const SCORES_AT: number = MAX_DIM
const ROWS_AT: number = SCORES_AT + 4 * MAX_SCAN_K
const DOT_ROWS_AT: number = ROWS_AT + 4 * MAX_SCAN_K
const VECTORS_AT: number = DOT_ROWS_AT + 4 * MAX_DOTS
const DOTS_AT: number = VECTORS_AT + 4 * MAX_VECTORS * MAX_DIM
const HEADER: number = DOTS_AT + 4 * MAX_DOTS * MAX_VECTORS

/** Rows the kernel reads past the last one at most. */
const READ_AHEAD = 4

/** Scanner on the SIMD kernel; memory O(capacity · (5·d + 9)). */
export class WasmScanner implements Scanner {
  quantized: Int8Array
  scales: Float32Array
  factors: Float32Array
  readonly #exports: ScanExports
  readonly #dim: number
  #capacity = 0

  constructor(instantiate: InstantiateScan, dim: number, capacity: number) {
    checkDim(dim)
    this.#exports = instantiate()
    if (typeof this.#exports.sumRows !== 'function') {
      throw new CodedError(
        'SCAN_KERNEL_STALE',
        'scan.wasm: built from another version of kernels/scan.ts; run the script build:kernels of core',
      )
    }
    this.#dim = dim
    this.quantized = new Int8Array(0)
    this.scales = new Float32Array(0)
    this.factors = new Float32Array(0)
    this.reserve(capacity)
  }

  reserve(rows: number): void {
    if (rows <= this.#capacity) return
    // Everything else sits behind the quantized rows, so growing moves it; it is copied out first.
    const wanted = this.#capacity === 0 ? rows : Math.max(rows, Math.ceil(this.#capacity * 1.25))
    const capacity = Math.ceil(wanted / READ_AHEAD) * READ_AHEAD
    const before = this.#capacity
    const scales = this.scales.slice()
    const factors = this.factors.slice()
    const { memory } = this.#exports
    const quantizedBytes = capacity * this.#dim
    const needed = HEADER + 5 * quantizedBytes + 9 * capacity + READ_AHEAD
    const missing = Math.ceil((needed - memory.buffer.byteLength) / PAGE)
    if (missing > 0) memory.grow(missing)
    this.#capacity = capacity
    this.quantized = new Int8Array(memory.buffer, HEADER, quantizedBytes)
    this.factors = new Float32Array(memory.buffer, this.#factorsAt(), quantizedBytes)
    this.scales = new Float32Array(memory.buffer, this.#scalesAt(), capacity)
    for (const [view, values] of [
      [this.factors, factors],
      [this.scales, scales],
    ] as const) {
      view.fill(0)
      view.set(values)
    }
    this.quantized.fill(0, before * this.#dim)
    this.rowsWritten(0, capacity)
  }

  rowsWritten(from: number, count: number): void {
    const dim = this.#dim
    this.#exports.sumRows(HEADER + from * dim, count, dim, this.#sumsAt() + 4 * from)
  }

  scan(query: Float32Array, count: number, k: number, mask?: Uint8Array): ScanResult {
    const size = Math.min(k, MAX_SCAN_K)
    const { memory } = this.#exports
    quantizeQuery(query, new Uint8Array(memory.buffer, 0, this.#dim))
    if (mask !== undefined) new Uint8Array(memory.buffer, this.#maskAt(), count).set(mask.subarray(0, count))
    const length = this.#exports.scan(
      0,
      HEADER,
      this.#scalesAt(),
      this.#sumsAt(),
      mask === undefined ? 0 : this.#maskAt(),
      count,
      this.#dim,
      size,
      SCORES_AT,
      ROWS_AT,
    )
    return {
      length,
      rows: new Uint32Array(memory.buffer, ROWS_AT, length),
      scores: new Float32Array(memory.buffer, SCORES_AT, length),
    }
  }

  dots(rows: Uint32Array, vectors: Float32Array): Float32Array {
    const dim = this.#dim
    const many = countVectors(vectors, dim)
    const { memory } = this.#exports
    new Float32Array(memory.buffer, VECTORS_AT, vectors.length).set(vectors)
    const out = new Float32Array(rows.length * many)
    for (let from = 0; from < rows.length; from += MAX_DOTS) {
      const some = rows.subarray(from, from + MAX_DOTS)
      new Uint32Array(memory.buffer, DOT_ROWS_AT, some.length).set(some)
      this.#exports.dots(DOT_ROWS_AT, some.length, this.#factorsAt(), dim, VECTORS_AT, many, DOTS_AT)
      out.set(new Float32Array(memory.buffer, DOTS_AT, some.length * many), from * many)
    }
    return out
  }

  // The width is a multiple of 16, so every part starts on a multiple of 16 bytes.
  #factorsAt(): number {
    return HEADER + this.#capacity * this.#dim
  }

  #scalesAt(): number {
    return HEADER + 5 * this.#capacity * this.#dim
  }

  #sumsAt(): number {
    return this.#scalesAt() + 4 * this.#capacity
  }

  #maskAt(): number {
    return this.#sumsAt() + 4 * this.#capacity
  }
}

/** The same search in TypeScript: for parity tests and hosts without WebAssembly. */
export class TypeScriptScanner implements Scanner {
  quantized: Int8Array
  scales: Float32Array
  factors: Float32Array
  readonly #dim: number

  constructor(dim: number, capacity: number) {
    checkDim(dim)
    this.#dim = dim
    this.quantized = new Int8Array(capacity * dim)
    this.scales = new Float32Array(capacity)
    this.factors = new Float32Array(capacity * dim)
  }

  reserve(rows: number): void {
    if (rows <= this.scales.length) return
    const capacity = Math.max(rows, Math.ceil(this.scales.length * 1.25))
    const quantized = new Int8Array(capacity * this.#dim)
    const scales = new Float32Array(capacity)
    const factors = new Float32Array(capacity * this.#dim)
    quantized.set(this.quantized)
    scales.set(this.scales)
    factors.set(this.factors)
    this.quantized = quantized
    this.scales = scales
    this.factors = factors
  }

  // It sums rows as it scans.
  rowsWritten(): void {}

  scan(query: Float32Array, count: number, k: number, mask?: Uint8Array): ScanResult {
    const dim = this.#dim
    const q = new Uint8Array(dim)
    quantizeQuery(query, q)
    const scores = new Float32Array(count)
    for (let row = 0; row < count; row++) {
      let dot = 0
      for (let c = 0; c < dim; c++) dot += this.quantized[row * dim + c]! * (q[c]! - QUERY_ZERO)
      scores[row] = Math.fround(dot) * this.scales[row]!
    }
    const order = Array.from(scores, (_, row) => row)
      .filter((row) => mask === undefined || mask[row] !== 0)
      .sort((a, b) => scores[b]! - scores[a]! || a - b)
    const rows = Uint32Array.from(order.slice(0, k))
    return { length: rows.length, rows, scores: Float32Array.from(rows, (row) => scores[row]!) }
  }

  dots(rows: Uint32Array, vectors: Float32Array): Float32Array {
    countVectors(vectors, this.#dim)
    return dotRows(this.factors, this.#dim, rows, vectors)
  }
}

/** @throws {CodedError} `SCAN_VECTORS_MISSHAPEN` */
function countVectors(vectors: Float32Array, dim: number): number {
  const many = vectors.length / dim
  if (Number.isInteger(many) && many <= MAX_VECTORS) return many
  throw new CodedError(
    'SCAN_VECTORS_MISSHAPEN',
    `vectors: expected at most ${MAX_VECTORS} of ${dim} numbers, received ${vectors.length}`,
  )
}

/** What stands for zero in a quantised query. */
const QUERY_ZERO = 16
const QUERY_MAX = 15

/**
 * Query → whole numbers of 5 bits, plus 16, with a common scale that no order depends on. The kernel can then add up
 * twice as many products at once; what that rounds away is a tenth of what lies between the rows kept and those rescored.
 */
function quantizeQuery(query: Float32Array, out: Uint8Array): void {
  let max = 0
  for (let c = 0; c < query.length; c++) max = Math.max(max, Math.abs(query[c]!))
  const scale = max === 0 ? 0 : QUERY_MAX / max
  for (let c = 0; c < query.length; c++) out[c] = Math.round(query[c]! * scale) + QUERY_ZERO
}

function checkDim(dim: number): void {
  if (dim % 16 !== 0 || dim < 16 || dim > MAX_DIM) {
    throw new CodedError(
      'SCAN_DIM_UNSUPPORTED',
      `factor width: expected a multiple of 16 up to ${MAX_DIM}, received ${dim}`,
    )
  }
}
