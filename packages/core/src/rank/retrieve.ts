import { NO_ITEM } from '../artifact/delta.ts'
import { NEIGHBOUR_STEPS, type HistoryRows } from './features.ts'
import type { ServingModel } from './model.ts'
import { topK } from './top-k.ts'

/** Rows kept of the scan after exact rescoring. */
export const SCAN_KEPT = 200
/** Rows the int8 scan hands to exact rescoring: enough above what is kept that rounding loses none. */
export const SCAN_RESCORED = 256
/** Popular rows added so that a short history still has something to choose from. */
export const POPULAR_ADDED = 50
export const MAX_RETRIEVED = 600
/** Buffers kept for the next requests: two each, for some requests at once. */
const MAX_FREE = 8

/**
 * Set of candidate rows that answers "which place has this row" in O(1) and is emptied in O(1).
 * One per model and host thread: use it within one turn of the event loop.
 */
export class CandidateSet {
  #places = new Int32Array(0)
  #stamps = new Uint32Array(0)
  #stamp = 0
  #rows = new Uint32Array(MAX_RETRIEVED)
  #size = 0
  readonly #free: Float32Array[] = []

  /** Empties the set for a model of `items` rows. */
  reset(items: number): void {
    if (items > this.#stamps.length) {
      const capacity = Math.ceil(items * 1.1)
      this.#places = new Int32Array(capacity)
      this.#stamps = new Uint32Array(capacity)
      this.#stamp = 0
    }
    if (this.#stamp === 0xffff_ffff) {
      this.#stamps.fill(0)
      this.#stamp = 0
    }
    this.#stamp++
    this.#size = 0
  }

  /** Adds a row unless it is there. */
  add(row: number): void {
    if (this.#stamps[row] === this.#stamp) return
    if (this.#size === this.#rows.length) {
      const larger = new Uint32Array(this.#rows.length * 2)
      larger.set(this.#rows)
      this.#rows = larger
    }
    this.#stamps[row] = this.#stamp
    this.#places[row] = this.#size
    this.#rows[this.#size++] = row
  }

  /** Forbids a row: adding it later does nothing. Only before anything is added. */
  ban(row: number): void {
    this.#stamps[row] = this.#stamp
    this.#places[row] = -1
  }

  /**
   * `length` floats of any content, out of those given back where they suffice: 100 KB of garbage a request would
   * otherwise make up most of a server's memory.
   */
  borrow(length: number): Float32Array {
    const at = this.#free.findIndex((buffer) => buffer.length >= length)
    const [found] = at < 0 ? [] : this.#free.splice(at, 1)
    return (found ?? new Float32Array(length)).subarray(0, length)
  }

  /** Takes borrowed floats back; nobody may use them from now on. */
  giveBack(floats: Float32Array): void {
    if (this.#free.length < MAX_FREE) this.#free.push(new Float32Array(floats.buffer as ArrayBuffer))
  }

  readonly placeOf = (row: number): number => (this.#stamps[row] === this.#stamp ? this.#places[row]! : -1)

  get size(): number {
    return this.#size
  }

  /** The rows in the order added; a view, valid until the next `add` or `reset`. */
  get rows(): Uint32Array {
    return this.#rows.subarray(0, this.#size)
  }
}

/**
 * Candidates for a history out of the whole catalogue: the visit's own items, neighbours of the last steps, the best of
 * the scan after exact rescoring, popular items. At most 600 rows.
 *
 * @param query - `[d]`, unit length
 * @param into - emptied and with banned rows set by the caller
 */
export function retrieve(
  model: ServingModel,
  history: HistoryRows,
  query: Float32Array,
  into: CandidateSet,
): void {
  const { neighbours: k, srItems } = model
  const steps = history.rows
  for (let step = steps.length - 1; step >= history.visitStart; step--) into.add(steps[step]!)
  for (const row of nearest(model, query)) into.add(row)
  for (let back = 0; back < NEIGHBOUR_STEPS && back < steps.length; back++) {
    const source = steps[steps.length - 1 - back]!
    for (let slot = source * k; slot < (source + 1) * k && into.size < MAX_RETRIEVED; slot++) {
      const row = srItems[slot]!
      if (row === NO_ITEM) break
      into.add(row)
    }
  }
  const popular = model.popular
  for (let place = 0; place < POPULAR_ADDED && place < popular.length && into.size < MAX_RETRIEVED; place++) {
    into.add(popular[place]!)
  }
}

/** Rows with the largest inner product with the query: int8 scan, then exact scores. Best first, at most 200. */
export function nearest(model: ServingModel, query: Float32Array): Uint32Array {
  const { scanner } = model
  // In order of rows: neighbours in memory, and ties of equal scores go to the smaller row.
  const rows = scanner.scan(query, model.items, SCAN_RESCORED).rows.slice().sort()
  return topK(scanner.dots(rows, query), SCAN_KEPT).map((place) => rows[place]!)
}
