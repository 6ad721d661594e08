import { type ItemAttributes } from '@attune/core'
import { RowFilter, type AttributeTest, type ServingModel } from '@attune/core/rank'
import {
  bindItem,
  compileExpression,
  refersToItem,
  type Expression,
  type SlotRules,
} from '@attune/core/rules'

/** Rules of a slot, as lists use them. */
export interface Slot {
  readonly rules: SlotRules
  /** The filter and the least stock, as one. */
  readonly filter: Expression | undefined
  readonly boosts: readonly {
    readonly when: Expression
    readonly add: number
    readonly test: AttributeTest | undefined
  }[]
}

/** Done once when rules are configured or read, never on a request's way. */
export function compileSlot(rules: SlotRules): Slot {
  const parts: Expression[] = []
  if (rules.filter !== undefined) parts.push(rules.filter)
  if (rules.minStock !== undefined) parts.push({ not: { attr: 'stock', lt: rules.minStock } })
  return {
    rules,
    filter: parts.length > 1 ? { all: parts } : parts[0],
    boosts: (rules.boosts ?? []).map(({ when, add }) => ({
      when,
      add,
      test: refersToItem(when) ? undefined : compileExpression(when),
    })),
  }
}

export const NO_RULES: Slot = compileSlot({})

/** What the boosts of a slot add to the score of a row; undefined when it has none. */
export function boostOf(
  slot: Slot,
  model: ServingModel,
  item: ItemAttributes | undefined,
): ((row: number) => number) | undefined {
  if (slot.boosts.length === 0) return undefined
  const boosts = slot.boosts.map(({ when, add, test }) => ({
    add,
    test: test ?? compileExpression(bindItem(when, item)),
  }))
  return (row) => {
    const attributes = model.attributesOf(row)
    let sum = 0
    for (const { add, test } of boosts) if (test(attributes)) sum += add
    return sum
  }
}

/** Filters kept for a model: those of its slots, and what requests ask again and again. */
const MAX_FILTERS = 64

/** Filters of one model by what they say, so that what they found out of its rows is found out once. */
export class Filters {
  readonly #model: ServingModel
  readonly #known = new Map<string, RowFilter>()

  constructor(model: ServingModel) {
    this.#model = model
  }

  /** @returns undefined when nothing is said */
  of(
    expressions: readonly (Expression | undefined)[],
    item: ItemAttributes | undefined,
  ): { readonly rows: RowFilter; readonly test: AttributeTest } | undefined {
    const said = expressions.filter((expression) => expression !== undefined)
    if (said.length === 0) return undefined
    const bound = said.map((one) => (refersToItem(one) ? bindItem(one, item) : one))
    const test = compileExpression(bound.length > 1 ? { all: bound } : (bound[0] as Expression))
    const key = JSON.stringify(bound)
    const known = this.#known.get(key) ?? new RowFilter(this.#model, test)
    // A map keeps the order of insertion: put back last, it is the newest.
    this.#known.delete(key)
    this.#known.set(key, known)
    if (this.#known.size > MAX_FILTERS) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest)
        break
      }
    }
    return { rows: known, test }
  }
}
