import type { ItemAttributes } from '../item.ts'
import type { Catalogue } from './catalogue.ts'
import { topK } from './top-k.ts'

/** Says of an item's attributes whether it may be shown. Pure: equal attributes, equal answer. */
export type AttributeTest = (attributes: ItemAttributes | undefined) => boolean

const UNKNOWN = 0
const ALLOWED = 1
const REFUSED = 2

/** The part of a model a filter looks at. */
export interface FilteredModel {
  readonly items: number
  readonly delta: number
  readonly catalogue: Catalogue
}

/**
 * Which rows of a model pass a test, remembered row by row: a list asks about some hundred rows, a scan about all, and a
 * delta makes it forget those whose attributes changed.
 */
export class RowFilter {
  readonly #model: FilteredModel
  readonly #test: AttributeTest
  #states = new Uint8Array(0)
  #mask: Uint8Array | undefined
  #version: number
  readonly #orders = new Map<string, { delta: number; rows: Uint32Array }>()

  constructor(model: FilteredModel, test: AttributeTest) {
    this.#model = model
    this.#test = test
    this.#version = model.catalogue.version
  }

  /** Whether the row is in the catalogue and passes. */
  allows(row: number): boolean {
    this.#catchUp()
    return this.#evaluate(row) === ALLOWED
  }

  /** u8 a row, 1 where it is allowed; valid until the model changes. O(N) the first time, then what changed. */
  mask(): Uint8Array {
    this.#catchUp()
    const { items } = this.#model
    if (this.#mask?.length === items) return this.#mask
    const mask = new Uint8Array(items)
    for (let row = 0; row < mask.length; row++) mask[row] = this.#evaluate(row) === ALLOWED ? 1 : 0
    return (this.#mask = mask)
  }

  /**
   * Allowed rows of an order, best first.
   *
   * @param name - of the order
   * @param order - the model's best by `value`; when too few of them are allowed, all rows are looked at
   */
  allowedOf(name: string, order: Uint32Array, value: (row: number) => number, wanted: number): Uint32Array {
    const allowed = order.filter((row) => this.allows(row))
    if (allowed.length >= Math.min(wanted, this.#model.items)) return allowed
    const known = this.#orders.get(name)
    if (known?.delta === this.#model.delta) return known.rows
    const mask = this.mask()
    const scores = Float64Array.from(mask, (one, row) => (one === 1 ? value(row) : -Infinity))
    const best = topK(scores, order.length).filter((row) => mask[row] === 1)
    this.#orders.set(name, { delta: this.#model.delta, rows: best })
    return best
  }

  #evaluate(row: number): number {
    const known = this.#states[row]!
    if (known !== UNKNOWN) return known
    const { catalogue } = this.#model
    const good = !catalogue.isRemoved(row) && this.#test(catalogue.attributesOf(row))
    return (this.#states[row] = good ? ALLOWED : REFUSED)
  }

  #catchUp(): void {
    const { items, catalogue } = this.#model
    if (this.#version === catalogue.version && this.#states.length >= items) return
    if (this.#states.length < items) {
      const larger = new Uint8Array(Math.ceil(items * 1.1))
      larger.set(this.#states)
      this.#states = larger
    }
    const changed = catalogue.changedSince(this.#version)
    if (changed === undefined) this.#states.fill(UNKNOWN)
    else for (const row of changed) this.#states[row] = UNKNOWN
    this.#version = catalogue.version
    this.#mask = undefined
  }
}
