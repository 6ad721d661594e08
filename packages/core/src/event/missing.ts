import { MAX_NAME_LENGTH } from './event.ts'

/** Highest number of a tab's event. */
export const MAX_SEQ = 1_000_000_000

export interface Missing {
  /** Numbers that should have been in this batch or an earlier one, and were in none. */
  readonly missing: number
  /** Events that a batch before this one counted as missing: they came after all. */
  readonly late: number
}

/**
 * What a batch says about events that were lost, from itself alone.
 *
 * Each tab numbers its events from 1. A batch names, for each of its tabs, the highest number `after` which it comes: the
 * highest in any batch before it. The numbers between that and its own highest are its own to bring; those it does not
 * bring are missing, and one that is not above `after` was missing in an earlier batch. Summed over all batches, each
 * taken once, `missing - late` is the number of events that are in none of them, whatever the order was in which they came.
 *
 * Never throws: what is not understood is not counted.
 *
 * @param events - as they were received, those that are refused included: they are wrong, not lost
 * @param after - highest number of earlier batches by tab; a tab that is not named is counted from its own lowest
 */
export function countMissing(events: unknown, after: unknown): Missing {
  const tabs = new Map<string, Set<number>>()
  for (const event of Array.isArray(events) ? (events as unknown[]) : []) {
    const tab = own(event, 'tab')
    const seq = own(event, 'seq')
    if (typeof tab !== 'string' || tab.length > MAX_NAME_LENGTH || !isNumber(seq) || seq === 0) continue
    tabs.set(tab, (tabs.get(tab) ?? new Set()).add(seq))
  }
  let missing = 0
  let late = 0
  for (const [tab, numbers] of tabs) {
    const said = own(after, tab)
    const highest = Math.max(...numbers)
    const base = isNumber(said) ? said : Math.min(...numbers) - 1
    const balance = Math.max(0, highest - base) - numbers.size
    if (balance > 0) missing += balance
    else late -= balance
  }
  return { missing, late }
}

function own(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, name)
    ? Reflect.get(object, name)
    : undefined
}

function isNumber(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_SEQ
}
