import { CodedError } from '../error.ts'

/** What scan.wasm exports. Hosts differ in how they make an instance, so they hand in `instantiate`. */
export interface ScanExports {
  readonly memory: { readonly buffer: ArrayBuffer | SharedArrayBuffer; grow(pages: number): number }
  scan(
    query: number,
    quantized: number,
    scales: number,
    count: number,
    dim: number,
    k: number,
    outScores: number,
    outRows: number,
  ): number
}

/** Makes a fresh instance of scan.wasm with memory of its own. */
export type InstantiateScan = () => ScanExports

/** Rows found and their approximate scores, unordered, `length` of them. Valid until the next scan. */
export interface ScanResult {
  readonly length: number
  readonly rows: Uint32Array
  readonly scores: Float32Array
}

/** The int8 factors of a catalogue and the search over them. */
export interface Scanner {
  /** [capacity, d]; a new view after {@link reserve} */
  readonly quantized: Int8Array
  /** [capacity] */
  readonly scales: Float32Array
  /** Makes room for at least so many rows, keeping what is there. */
  reserve(rows: number): void
  /**
   * The `k` rows of the first `count` with the largest `scales · (quantized · query)`. O(count·d).
   *
   * @param query - `[d]`, any length; quantised to int8 here, which moves scores by a common factor
   */
  scan(query: Float32Array, count: number, k: number): ScanResult
}

export const MAX_SCAN_K = 1_024
const PAGE = 65_536
const MAX_DIM = 2_048
const SCORES_AT = 2 * MAX_DIM
const ROWS_AT: number = SCORES_AT + 4 * MAX_SCAN_K
const HEADER: number = ROWS_AT + 4 * MAX_SCAN_K

/** Scanner on the SIMD kernel; memory O(capacity · (d + 4)). */
export class WasmScanner implements Scanner {
  quantized: Int8Array
  scales: Float32Array
  readonly #exports: ScanExports
  readonly #dim: number
  #capacity = 0

  constructor(instantiate: InstantiateScan, dim: number, capacity: number) {
    checkDim(dim)
    this.#exports = instantiate()
    this.#dim = dim
    this.quantized = new Int8Array(0)
    this.scales = new Float32Array(0)
    this.reserve(capacity)
  }

  reserve(rows: number): void {
    if (rows <= this.#capacity) return
    // Scales sit behind the factors, so growing moves them; both are copied out first because growing detaches views.
    const capacity = this.#capacity === 0 ? rows : Math.max(rows, Math.ceil(this.#capacity * 1.25))
    const scales = this.scales.slice()
    const { memory } = this.#exports
    const needed = HEADER + capacity * this.#dim + capacity * 4 + 16
    const missing = Math.ceil((needed - memory.buffer.byteLength) / PAGE)
    if (missing > 0) memory.grow(missing)
    this.#capacity = capacity
    this.quantized = new Int8Array(memory.buffer, HEADER, capacity * this.#dim)
    this.scales = new Float32Array(memory.buffer, this.#scalesAt(), capacity)
    this.scales.fill(0)
    this.scales.set(scales)
  }

  scan(query: Float32Array, count: number, k: number): ScanResult {
    const size = Math.min(k, MAX_SCAN_K)
    const { memory } = this.#exports
    quantizeQuery(query, new Int16Array(memory.buffer, 0, this.#dim))
    const length = this.#exports.scan(0, HEADER, this.#scalesAt(), count, this.#dim, size, SCORES_AT, ROWS_AT)
    return {
      length,
      rows: new Uint32Array(memory.buffer, ROWS_AT, length),
      scores: new Float32Array(memory.buffer, SCORES_AT, length),
    }
  }

  #scalesAt(): number {
    return HEADER + Math.ceil((this.#capacity * this.#dim) / 16) * 16
  }
}

/** The same search in TypeScript: for parity tests and hosts without WebAssembly. */
export class TypeScriptScanner implements Scanner {
  quantized: Int8Array
  scales: Float32Array
  readonly #dim: number

  constructor(dim: number, capacity: number) {
    checkDim(dim)
    this.#dim = dim
    this.quantized = new Int8Array(capacity * dim)
    this.scales = new Float32Array(capacity)
  }

  reserve(rows: number): void {
    if (rows <= this.scales.length) return
    const capacity = Math.max(rows, Math.ceil(this.scales.length * 1.25))
    const quantized = new Int8Array(capacity * this.#dim)
    const scales = new Float32Array(capacity)
    quantized.set(this.quantized)
    scales.set(this.scales)
    this.quantized = quantized
    this.scales = scales
  }

  scan(query: Float32Array, count: number, k: number): ScanResult {
    const dim = this.#dim
    const q = new Int16Array(dim)
    quantizeQuery(query, q)
    const scores = new Float32Array(count)
    for (let row = 0; row < count; row++) {
      let dot = 0
      for (let c = 0; c < dim; c++) dot += this.quantized[row * dim + c]! * q[c]!
      scores[row] = Math.fround(dot) * this.scales[row]!
    }
    const order = Array.from(scores, (_, row) => row).sort((a, b) => scores[b]! - scores[a]! || a - b)
    const rows = Uint32Array.from(order.slice(0, k))
    return { length: rows.length, rows, scores: Float32Array.from(rows, (row) => scores[row]!) }
  }
}

/** Query → whole numbers of 8 bits, kept as int16 for the kernel, with a common scale that no order depends on. */
function quantizeQuery(query: Float32Array, out: Int16Array): void {
  let max = 0
  for (let c = 0; c < query.length; c++) max = Math.max(max, Math.abs(query[c]!))
  const scale = max === 0 ? 0 : 127 / max
  for (let c = 0; c < query.length; c++) out[c] = Math.round(query[c]! * scale)
}

function checkDim(dim: number): void {
  if (dim % 16 !== 0 || dim < 16 || dim > MAX_DIM) {
    throw new CodedError(
      'SCAN_DIM_UNSUPPORTED',
      `factor width: expected a multiple of 16 up to ${MAX_DIM}, received ${dim}`,
    )
  }
}
