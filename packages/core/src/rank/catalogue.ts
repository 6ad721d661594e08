import type { ItemAttributes } from '../item.ts'

/** Changes remembered one by one; who has missed more looks at everything again. */
const MAX_REMEMBERED = 10_000

/** What the catalogue says of a model's rows, and which rows were deleted from it. */
export class Catalogue {
  readonly #attributes = new Map<number, ItemAttributes>()
  readonly #removed = new Set<number>()
  #changes: number[] = []
  #forgotten = 0

  /** Goes up with every row that changes: what is derived from attributes can tell whether it still holds. */
  get version(): number {
    return this.#forgotten + this.#changes.length
  }

  /** Rows set since `version`, some perhaps twice; undefined when that is too long ago to tell. */
  changedSince(version: number): readonly number[] | undefined {
    return version < this.#forgotten ? undefined : this.#changes.slice(version - this.#forgotten)
  }

  /** @param attributes - null: deleted */
  set(row: number, attributes: ItemAttributes | null): void {
    if (attributes === null) {
      this.#attributes.delete(row)
      this.#removed.add(row)
    } else {
      this.#attributes.set(row, attributes)
      this.#removed.delete(row)
    }
    this.#changes.push(row)
    if (this.#changes.length > MAX_REMEMBERED) {
      this.#forgotten += this.#changes.length
      this.#changes = []
    }
  }

  attributesOf(row: number): ItemAttributes | undefined {
    return this.#attributes.get(row)
  }

  /** Whether the item was deleted and has not come back. */
  isRemoved(row: number): boolean {
    return this.#removed.has(row)
  }

  /** Rows deleted and not come back. */
  get removed(): ReadonlySet<number> {
    return this.#removed
  }

  /** When the item came into the catalogue, milliseconds since 1970; undefined when it does not say. */
  addedAt(row: number): number | undefined {
    const added = this.#attributes.get(row)?.['added']
    return typeof added === 'number' ? added : undefined
  }
}
