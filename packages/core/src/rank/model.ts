import { ArtifactError } from '../artifact/errors.ts'
import { describe } from '../error.ts'
import {
  NO_ITEM,
  readDelta,
  type DeltaContent,
  type TogetherRows,
  type DeltaHeader,
} from '../artifact/delta.ts'
import type { Manifest } from '../artifact/manifest.ts'
import { quantizeRows } from '../artifact/quantize.ts'
import type { ModelData, TogetherTable } from '../artifact/read.ts'
import type { ItemAttributes } from '../item.ts'
import { Catalogue } from './catalogue.ts'
import { CONTEXT_NAMES, FEATURE_NAMES } from './features.ts'
import type { Scanner } from './scan.ts'
import { topK } from './top-k.ts'
import { readWeights, type StandardWeights } from './weights.ts'

/** How many popular items are kept in order for lists that know nothing of the visitor. */
const POPULAR_KEPT = 500
/** Of the second count in an order by the first: rows without the first come last, in order of the second. */
const TIE_BREAK = 1e-3
const MIN_SPARE_ROWS = 256

/**
 * One epoch and the deltas applied to it, as ranking reads it. Rows are only ever appended, and `delta` goes up with
 * every change: who computes across an `await` compares it before and after.
 */
export class ServingModel {
  readonly manifest: Manifest
  readonly dim: number
  readonly neighbours: number
  readonly weights: StandardWeights | undefined
  readonly scanner: Scanner
  readonly catalogue: Catalogue = new Catalogue()
  /** Rows in use, N. */
  items: number
  delta = 0
  /** Session token up to which clicks are contained. */
  through: string | null = null
  /** [N] and more: capacity grows */
  ids: string[]
  srItems: Uint32Array
  srScores: Uint8Array
  srScales: Float32Array
  srSums: Float32Array
  popularity: Float32Array
  trend: Float32Array
  /** What was bought with what; undefined when the trainer keeps no such table. */
  together: TogetherTable | undefined
  readonly #rowOf: Map<string, number>
  #popular: Uint32Array | undefined
  #trending: Uint32Array | undefined
  #newest: Uint32Array | undefined

  /**
   * Takes the arrays of `data` over; their content changes with deltas.
   *
   * @param makeScanner - makes a scanner of this width and capacity
   * @throws {ArtifactError} `ARTIFACT_FEATURE_UNKNOWN`, `ARTIFACT_SHAPE_MISMATCH`
   */
  constructor(manifest: Manifest, data: ModelData, makeScanner: (dim: number, capacity: number) => Scanner) {
    checkNames('features', manifest.features, FEATURE_NAMES)
    checkNames('context', manifest.context, CONTEXT_NAMES)
    this.manifest = manifest
    this.dim = manifest.dim
    this.neighbours = manifest.neighbours
    this.items = manifest.items
    this.weights = data.weights && readWeights(data.weights, manifest.dim, manifest.historyLength)
    this.ids = [...data.ids]
    this.#rowOf = new Map(data.ids.map((id, row) => [id, row]))
    this.srItems = data.srItems
    this.srScores = data.srScores
    this.srScales = data.srScales
    this.srSums = data.srSums
    this.popularity = data.popularity
    this.trend = data.trend
    this.together = data.together
    this.scanner = makeScanner(manifest.dim, manifest.items + Math.max(MIN_SPARE_ROWS, manifest.items >> 6))
    this.scanner.factors.set(data.factors)
    this.scanner.write(0, data.quantized, data.scales)
    for (const [id, attributes] of data.attributes ?? []) this.#setAttributes(id, attributes)
  }

  get epoch(): number {
    return this.manifest.epoch
  }

  /** [N, d] and more, rows of unit length; another view once items are appended */
  get factors(): Float32Array {
    return this.scanner.factors
  }

  /** Row of an item; undefined when the model has not met it. */
  rowOf(id: string): number | undefined {
    return this.#rowOf.get(id)
  }

  /** What the catalogue says of an item; undefined when it says nothing, or has deleted it. */
  attributesOf(row: number): ItemAttributes | undefined {
    return this.catalogue.attributesOf(row)
  }

  /** Whether the item was deleted from the catalogue: it is in no list until it comes back. */
  isRemoved(row: number): boolean {
    return this.catalogue.isRemoved(row)
  }

  /** Rows by decayed count, best first, at most 500. */
  get popular(): Uint32Array {
    return (this.#popular ??= this.#order((row) => this.popularity[row]! + TIE_BREAK * this.trend[row]!))
  }

  /** Rows by count of the newest time, best first, at most 500. */
  get trending(): Uint32Array {
    return (this.#trending ??= this.#order((row) => this.trend[row]! + TIE_BREAK * this.popularity[row]!))
  }

  /**
   * Rows by when they came into the catalogue, newest first, at most 500. Those it says nothing of come after, newest
   * row first: rows are numbered in the order in which items were first seen.
   */
  get newest(): Uint32Array {
    return (this.#newest ??= this.#order((row) => this.catalogue.addedAt(row) ?? row - this.items))
  }

  /**
   * Applies the next delta, all of it or nothing, in one turn of the event loop. One that has been applied is ignored.
   *
   * @returns false when it had been applied before
   * @throws {ArtifactError} `DELTA_EPOCH_MISMATCH`, `DELTA_GAP`, `ARTIFACT_MALFORMED`, `ARTIFACT_SHAPE_MISMATCH`
   */
  apply(header: DeltaHeader, tensors: Uint8Array): boolean {
    if (header.epoch === this.epoch && header.delta <= this.delta) return false
    const content = this.check(header, tensors)
    const attributes = Object.entries(header.attributes ?? {})
    this.#append(header.items)
    this.#write(content)
    for (const [id, value] of attributes) this.#setAttributes(id, value)
    if (content.popularity !== undefined || attributes.length + header.items.length > 0) this.#forgetOrders()
    this.delta = header.delta
    if (header.through !== null) this.through = header.through
    return true
  }

  /**
   * Everything {@link apply} checks, nothing changed: a log that took a delta which cannot be applied would stop every
   * edge that reads it.
   *
   * @throws {ArtifactError} as `apply`
   */
  check(header: DeltaHeader, tensors: Uint8Array): DeltaContent {
    if (header.epoch !== this.epoch) {
      throw new ArtifactError(
        'DELTA_EPOCH_MISMATCH',
        `delta: expected epoch ${this.epoch}, received ${header.epoch}`,
      )
    }
    if (header.delta !== this.delta + 1) {
      throw new ArtifactError('DELTA_GAP', `delta: expected ${this.delta + 1}, received ${header.delta}`)
    }
    const known = header.items.find((id) => this.#rowOf.has(id))
    const added = new Set(header.items)
    if (known !== undefined || added.size !== header.items.length) {
      throw new ArtifactError(
        'ARTIFACT_MALFORMED',
        `delta: ${known === undefined ? 'an item twice' : `item ${known} is not new`}`,
      )
    }
    for (const [id, value] of Object.entries(header.attributes ?? {})) {
      if (value === null || this.#rowOf.has(id) || added.has(id)) continue
      throw new ArtifactError(
        'ARTIFACT_MALFORMED',
        `delta.attributes: ${describe(id)} is no item of the model, nor one of delta.items`,
      )
    }
    return readDelta(tensors, {
      items: this.items + header.items.length,
      dim: this.dim,
      neighbours: this.neighbours,
      ...(this.together && { together: this.together.width }),
    })
  }

  #append(ids: readonly string[]): void {
    const items = this.items + ids.length
    if (items > this.popularity.length) {
      const capacity = Math.max(items, Math.ceil(this.popularity.length * 1.1) + MIN_SPARE_ROWS)
      this.srItems = grown(this.srItems, capacity * this.neighbours)
      this.srScores = grown(this.srScores, capacity * this.neighbours)
      this.srScales = grown(this.srScales, capacity)
      this.srSums = grown(this.srSums, capacity)
      this.popularity = grown(this.popularity, capacity)
      this.trend = grown(this.trend, capacity)
      if (this.together !== undefined) this.together = grownTable(this.together, capacity)
    }
    this.scanner.reserve(items)
    for (const id of ids) {
      const row = this.items++
      this.ids[row] = id
      this.#rowOf.set(id, row)
      this.srItems.fill(NO_ITEM, row * this.neighbours, (row + 1) * this.neighbours)
      this.together?.items.fill(NO_ITEM, row * this.together.width, (row + 1) * this.together.width)
    }
  }

  #write({ factors, neighbours, popularity, together }: DeltaContent): void {
    const { dim, neighbours: k } = this
    const one = { quantized: new Int8Array(dim), scales: new Float32Array(1) }
    factors?.rows.forEach((row, index) => {
      const values = factors.factors.subarray(index * dim, (index + 1) * dim)
      this.factors.set(values, row * dim)
      quantizeRows(values, dim, one)
      this.scanner.write(row, one.quantized, one.scales)
    })
    neighbours?.rows.forEach((row, index) => {
      this.srItems.set(neighbours.items.subarray(index * k, (index + 1) * k), row * k)
      this.srScores.set(neighbours.scores.subarray(index * k, (index + 1) * k), row * k)
      this.srScales[row] = neighbours.scales[index]!
      this.srSums[row] = neighbours.sums[index]!
    })
    popularity?.rows.forEach((row, index) => {
      this.popularity[row] = popularity.popularity[index]!
      this.trend[row] = popularity.trend[index]!
    })
    if (together !== undefined) this.#writeTogether(together)
  }

  /** The first rows for a model without the table make it. */
  #writeTogether({ rows, items, scores, scales, width }: TogetherRows): void {
    const table = (this.together ??= emptyTable(width, this.popularity.length))
    rows.forEach((row, index) => {
      table.items.set(items.subarray(index * width, (index + 1) * width), row * width)
      table.scores.set(scores.subarray(index * width, (index + 1) * width), row * width)
      table.scales[row] = scales[index]!
    })
  }

  #forgetOrders(): void {
    this.#popular = undefined
    this.#trending = undefined
    this.#newest = undefined
  }

  #setAttributes(id: string, attributes: ItemAttributes | null): void {
    const row = this.#rowOf.get(id)
    // Deleted before anybody clicked it: there is nothing to take out of lists.
    if (row !== undefined) this.catalogue.set(row, attributes)
  }

  /** Rows that are in the catalogue, largest value first. */
  #order(value: (row: number) => number): Uint32Array {
    const { removed } = this.catalogue
    const scores = new Float64Array(this.items)
    for (let row = 0; row < this.items; row++) scores[row] = removed.has(row) ? -Infinity : value(row)
    return topK(scores, Math.min(POPULAR_KEPT, this.items - removed.size))
  }
}

function grown<T extends Float32Array | Uint32Array | Uint8Array>(array: T, length: number): T {
  const larger = new (array.constructor as new (length: number) => T)(length)
  larger.set(array)
  return larger
}

function emptyTable(width: number, capacity: number): TogetherTable {
  return {
    width,
    items: new Uint32Array(width * capacity).fill(NO_ITEM),
    scores: new Uint8Array(width * capacity),
    scales: new Float32Array(capacity),
  }
}

function grownTable({ width, items, scores, scales }: TogetherTable, capacity: number): TogetherTable {
  return {
    width,
    items: grown(items, capacity * width),
    scores: grown(scores, capacity * width),
    scales: grown(scales, capacity),
  }
}

function checkNames(what: string, received: readonly string[], known: readonly string[]): void {
  if (received.join() === known.join()) return
  const odd = received.find((name) => !known.includes(name))
  throw new ArtifactError(
    'ARTIFACT_FEATURE_UNKNOWN',
    `manifest.${what}: expected ${known.join(', ')}; received ${odd ?? received.join(', ')}`,
  )
}
