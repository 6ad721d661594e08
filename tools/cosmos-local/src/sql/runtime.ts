import type { Value } from './values.ts'

/** What an evaluation carries: parameters, bound aliases and aggregate results by slot, the time of the query. */
export interface Runtime {
  readonly parameters: ReadonlyMap<string, Value>
  readonly slots: Value[]
  readonly nowMs: number
}

export type Evaluate = (runtime: Runtime) => Value

/** Aliases in scope, each with its slot. */
export class Scope {
  readonly #names = new Map<string, number>()
  readonly #outer: Scope | undefined
  readonly allocate: () => number

  constructor(outer: Scope | undefined, allocate: () => number) {
    this.#outer = outer
    this.allocate = allocate
  }

  bind(name: string): number {
    const slot = this.allocate()
    this.#names.set(name, slot)
    return slot
  }

  bindTo(name: string, slot: number): void {
    this.#names.set(name, slot)
  }

  find(name: string): number | undefined {
    return this.#names.get(name) ?? this.#outer?.find(name)
  }
}
