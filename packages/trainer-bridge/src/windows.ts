import {
  HISTORY_KINDS,
  toHistory,
  VISIT_GAP_MS,
  type BatchDocument,
  type HistoryItem,
  type TrackedEvent,
} from '@attune/core'
import { tellBaskets } from './baskets.ts'

/** What counts need of a stored batch. */
export type StoredBatch = Pick<BatchDocument, 'id' | 'visitor' | 'received' | 'events'>

/** Pairs of one visit further apart than this are not counted. */
export const MAX_PAIR_DISTANCE = 10
/** 1/distance as a whole number: least common multiple of 1 … 10, so that sums are exact and can be taken back. */
export const UNITS_PER_PAIR = 2_520
/** Steps an example's history has at most: the encoder sees no more. */
const EXAMPLE_STEPS = 16
/** A visitor whose batches arrive further apart than this starts anew: late events do not reopen older visits. */
export const RETAIN_MS: number = 60 * 60_000
/**
 * Memory is freed this long after the newest batch, twice {@link RETAIN_MS}: between the two, the rule above already
 * gives the same counts with and without the visitor in memory, so edges' clocks may disagree by the difference.
 */
const FORGET_MS: number = 2 * RETAIN_MS
/** A visitor with more events than this keeps the newest half; pairs across the cut are further apart than 10. */
const MAX_RETAINED_EVENTS = 256
/** Swept after this much time of the feed. */
const SWEEP_EVERY_MS = 60_000

/** Takes what a batch changed. Every step and pair is told once; `sign` −1 takes an earlier one back. */
export interface CountSink {
  step(item: string, sign: 1 | -1): void
  /** @param units - {@link UNITS_PER_PAIR} / distance */
  pair(source: string, target: string, units: number, sign: 1 | -1): void
  /** Visits more (negative: fewer) that have both in their basket; two different items, told once. */
  together?(one: string, other: string, visits: number): void
  /** A step with the steps of the same visit before it, oldest first; not taken back. */
  example?(history: readonly HistoryItem[], target: HistoryItem): void
}

interface Visitor {
  received: number
  batches: string[]
  events: TrackedEvent[]
  steps: HistoryItem[]
}

/** Open visits as plain data, for the checkpoint. */
export interface WindowsState {
  readonly newest: number
  readonly swept: number
  readonly visitors: readonly (readonly [
    visitor: string,
    received: number,
    batches: readonly string[],
    events: readonly TrackedEvent[],
  ])[]
}

/**
 * Batches of the change feed → steps, pairs, baskets and training examples of visits (gaps of 30 minutes, core's `toHistory`).
 *
 * Depends only on the order of batches of one visitor, which the feed keeps, never on the wall clock or on how visitors
 * interleave: a recount gives the same numbers. An event that comes late, within the hour, is put in its place, and what
 * its neighbours had counted is taken back. A batch or event told twice changes nothing.
 *
 * O(steps of the visitor + changed steps · 10) a batch; memory O(visitors of the last two hours).
 */
export class Windows {
  readonly #visitors = new Map<string, Visitor>()
  #newest = 0
  #swept = 0

  /** Visitors in memory. */
  get size(): number {
    return this.#visitors.size
  }

  /** @returns false when the batch had been applied before */
  apply(batch: StoredBatch, sink: CountSink): boolean {
    const visitor = this.#visitor(batch)
    if (visitor.batches.includes(batch.id)) return false
    visitor.batches.push(batch.id)
    const known = new Set(visitor.events.map(({ id }) => id))
    for (const event of batch.events) {
      if (known.has(event.id) || !makesStep(event)) continue
      known.add(event.id)
      // A clock ahead of the edge's would stretch visits.
      visitor.events.push(slim(event, Math.min(event.at, batch.received)))
    }
    const before = visitor.steps
    const after = toHistory(visitor.events, Number.MAX_SAFE_INTEGER)
    let same = 0
    while (same < before.length && same < after.length && isSame(before[same], after[same])) same++
    tell(before, same, -1, sink)
    tell(after, same, 1, sink)
    if (sink.together !== undefined)
      tellBaskets(before, after, (one, other, visits) => sink.together?.(one, other, visits))
    visitor.steps = after
    if (visitor.events.length > MAX_RETAINED_EVENTS) shorten(visitor)
    this.#sweep(batch.received)
    return true
  }

  state(): WindowsState {
    return {
      newest: this.#newest,
      swept: this.#swept,
      visitors: [...this.#visitors].map(([id, { received, batches, events }]) => [
        id,
        received,
        batches,
        events,
      ]),
    }
  }

  static from(state: WindowsState): Windows {
    const windows = new Windows()
    windows.#newest = state.newest
    windows.#swept = state.swept
    for (const [id, received, batches, events] of state.visitors) {
      const steps = toHistory(events, Number.MAX_SAFE_INTEGER)
      windows.#visitors.set(id, { received, batches: [...batches], events: [...events], steps })
    }
    return windows
  }

  #visitor({ visitor: id, received }: StoredBatch): Visitor {
    const known = this.#visitors.get(id)
    if (known !== undefined && received - known.received <= RETAIN_MS) {
      known.received = Math.max(known.received, received)
      return known
    }
    const fresh = { received, batches: [], events: [], steps: [] }
    this.#visitors.set(id, fresh)
    return fresh
  }

  #sweep(received: number): void {
    this.#newest = Math.max(this.#newest, received)
    if (this.#newest - this.#swept < SWEEP_EVERY_MS) return
    this.#swept = this.#newest
    for (const [id, visitor] of this.#visitors) {
      if (this.#newest - visitor.received > FORGET_MS) this.#visitors.delete(id)
    }
  }
}

/** Impressions and searches change no count; kept, they would crowd out the clicks. */
function makesStep({ kind, item }: TrackedEvent): boolean {
  return (
    item !== undefined && (kind.startsWith('custom:') || (HISTORY_KINDS as readonly string[]).includes(kind))
  )
}

/** Only what histories need is kept in memory and in the checkpoint. */
function slim({ id, kind, item }: TrackedEvent, at: number): TrackedEvent {
  return item === undefined ? { id, kind, at } : { id, kind, item, at }
}

function isSame(a: HistoryItem | undefined, b: HistoryItem | undefined): boolean {
  return a !== undefined && b !== undefined && a.item === b.item && a.at === b.at
}

/** Tells the steps from `from` on, with the pairs that end in each. */
function tell(steps: readonly HistoryItem[], from: number, sign: 1 | -1, sink: CountSink): void {
  let start = 0
  for (const [index, step] of steps.entries()) {
    const previous = steps[index - 1]
    if (previous !== undefined && step.at - previous.at >= VISIT_GAP_MS) start = index
    if (index < from) continue
    sink.step(step.item, sign)
    for (let distance = 1; distance <= MAX_PAIR_DISTANCE && index - distance >= start; distance++) {
      const source = steps[index - distance]
      if (source !== undefined) sink.pair(source.item, step.item, UNITS_PER_PAIR / distance, sign)
    }
    if (sign === 1 && index > start) {
      sink.example?.(steps.slice(Math.max(start, index - EXAMPLE_STEPS), index), step)
    }
  }
}

/** Forgets the older half; what it counted stays counted. Batches go with their place in the list, oldest first. */
function shorten(visitor: Visitor): void {
  const ordered = [...visitor.events].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))
  visitor.events = ordered.slice(-MAX_RETAINED_EVENTS / 2)
  visitor.batches = visitor.batches.slice(-MAX_RETAINED_EVENTS / 2)
  visitor.steps = toHistory(visitor.events, Number.MAX_SAFE_INTEGER)
}
