import { batchesOf, type Batch } from '../batch.ts'
import type { EventsResponse, RankedItem, RankResponse, TrackedEvent } from '@attune/core'
import type { InnerClient } from '../client.ts'
import type { ClientError } from '../error.ts'

/** So many of the newest of each kind are shown. */
const MAX_SHOWN = 8

export interface SlotState {
  readonly name: string
  readonly decision: string | undefined
  /** What the edge answered, when this page has heard it. */
  readonly response: RankResponse | undefined
  readonly durationMs: number | undefined
  /** In the order of the page. */
  readonly items: readonly (Partial<RankedItem> & { readonly id: string })[]
}

export interface StoredBatch {
  readonly at: number
  readonly events: number
  readonly response: EventsResponse
  readonly durationMs: number
}

export interface DebugState {
  readonly consent: 'granted' | 'pending' | 'denied'
  /** What the browser says for its user, whether the page respects it or not. */
  readonly signals: readonly ('Global Privacy Control' | 'Do Not Track')[]
  readonly visitor: string | undefined
  /** Events that are not acknowledged, and batches that hold them, of all tabs. */
  readonly waiting: number
  readonly unacknowledged: number
  readonly stored: readonly StoredBatch[]
  readonly slots: readonly SlotState[]
  readonly events: readonly TrackedEvent[]
  readonly errors: readonly ClientError[]
}

interface Heard {
  readonly response: RankResponse
  readonly durationMs: number
}

/**
 * Collects what a client tells.
 *
 * @param changed - there is something new
 */
export function watchClient(
  client: InnerClient,
  changed: () => void,
): { read(): Promise<DebugState>; stop(): void } {
  const { _parts: parts } = client
  let stored: readonly StoredBatch[] = []
  let events: readonly TrackedEvent[] = []
  let errors: readonly ClientError[] = []
  /** By decision: the page says which one a list comes from. */
  const heard = new Map<string, Heard>()
  const newest = <T>(list: readonly T[], item: T): readonly T[] => [item, ...list].slice(0, MAX_SHOWN)
  const stops = [
    client.on('seen', ({ event }) => {
      if (event.kind !== 'impression') events = newest(events, event)
      changed()
    }),
    client.on('stored', (batch) => {
      stored = newest(stored, { ...batch, at: parts._now(), events: batch.events.length })
      changed()
    }),
    client.on('ranked', (list) => {
      heard.set(list.response.decision, list)
      changed()
      // Slots are filled after this has been told.
      setTimeout(changed, 100)
    }),
    client.on('reordered', changed),
    client.on('forgotten', changed),
    client.on('error', (error) => {
      errors = newest(errors, error)
      changed()
    }),
  ]

  function slotsOfPage(): readonly SlotState[] {
    const shown = [...document.querySelectorAll('[data-attune-slot]')].map((element): SlotState => {
      const decision = element.getAttribute('data-attune-decision') || undefined
      const { response, durationMs } = heard.get(decision ?? '') ?? {}
      return {
        name: element.getAttribute('data-attune-slot') ?? '',
        decision,
        response,
        durationMs,
        items: [...element.querySelectorAll('[data-attune-item]')].map((card) => {
          const id = card.getAttribute('data-attune-item') ?? ''
          return { id, ...response?.items.find((item) => item.id === id) }
        }),
      }
    })
    // Lists that a page asked for and draws by itself, without attributes.
    const drawn = [...heard.values()].filter(
      ({ response }) => !shown.some(({ name }) => name === response.slot),
    )
    const byName = new Map(
      drawn.map(({ response, durationMs }) => [
        response.slot,
        { name: response.slot, decision: response.decision, response, durationMs, items: response.items },
      ]),
    )
    return [...shown, ...byName.values()]
  }

  return {
    async read() {
      const visitor = await client.visitor()
      let batches: readonly Batch[] = []
      await parts._kept._update((all) => {
        batches = batchesOf(all)
        return []
      })
      return {
        consent: parts._allowed() ? 'granted' : parts._refused() ? 'denied' : 'pending',
        signals: signalsOf(navigator),
        visitor,
        waiting: batches.reduce((sum, { events: each }) => sum + each.length, 0),
        unacknowledged: batches.length,
        stored,
        slots: slotsOfPage(),
        events,
        errors,
      }
    },
    stop: () => stops.forEach((stop) => stop()),
  }
}

function signalsOf({
  globalPrivacyControl,
  doNotTrack,
}: {
  readonly globalPrivacyControl?: boolean
  readonly doNotTrack?: string | null
}): DebugState['signals'] {
  return [
    ...(globalPrivacyControl === true ? (['Global Privacy Control'] as const) : []),
    ...(doNotTrack === '1' ? (['Do Not Track'] as const) : []),
  ]
}
