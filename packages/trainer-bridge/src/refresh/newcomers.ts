const NOBODY: ReadonlyMap<number, number> = new Map()

/**
 * Rows that training has not placed, and what was clicked beside them, before and after: where they belong. They are
 * newer than the base, or known to its catalogue alone.
 */
export class Newcomers {
  readonly #known: number
  readonly #unclicked: ReadonlySet<number>
  readonly #around = new Map<number, Map<number, number>>()

  /**
   * @param factors - of the base, `[N, d]`; zero where nobody has clicked an item
   * @param pairs - live pairs of a checkpoint, flat: source, target, units
   */
  constructor(
    { factors, dim }: { readonly factors: Float32Array; readonly dim: number },
    pairs?: Float64Array,
  ) {
    this.#known = factors.length / dim
    const unclicked = new Set<number>()
    for (let row = 0; row < this.#known; row++) {
      if (factors.subarray(row * dim, (row + 1) * dim).every((value) => value === 0)) unclicked.add(row)
    }
    this.#unclicked = unclicked
    if (pairs === undefined) return
    for (let at = 0; at < pairs.length; at += 3) this.note(pairs[at]!, pairs[at + 1]!, pairs[at + 2]!)
  }

  has(row: number): boolean {
    return row >= this.#known || this.#unclicked.has(row)
  }

  /** Counts a pair, or takes it back. @returns which of its rows are new */
  note(source: number, target: number, units: number): number[] {
    this.#add(source, target, units)
    this.#add(target, source, units)
    return [source, target].filter((row) => this.has(row))
  }

  /** Row → how often beside this one, in units. */
  around(row: number): ReadonlyMap<number, number> {
    return this.#around.get(row) ?? NOBODY
  }

  #add(row: number, neighbour: number, units: number): void {
    if (!this.has(row)) return
    let around = this.#around.get(row)
    if (around === undefined) this.#around.set(row, (around = new Map<number, number>()))
    const total = (around.get(neighbour) ?? 0) + units
    if (total === 0) around.delete(neighbour)
    else around.set(neighbour, total)
  }
}
