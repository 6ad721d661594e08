const NOBODY: ReadonlyMap<number, number> = new Map()

/** What was clicked beside rows that are newer than the base, before them and after them: where they belong. */
export class Newcomers {
  readonly #known: number
  readonly #around = new Map<number, Map<number, number>>()

  /**
   * @param known - rows the base has
   * @param pairs - live pairs of a checkpoint, flat: source, target, units
   */
  constructor(known: number, pairs?: Float64Array) {
    this.#known = known
    if (pairs === undefined) return
    for (let at = 0; at < pairs.length; at += 3) this.note(pairs[at]!, pairs[at + 1]!, pairs[at + 2]!)
  }

  /** Counts a pair, or takes it back. @returns which of its rows are new */
  note(source: number, target: number, units: number): number[] {
    this.#add(source, target, units)
    this.#add(target, source, units)
    return [source, target].filter((row) => row >= this.#known)
  }

  /** Row → how often beside this one, in units. */
  around(row: number): ReadonlyMap<number, number> {
    return this.#around.get(row) ?? NOBODY
  }

  #add(row: number, neighbour: number, units: number): void {
    if (row < this.#known) return
    let around = this.#around.get(row)
    if (around === undefined) this.#around.set(row, (around = new Map<number, number>()))
    const total = (around.get(neighbour) ?? 0) + units
    if (total === 0) around.delete(neighbour)
    else around.set(neighbour, total)
  }
}
