import type { EventsResponse, RankedItem, RankRequest, RankResponse, TrackedEvent } from '@attune/core'
import type { ClientError, Report } from './error.ts'

/** What a page may listen to. */
export interface ClientEvents {
  /** The visitor did something. Told whatever they agreed to, and goes nowhere by itself. */
  seen: { readonly event: TrackedEvent }
  /** Everything kept of the visitor is to be forgotten. */
  forgotten: undefined
  /** A list with another order from the device, before the edge has answered. */
  reordered: { readonly slot: string; readonly items: readonly RankedItem[] }
  /** An event has been handed to the queue. */
  queued: { readonly event: TrackedEvent }
  /** The edge has stored a batch (also one that another tab of the site sent). */
  stored: {
    readonly events: readonly TrackedEvent[]
    readonly response: EventsResponse
    readonly durationMs: number
  }
  /** A list came back. */
  ranked: { readonly request: RankRequest; readonly response: RankResponse; readonly durationMs: number }
  error: ClientError
}

export type Listener<Name extends keyof ClientEvents> = (detail: ClientEvents[Name]) => void

export interface Emitter {
  on<Name extends keyof ClientEvents>(name: Name, listener: Listener<Name>): () => void
  emit<Name extends keyof ClientEvents>(name: Name, detail: ClientEvents[Name]): void
}

/** @param report - told when a listener throws; the client goes on */
export function createEmitter(report: Report): Emitter {
  const listeners = new Map<keyof ClientEvents, Set<(detail: never) => void>>()
  return {
    on(name, listener) {
      const set = listeners.get(name) ?? new Set()
      listeners.set(name, set.add(listener))
      return () => set.delete(listener)
    },
    emit(name, detail) {
      for (const listener of listeners.get(name) ?? []) {
        try {
          ;(listener as (detail: unknown) => void)(detail)
        } catch (cause) {
          report('PAGE_CODE_FAILED', `in a listener of ${name}`, { cause })
        }
      }
    },
  }
}
