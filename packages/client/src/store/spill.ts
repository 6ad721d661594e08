import type { Numbered } from '../sequence.ts'
import { startingWith, telling, type Batch } from '../batch.ts'
import { attempt } from './attempt.ts'
import type { Pair } from './key-value.ts'

/** So many of the newest batches are kept, without their impressions: a page whose database is refused must not write a megabyte with each click. */
const MAX_SPILLED = 100

/**
 * A browser may drop an IndexedDB write that waits behind another tab's when the page ends (seen in Chromium: 5 of 420
 * clicks made right before a reload on a busy machine), and before the database is open there is nothing to write to.
 * `localStorage` writes before it returns and outlives the tab. Each page has a key of its own, which exists for the
 * milliseconds until the database has confirmed. Every access may be refused: then the database alone has to do.
 */
export interface Spill {
  /** All that the database has not confirmed. */
  _keep(pairs: Iterable<Pair>): void
  /** Keys of pages that have something there, this one aside, and of tabs that have a mark; of idle marks, too, when they are many. */
  _others(idle: boolean): string[]
  /**
   * Marks a tab's newest number until its event is here or in the database: the tab may end before. Then the mark is idle, begins
   * with 0 and stays: a storage that is full takes what is as long as what it replaces.
   */
  _number(number: Numbered): void
  /**
   * Key for the id up to which this page has written, to be put in the same transaction. A browser that is killed may bring
   * back what was in `localStorage` a minute before, when all of it had been stored long since.
   */
  readonly _mark: string
}

const keysOf = (prefix: string): string[] =>
  attempt(() => startingWith(`${prefix}:`, Object.keys(localStorage))) ?? []

/** Removes what this and other pages of the site have there. */
export function clearSpill(prefix: string): void {
  for (const key of keysOf(prefix)) delete localStorage[key]
}

export function createSpill(prefix: string, page: string, now: () => number): Spill {
  const own = `${prefix}:${page}`
  let marked = ''
  return {
    _keep: (pairs) =>
      attempt(() => {
        const spilled = [...pairs]
          .flatMap(([, value]) => {
            const batch = value as Batch | undefined
            const told = telling(batch?.events ?? [])
            return told[0] ? [{ ...batch, events: told }] : []
          })
          .slice(-MAX_SPILLED)
        if (spilled[0]) localStorage[own] = JSON.stringify([now(), spilled])
        else delete localStorage[own]
        // Last, as it throws when there is no mark.
        localStorage[marked] = localStorage[marked].replace('[', 0)
      }),
    _others: (idle) => keysOf(prefix).filter((key) => key !== own && (idle || localStorage[key] > '[')),
    _number({ tab, seq }) {
      localStorage[(marked = `${prefix}:${tab}`)] = JSON.stringify([now(), 1e9 + seq])
    },
    _mark: `w:${page}`,
  }
}
