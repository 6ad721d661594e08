import type { ClientEvents } from '@attune/client'
import type { Told } from './attune.ts'

/** The slot whose order the drawer follows. */
const FOLLOWED = 'for-you'
/** Looking at a page or seeing a card is not something one clicks. */
const QUIET = new Set(['impression', 'view', 'search'])

type Queued = ClientEvents['queued']['event']
type Stored = ClientEvents['stored']
type Ranked = ClientEvents['ranked']

/** What became of one click. Kept while the tab is open, so that a reload still shows it. */
export interface Journey {
  readonly event: Queued
  /** The list as it stood when the click happened. */
  readonly before: readonly string[] | undefined
  readonly stored?: {
    readonly durationMs: number
    readonly events: number
    readonly duplicate: boolean
    readonly session: string
    readonly diagnostics?: Stored['response']['diagnostics']
  }
  readonly list?: {
    readonly ids: readonly string[]
    readonly because: Readonly<Record<string, string>>
    readonly epoch: number
    readonly delta: number
    readonly fresh: boolean
    readonly durationMs: number
    /** Session token it was asked for with. */
    readonly session?: string
    readonly diagnostics?: Ranked['response']['diagnostics']
  }
}

export interface Memory {
  readonly journey: Journey | undefined
  /** The newest list of the followed slot. */
  readonly list: readonly string[] | undefined
}

/** What the client told → what the drawer knows. Pure: the same story gives the same drawer. */
export function follow(memory: Memory, told: Told): Memory {
  switch (told[0]) {
    case 'queued': {
      const { event } = told[1]
      return QUIET.has(event.kind) ? memory : { ...memory, journey: { event, before: memory.list } }
    }
    case 'stored': {
      const { journey } = memory
      const { events, response, durationMs } = told[1]
      if (
        journey === undefined ||
        journey.stored !== undefined ||
        !events.some(({ id }) => id === journey.event.id)
      )
        return memory
      const { session, duplicate, diagnostics } = response
      const stored = {
        durationMs,
        events: events.length,
        duplicate,
        session,
        ...(diagnostics && { diagnostics }),
      }
      return { ...memory, journey: { ...journey, stored } }
    }
    case 'ranked': {
      const { request, response, durationMs } = told[1]
      if (request.slot !== FOLLOWED) return memory
      const ids = response.items.map(({ id }) => id)
      const { journey } = memory
      // The first list asked for after the click, and told about it.
      const counted =
        journey !== undefined &&
        journey.list === undefined &&
        (request.recent ?? []).some(({ id }) => id === journey.event.id)
      if (!counted) return { ...memory, list: ids }
      const { epoch, delta, fresh, diagnostics } = response
      const because = Object.fromEntries(
        response.items.flatMap(({ id, because: why }) => (why === undefined ? [] : [[id, why.item]])),
      )
      const { session } = request
      const list = {
        ids,
        because,
        epoch,
        delta,
        fresh,
        durationMs,
        ...(session !== undefined && { session }),
        ...(diagnostics && { diagnostics }),
      }
      return { list: ids, journey: { ...journey, list } }
    }
  }
}

const KEY = 'tuppence-journey'

export function recall(): Memory {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? '') as Memory
  } catch {
    return { journey: undefined, list: undefined }
  }
}

export function remember(memory: Memory): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(memory))
  } catch {
    // Storage refused or full: the drawer forgets at the next full page load, nothing else.
  }
}
