import type { EventsResponse, RankedItem, RankRequest, RankResponse, TrackedEvent } from '@attune/core'
import { ClientError, type ClientErrorCode, type Report } from './error.ts'

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

/** Wraps a function so that nothing it throws reaches the page. */
export type Guard = <Args extends unknown[]>(work: (...args: Args) => unknown) => (...args: Args) => void

export interface Emitter {
  /** Returns a function that takes the listener away. */
  on<Name extends keyof ClientEvents>(name: Name, listener: Listener<Name>): () => void
}

/** What the client tells the page, and how it keeps the page's mistakes, and its own, from doing harm. */
export interface Signals {
  readonly _on: Emitter['on']
  _emit<Name extends keyof ClientEvents>(name: Name, detail: ClientEvents[Name]): void
  /** Tells each cause once, so that a page with a thousand cards does not log a thousand lines. */
  readonly _report: Report
  readonly _guard: Guard
}

export function createSignals(onError: (error: ClientError) => void): Signals {
  const listeners = new Map<string, Set<(detail: never) => void>>()
  const told = new Set<ClientErrorCode>()
  const report: Report = (code, message, more) => {
    if (told.has(code)) return
    told.add(code)
    const error = new ClientError(code, message, more)
    guard(onError)(error)
    emit('error', error)
  }
  const guard: Guard =
    (work) =>
    (...args) => {
      try {
        work(...args)
      } catch (cause) {
        report('PAGE_CODE_FAILED', String(cause), { cause })
      }
    }
  const emit: Signals['_emit'] = (name, detail) =>
    listeners.get(name)?.forEach(guard((listener) => listener(detail as never)))
  return {
    _on(name, listener) {
      const set = listeners.get(name) ?? new Set()
      listeners.set(name, set.add(listener))
      return () => set.delete(listener)
    },
    _emit: emit,
    _report: report,
    _guard: guard,
  }
}
