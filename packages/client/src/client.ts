import type { RankResponse } from '@attune/core'
import type { Signals } from './emitter.ts'
import type { Report } from './error.ts'
import type { Parts } from './parts.ts'
import { createRanker, type RankOptions, type RankSlot } from './rank.ts'
import { createSlots, type SlotOptions } from './slot.ts'
import type { Lookup } from './template.ts'
import { assembleTracker, type Tracker, type TrackerOptions } from './tracker.ts'

export interface ClientOptions extends TrackerOptions {
  /** Items' names, pictures and so on, by id, for slots with a template or a render function. */
  readonly lookup?: Lookup
  /** How long a list may take; after that the page stays as it is. Default 1,500. */
  readonly timeoutMs?: number
  /**
   * What stands between the page and the edge: `onDevice()` of `@attune/client/on-device`, `onBack()` of
   * `@attune/client/back`. Of several each stands in front of the one before.
   */
  readonly device?: Device | readonly Device[] | undefined
}

/** Stands in front of the edge: gets the parts of the client and answers for lists. */
export type Device = (parts: DeviceParts) => RankSlot

export interface DeviceParts extends ClientOptions {
  readonly tracker: Tracker
  /** Asks the edge, or what stands in front of it. */
  readonly rank: RankSlot
  readonly report: Report
  readonly emit: Signals['_emit']
  /** Whether the visitor lets anything about them be kept and sent. */
  readonly allowed: () => boolean
  /** Whether the visitor has said no, or their browser for them. */
  readonly refused: () => boolean
}

export interface Client extends Tracker {
  /**
   * The candidates, best first for this visitor. Resolves to undefined, and never rejects, when there is no list in time
   * or a newer request for the same slot took its place: leave the page as it is then.
   */
  rank(candidates: readonly string[], options?: RankOptions): Promise<RankResponse | undefined>
  /** A list out of the whole catalogue; as `rank`. */
  recommend(slot: string, options?: RankOptions): Promise<RankResponse | undefined>
  /** Says how slots of this name are filled, and fills those on the page. Returns a function that takes it back. */
  slot(name: string, options: SlotOptions): () => void
  /** Asks again for the slots of this name, or for all. Settles when they are shown. */
  refresh(name?: string): Promise<void>
}

/** What other entries of this package see of a client. */
export interface InnerClient extends Client {
  readonly _parts: Parts
  readonly _rank: RankSlot
}

/** Not a reason for other lists; `custom:dwell` is told by a page that is being left. */
const TASTELESS = new Set(['impression', 'search', 'custom:dwell'])

/** Capture, durable delivery, lists and slots. Importable anywhere; does nothing visible without a document. */
export function createClient(options: ClientOptions): Client {
  const { tracker, parts } = assembleTracker(options)
  const { _report: report, _guard: guard } = parts
  const rank = [options.device ?? []].flat().reduce<RankSlot>(
    (behind, device) =>
      device({
        ...options,
        tracker,
        rank: behind,
        report,
        emit: parts._emit,
        allowed: parts._allowed,
        refused: parts._refused,
      }),
    createRanker(parts, options.timeoutMs),
  )
  const slots = createSlots(
    rank,
    report,
    tracker.on,
    options.lookup,
    options.fetch ?? ((input, init) => fetch(input, init)),
  )
  let closed = false
  let stop = (): void => {
    closed = true
  }
  if (typeof document !== 'undefined') {
    // After the tracker has looked at the page, so that its view is nothing that happens on it.
    queueMicrotask(
      guard(() => {
        if (options.observe !== false && !closed) stop = slots._watch()
        // After the event has been queued, so that the list asked for contains it.
        tracker.on('queued', ({ event: { kind } }) => {
          // A view of the page that the visitor has come back to is nothing new.
          if (!TASTELESS.has(kind) && !(kind === 'view' && rank._isBack?.()))
            queueMicrotask(guard(slots._acted))
        })
      }),
    )
  }
  const client: InnerClient = {
    ...tracker,
    _parts: parts,
    _rank: rank,
    rank: (candidates, rankOptions) => rank('default', { ...rankOptions, candidates }),
    recommend: (slot, rankOptions) => rank(slot, { ...rankOptions, slot }),
    slot: slots._register,
    refresh: slots._refresh as Client['refresh'],
    close() {
      stop()
      tracker.close()
    },
  }
  return client
}
