import type { Seen } from '../sequence.ts'
import type { Kept } from './kept.ts'

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
  _known(): Facts
  _read(): Promise<Facts>
  /** Reads and writes in one step. */
  _update(change: (facts: Facts) => Facts): Promise<Facts>
}

export function createFactKeeper(kept: Kept): FactKeeper {
  let known: Facts = {}
  const note = (found: unknown): Facts => (known = (found ?? {}) as Facts)
  return {
    _known: () => known,
    _read: async () => note(await kept._get('facts')),
    _update: async (change) => note(await kept._update('facts', (found) => change((found ?? {}) as Facts))),
  }
}
