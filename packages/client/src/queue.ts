import type { TrackedEvent } from '@attune/core'
import { batchesOf, firstBatch, telling, type Batch } from './batch.ts'
import type { Report } from './error.ts'
import type { recover as takeOver } from './recover.ts'
import { advance } from './sequence.ts'
import type { FactKeeper, Facts } from './store/facts.ts'
import type { Kept } from './store/kept.ts'
import type { Pair } from './store/key-value.ts'

/** Most events that wait; beyond it the oldest are given up. 5,000 are about 1 MB. */
const MAX_QUEUED_EVENTS = 5_000
/** The store is tidied up when it has more: each page leaves a mark there. */
const MANY_KEYS = 200
/** Newest events kept when sent; the newest 50 of them go into `recent`. */
const MAX_REMEMBERED_EVENTS = 200

/**
 * This tab's view of the queue that all tabs share: batches that are not acknowledged, under `b:` and their id. An event is in
 * a batch from the beginning, and what a batch holds never changes: whoever sends it, and however often, it is stored once.
 * Ids sort in the order in which a tab made its events and batches, and so do keys.
 */
export interface Queue {
  /**
   * Starts writing before it returns.
   *
   * @param alone - no other tab sends now. Then what comes later goes into the same batch, by another id: nobody has seen
   *   the one before.
   * @returns whether all of it is in the batch that `take` returns
   */
  _add(events: readonly TrackedEvent[], alone: unknown): unknown
  /** This tab's newest batch; nothing is added to it any more. */
  _take(): Batch | undefined
  /** Oldest batch. Facts are read with it. */
  _next(): Promise<Batch | undefined>
  /** The batch needs no further try; what that changes in the facts is written with it. */
  _done(batch: Batch, change: (facts: Facts) => Facts): Promise<void>
}

/** @param makeId - UUIDv7 that sorts after all earlier ones of this tab */
export function createQueue(
  kept: Kept,
  facts: Pick<FactKeeper, '_note' | '_change'>,
  makeId: () => string,
  report: Report,
  now: () => number,
): Queue {
  let own: Batch | undefined
  let recover: typeof takeOver | undefined

  const queue: Queue = {
    _add(events, alone) {
      const all = [...(own?.events ?? []), ...events]
      const batch = { id: makeId(), events: firstBatch(all) }
      const rest = all.slice(batch.events.length)
      void kept._put([...(own ? [[`b:${own.id}`] as const] : []), [`b:${batch.id}`, batch]])
      const whole = alone && !rest[0]
      own = whole ? batch : undefined
      if (rest[0]) queue._add(rest, alone)
      return whole
    },
    _take() {
      const batch = own
      own = undefined
      return batch
    },
    async _next() {
      let batch: Batch | undefined
      let surplus = 0
      let missing: unknown
      let tidy: (() => void) | undefined
      const look = (all: Map<string, unknown>): readonly Pair[] => {
        facts._note(all)
        batch = undefined
        // Not before: what a page wrote there in its last moment takes a while to be seen by others.
        const others = kept._others(all.size > MANY_KEYS)
        missing = others[0] && !recover
        if (missing) return []
        const pairs: Pair[] = []
        tidy = recover?.(others, all, pairs, now(), makeId, advance)
        surplus = 0
        let room = MAX_QUEUED_EVENTS
        for (const one of batchesOf(all).reverse()) {
          room -= one.events.length
          if (room < 0) {
            surplus += one.events.length
            pairs.push([`b:${one.id}`])
          } else batch = one
        }
        if (own && own.id === batch?.id) own = undefined
        return pairs
      }
      await kept._update(look)
      if (missing) {
        recover = (await import('./rare.ts')).recover
        await kept._update(look)
      }
      tidy?.()
      if (surplus) report('QUEUE_FULL', `${surplus} events given up`)
      return batch
    },
    _done: (batch, change) =>
      kept._update((all) => [
        facts._change(all, change),
        [
          'recent',
          [...((all.get('recent') ?? []) as TrackedEvent[]), ...telling(batch.events)].slice(
            -MAX_REMEMBERED_EVENTS,
          ),
        ],
        [`b:${batch.id}`],
      ]),
  }
  return queue
}
