import { MAX_NAME_LENGTH } from './event.ts'

/** Highest number of a tab's event. */
export const MAX_SEQ = 1_000_000_000
/** Tabs of which one batch may say what their last number was. */
export const MAX_LAST = 100
/** No batch counts as more missing: a made-up number must not drown what was really lost. */
export const MAX_MISSING = 10_000

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
 * A tab that has ended brings no later number. Somebody else says of it what the `last` number was that it gave: the numbers up to
 * that one are its own to bring, too.
 *
 * Never throws: what is not understood is not counted.
 *
 * @param events - as they were received, those that are refused included: they are wrong, not lost
 * @param after - highest number of earlier batches by tab; a tab that is not named is counted from its own lowest
 * @param last - `{ tab, seq }` of tabs that have ended, as received; the first {@link MAX_LAST} count
 * @returns at most {@link MAX_MISSING} missing
 */
export function countMissing(events: unknown, after: unknown, last?: unknown): Missing {
  const tabs = new Map<string, Set<number>>()
  for (const { tab, seq } of numbered(events)) tabs.set(tab, (tabs.get(tab) ?? new Set()).add(seq))
  const ends = new Map<string, number>()
  for (const { tab, seq } of readLast(last)) ends.set(tab, Math.max(seq, ends.get(tab) ?? 0))
  let missing = 0
  let late = 0
  for (const tab of new Set([...tabs.keys(), ...ends.keys()])) {
    const said = own(after, tab)
    const numbers = tabs.get(tab) ?? new Set<number>()
    // Of a tab that brings nothing and is not named, nothing is known.
    const highest = Math.max(...numbers, ends.get(tab) ?? 0)
    const base = isNumber(said) ? said : Math.min(...numbers, highest + 1) - 1
    const balance = Math.max(0, highest - base) - numbers.size
    if (balance > 0) missing += balance
    else late -= balance
  }
  return { missing: Math.min(missing, MAX_MISSING), late }
}

/** Last numbers of tabs that have ended, as far as they can be understood. */
export function readLast(last: unknown): { readonly tab: string; readonly seq: number }[] {
  return numbered(Array.isArray(last) ? last.slice(0, MAX_LAST) : undefined)
}

function numbered(list: unknown): { tab: string; seq: number }[] {
  return (Array.isArray(list) ? (list as unknown[]) : []).flatMap((one) => {
    const tab = own(one, 'tab')
    const seq = own(one, 'seq')
    const good =
      typeof tab === 'string' && tab !== '' && tab.length <= MAX_NAME_LENGTH && isNumber(seq) && seq > 0
    return good ? [{ tab, seq }] : []
  })
}

function own(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, name)
    ? Reflect.get(object, name)
    : undefined
}

function isNumber(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_SEQ
}
