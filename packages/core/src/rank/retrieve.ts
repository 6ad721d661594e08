import { NO_ITEM } from '../artifact/delta.ts'
import { NEIGHBOUR_STEPS, type HistoryRows } from './features.ts'
import type { RowFilter } from './filter.ts'
import type { ServingModel } from './model.ts'
import { topK } from './top-k.ts'

export const MAX_RETRIEVED = 600
/** Rows the int8 scan hands to exact rescoring above those kept: enough that rounding loses none. */
const RESCORED_ABOVE = 56

/** How wide retrieval looks. */
export interface RetrievalPlan {
  /** Neighbours taken of each of the last steps, newest first. */
  readonly neighbours: readonly number[]
  /** The catalogue is scanned when there are fewer neighbours than this. */
  readonly enough: number
  /** Rows kept of the scan after exact rescoring. */
  readonly scanned: number
  /** Popular rows added, so that a short history still has something to choose from. */
  readonly popular: number
}

/** Everything there is: what the ranker is trained on. */
export const WIDE_PLAN: RetrievalPlan = {
  neighbours: Array.from({ length: NEIGHBOUR_STEPS }, () => Infinity),
  enough: Infinity,
  scanned: 200,
  popular: 50,
}

/** Lists up to this long are chosen from the fewest candidates. */
const NARROW_LIST = 40
const MAX_SCANNED = 500

/**
 * What serving looks at for a list of k: as little as gives the same lists. Chosen on visits held out of training:
 * docs/decisions/0012-neighbours-before-the-scan.md.
 *
 * @param excluded - how many rows are taken out again
 */
export function planFor(k: number, excluded = 0): RetrievalPlan {
  const times = Math.max(1, (k + excluded) / NARROW_LIST)
  return {
    neighbours: [100, 60, 40, 30, 20].map((count) => Math.ceil(count * times)),
    enough: Math.ceil(100 * times),
    scanned: Math.min(MAX_SCANNED, Math.ceil(50 * times)),
    popular: Math.ceil(20 * times),
  }
}
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
 * Candidates for a history out of the whole catalogue: the visit's own items, neighbours of the last steps, popular
 * items, and where there are few neighbours the best of a scan of all factors. At most 600 rows.
 *
 * @param query - `[d]`, unit length
 * @param into - emptied and with banned rows set by the caller
 */
export function retrieve(
  model: ServingModel,
  history: HistoryRows,
  query: Float32Array,
  into: CandidateSet,
  plan: RetrievalPlan = WIDE_PLAN,
  filter?: RowFilter,
): void {
  const { neighbours: k, srItems, popular } = model
  const steps = history.rows
  const allows = allowedRows(model, filter)
  for (let step = steps.length - 1; step >= history.visitStart; step--) {
    const row = steps[step]!
    if (allows(row)) into.add(row)
  }
  const own = into.size
  for (let back = 0; back < NEIGHBOUR_STEPS && back < steps.length; back++) {
    const from = steps[steps.length - 1 - back]! * k
    const to = from + Math.min(k, plan.neighbours[back] ?? 0)
    for (let slot = from; slot < to && into.size < MAX_RETRIEVED; slot++) {
      const row = srItems[slot]!
      if (row === NO_ITEM) break
      if (allows(row)) into.add(row)
    }
  }
  if (into.size - own < plan.enough) {
    for (const row of nearest(model, query, plan.scanned, filter)) {
      if (into.size >= MAX_RETRIEVED) break
      if (allows(row)) into.add(row)
    }
  }
  const count = (row: number): number => model.popularity[row]!
  const order = filter?.allowedOf('popular', popular, count, plan.popular) ?? popular
  for (let place = 0; place < plan.popular && place < order.length && into.size < MAX_RETRIEVED; place++) {
    if (allows(order[place]!)) into.add(order[place]!)
  }
}

const everyRow = (): boolean => true

/** Which rows a list may hold: those a filter allows, without one those that were not deleted. */
export function allowedRows(model: ServingModel, filter: RowFilter | undefined): (row: number) => boolean {
  if (filter !== undefined) return (row) => filter.allows(row)
  return model.catalogue.removed.size === 0 ? everyRow : (row) => !model.isRemoved(row)
}

/** Rows with the largest inner product with the query: int8 scan, then exact scores. Best first, at most `kept`. */
export function nearest(
  model: ServingModel,
  query: Float32Array,
  kept: number = WIDE_PLAN.scanned,
  filter?: RowFilter,
): Uint32Array {
  const { scanner } = model
  // In order of rows: neighbours in memory, and ties of equal scores go to the smaller row.
  const rows = scanner
    .scan(query, model.items, kept + RESCORED_ABOVE, filter?.mask())
    .rows.slice()
    .sort()
  return topK(scanner.dots(rows, query), kept).map((place) => rows[place]!)
}
