import type { Seen } from '../sequence.ts'
import type { Kept } from './kept.ts'
import type { Pair } from './key-value.ts'

/** What all tabs know of their visitor. */
export interface Facts {
  /** The handle. */
  readonly visitor?: string | undefined
  /** The newest session token. */
  readonly session?: string | undefined
  /** Nothing is to be sent before; milliseconds since 1970. */
  readonly after?: number | undefined
  readonly seen?: Seen | undefined
}

export interface FactKeeper {
  /** As far as this page knows, without asking anybody. */
  readonly _known: Facts
  /** What the store has been found to hold. */
  _note(all: ReadonlyMap<string, unknown>): Facts
  /** Changes them with what is found: what is to be written. */
  _change(all: ReadonlyMap<string, unknown>, change: (facts: Facts) => Facts): Pair
  /** Reads and writes in one step. */
  _update(change: (facts: Facts) => Facts): Promise<void>
}

export function createFactKeeper(kept: Kept): FactKeeper {
  const keeper: { -readonly [Key in keyof FactKeeper]: FactKeeper[Key] } = {
    _known: {},
    _note: (all) => (keeper._known = (all.get('facts') ?? {}) as Facts),
    _change: (all, change) => ['facts', (keeper._known = change(keeper._note(all)))],
    _update: (change) => kept._update((all) => [keeper._change(all, change)]),
  }
  return keeper
}
