import { dotRows } from './matrix.ts'
import {
  checkDim,
  CHUNK,
  countVectors,
  quantizeQuery,
  QUERY_ZERO,
  type Scanner,
  type ScanResult,
} from './scan.ts'

/** The search of {@link WasmScanner} in TypeScript: for parity tests and hosts without WebAssembly. */
export class TypeScriptScanner implements Scanner {
  factors: Float32Array
  readonly #dim: number
  #quantized: Int8Array
  #scales: Float32Array
  #largestSquares = 0

  constructor(dim: number, capacity: number) {
    checkDim(dim)
    this.#dim = dim
    this.factors = new Float32Array(capacity * dim)
    this.#quantized = new Int8Array(capacity * dim)
    this.#scales = new Float32Array(capacity)
  }

  reserve(rows: number): void {
    if (rows <= this.#scales.length) return
    const capacity = Math.max(rows, Math.ceil(this.#scales.length * 1.25))
    const quantized = new Int8Array(capacity * this.#dim)
    const scales = new Float32Array(capacity)
    const factors = new Float32Array(capacity * this.#dim)
    quantized.set(this.#quantized)
    scales.set(this.#scales)
    factors.set(this.factors)
    this.#quantized = quantized
    this.#scales = scales
    this.factors = factors
  }

  write(row: number, quantized: Int8Array, scales: Float32Array): void {
    const dim = this.#dim
    this.#quantized.set(quantized, row * dim)
    this.#scales.set(scales, row)
    for (let from = 0; from < quantized.length; from += dim) {
      for (let c = 0; c < dim; c += CHUNK) {
        let squares = 0
        for (let at = from + c; at < from + Math.min(c + CHUNK, dim); at++)
          squares += quantized[at]! * quantized[at]!
        this.#largestSquares = Math.max(this.#largestSquares, squares)
      }
    }
  }

  scan(query: Float32Array, count: number, k: number, mask?: Uint8Array): ScanResult {
    const dim = this.#dim
    const q = new Uint8Array(dim)
    quantizeQuery(query, this.#largestSquares, q)
    const scores = new Float32Array(count)
    for (let row = 0; row < count; row++) {
      let dot = 0
      for (let c = 0; c < dim; c++) dot += this.#quantized[row * dim + c]! * (q[c]! - QUERY_ZERO)
      scores[row] = Math.fround(dot) * this.#scales[row]!
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
