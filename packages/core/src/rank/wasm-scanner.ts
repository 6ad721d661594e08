import { CodedError } from '../error.ts'
import {
  checkDim,
  CHUNK,
  countVectors,
  MAX_DIM,
  MAX_SCAN_K,
  MAX_VECTORS,
  quantizeQuery,
  type Scanner,
  type ScanResult,
} from './scan.ts'

/** What scan.wasm exports. Hosts differ in how they make an instance, so they hand in `instantiate`. */
export interface ScanExports {
  readonly memory: { readonly buffer: ArrayBuffer | SharedArrayBuffer; grow(pages: number): number }
  scan(
    query: number,
    scratch: number,
    blocks: number,
    sums: number,
    scales: number,
    narrow: number,
    reference: number,
    mask: number,
    count: number,
    dim: number,
    k: number,
    outScores: number,
    outRows: number,
  ): number
  pack(rows: number, first: number, count: number, dim: number, blocks: number, sums: number): number
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

const PAGE = 65_536
/** Rows the kernel keeps in one block. */
const BLOCK = 64
/** Rows a call of the kernel's `dots` takes; more are given in several. */
const MAX_DOTS = 1_024
/** Candidates the kernel collects before it throws all but k away. */
const MAX_COLLECTED = 4 * MAX_SCAN_K + 4 * BLOCK

// Bytes from the start of memory: query u8, the scan's scratch, its scores and rows, then rows, vectors and results of
// dots. Results of dots are also where int8 rows wait to be put into their blocks.
const SCRATCH_AT: number = MAX_DIM
const SCORES_AT: number = SCRATCH_AT + 8 * MAX_DIM + 4 * BLOCK
const ROWS_AT: number = SCORES_AT + 4 * MAX_COLLECTED
const DOT_ROWS_AT: number = ROWS_AT + 4 * MAX_COLLECTED
const VECTORS_AT: number = DOT_ROWS_AT + 4 * MAX_DOTS
const DOTS_AT: number = VECTORS_AT + 4 * MAX_VECTORS * MAX_DIM
const DOTS_BYTES: number = 4 * MAX_DOTS * MAX_VECTORS
const HEADER: number = DOTS_AT + DOTS_BYTES
const MAX_INT16 = 32_767

/**
 * Scanner on the SIMD kernel, which keeps int8 rows in blocks of 64, columns first (kernels/scan.ts). Memory
 * O(capacity · (5·d + 9)), in whole blocks.
 */
export class WasmScanner implements Scanner {
  factors: Float32Array
  readonly #exports: ScanExports
  readonly #dim: number
  #scales: Float32Array
  /** `scales / reference`, in 15 bits. */
  #narrow: Int16Array
  #sums: Int16Array
  #capacity = 0
  #reference = 0
  #largestSquares = 0

  constructor(instantiate: InstantiateScan, dim: number, capacity: number) {
    checkDim(dim)
    this.#exports = instantiate()
    if (typeof this.#exports.pack !== 'function') {
      throw new CodedError(
        'SCAN_KERNEL_STALE',
        'scan.wasm: built from another version of kernels/scan.ts; run the script build:kernels of core',
      )
    }
    this.#dim = dim
    this.factors = new Float32Array(0)
    this.#scales = new Float32Array(0)
    this.#narrow = new Int16Array(0)
    this.#sums = new Int16Array(0)
    this.reserve(capacity)
  }

  reserve(rows: number): void {
    if (rows <= this.#capacity) return
    // Everything else sits behind the blocks, so growing moves it; it is copied out first.
    const wanted = this.#capacity === 0 ? rows : Math.max(rows, Math.ceil(this.#capacity * 1.25))
    const capacity = Math.ceil(wanted / BLOCK) * BLOCK
    const before = this.#capacity
    const factors = this.factors.slice()
    const scales = this.#scales.slice()
    const narrow = this.#narrow.slice()
    const sums = this.#sums.slice()
    const { memory } = this.#exports
    this.#capacity = capacity
    const missing = Math.ceil((this.#maskAt() + capacity - memory.buffer.byteLength) / PAGE)
    if (missing > 0) memory.grow(missing)
    this.factors = new Float32Array(memory.buffer, this.#factorsAt(), capacity * this.#dim)
    this.#scales = new Float32Array(memory.buffer, this.#scalesAt(), capacity)
    this.#narrow = new Int16Array(memory.buffer, this.#narrowAt(), capacity)
    this.#sums = new Int16Array(memory.buffer, this.#sumsAt(), capacity * Math.ceil(this.#dim / CHUNK))
    for (const [view, values] of [
      [this.factors, factors],
      [this.#scales, scales],
      [this.#narrow, narrow],
      [this.#sums, sums],
    ] as const) {
      view.fill(0)
      view.set(values)
    }
    new Int8Array(memory.buffer, HEADER, capacity * this.#dim).fill(0, before * this.#dim)
  }

  write(row: number, quantized: Int8Array, scales: Float32Array): void {
    const dim = this.#dim
    this.#scales.set(scales, row)
    this.#narrowFrom(row, scales)
    const some = Math.floor(DOTS_BYTES / dim)
    const staged = new Int8Array(this.#exports.memory.buffer, DOTS_AT, some * dim)
    for (let from = 0; from < scales.length; from += some) {
      const count = Math.min(some, scales.length - from)
      staged.set(quantized.subarray(from * dim, (from + count) * dim))
      const squares = this.#exports.pack(DOTS_AT, row + from, count, dim, HEADER, this.#sumsAt())
      this.#largestSquares = Math.max(this.#largestSquares, squares)
    }
  }

  /** The reference is a power of two, so that it seldom has to move; when it does, all rows do. */
  #narrowFrom(row: number, scales: Float32Array): void {
    let largest = 0
    for (let index = 0; index < scales.length; index++) largest = Math.max(largest, Math.abs(scales[index]!))
    const moves = largest > this.#reference
    if (moves) this.#reference = 2 ** Math.ceil(Math.log2(largest))
    const to = moves ? this.#capacity : row + scales.length
    const factor = this.#reference === 0 ? 0 : MAX_INT16 / this.#reference
    for (let at = moves ? 0 : row; at < to; at++) this.#narrow[at] = Math.ceil(this.#scales[at]! * factor)
  }

  scan(query: Float32Array, count: number, k: number, mask?: Uint8Array): ScanResult {
    const size = Math.min(k, MAX_SCAN_K)
    const { memory } = this.#exports
    quantizeQuery(query, this.#largestSquares, new Uint8Array(memory.buffer, 0, this.#dim))
    if (mask !== undefined) new Uint8Array(memory.buffer, this.#maskAt(), count).set(mask.subarray(0, count))
    const length = this.#exports.scan(
      0,
      SCRATCH_AT,
      HEADER,
      this.#sumsAt(),
      this.#scalesAt(),
      this.#narrowAt(),
      this.#reference,
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

  // A block is a multiple of 512 bytes, so every part starts on a multiple of 64.
  #factorsAt(): number {
    return HEADER + this.#capacity * this.#dim
  }

  #scalesAt(): number {
    return HEADER + 5 * this.#capacity * this.#dim
  }

  #narrowAt(): number {
    return this.#scalesAt() + 4 * this.#capacity
  }

  #sumsAt(): number {
    return this.#narrowAt() + 2 * this.#capacity
  }

  #maskAt(): number {
    return this.#sumsAt() + 2 * this.#capacity * Math.ceil(this.#dim / CHUNK)
  }
}
