import type { TrackedEvent } from '@attune/core'
import type { Batch } from '../batch.ts'

/** Writing to the database takes milliseconds: what is older was left by a page that is gone. */
export const ABANDONED_AFTER_MS = 3_000

interface Pending {
  readonly events: readonly TrackedEvent[]
  /** Formed as the page went, and perhaps sent: their ids are fixed. */
  readonly batches: readonly Batch[]
}

/** What has been handed to the database and not been confirmed. */
export interface Spill {
  keep(pending: Partial<Pending>): void
  /** The database has them. */
  confirm(pending: Partial<Pending>): void
  /** What pages left that ended before the database confirmed it. To be called by one tab at a time. */
  adopt(): Pending
  clear(): void
}

/**
 * A browser may drop an IndexedDB write that waits behind another tab's when the page ends (seen in Chromium: 5 of 420
 * clicks made right before a reload on a busy machine), and before the database is open there is nothing to write to.
 * `localStorage` writes before it returns and outlives the tab. Each page has a key of its own, which exists for the
 * milliseconds until the database has confirmed. Every access may be refused.
 */
export function createSpill(prefix: string, page: string, now: () => number): Spill {
  const own = `${prefix}:${page}`
  let kept: Pending = { events: [], batches: [] }
  const attempt = (work: () => void): void => {
    try {
      work()
    } catch {
      // Refused or full: the database alone has to do.
    }
  }
  const write = (events: readonly TrackedEvent[], batches: readonly Batch[]): void => {
    kept = { events, batches }
    attempt(() => {
      if (events.length + batches.length > 0) localStorage.setItem(own, JSON.stringify([now(), kept]))
      else localStorage.removeItem(own)
    })
  }
  const without = <T extends { readonly id: string }>(
    list: readonly T[],
    gone: readonly { readonly id: string }[],
  ): T[] => list.filter(({ id }) => !gone.some((each) => each.id === id))
  const keys = (): string[] => Object.keys(localStorage).filter((key) => key.startsWith(`${prefix}:`))
  return {
    keep({ events = [], batches = [] }) {
      const claimed = batches.flatMap((batch) => batch.events)
      write(without([...kept.events, ...events], claimed), [...kept.batches, ...batches])
    },
    confirm({ events = [], batches = [] }) {
      write(without(kept.events, events), without(kept.batches, batches))
    },
    adopt() {
      const adopted = { events: [] as TrackedEvent[], batches: [] as Batch[] }
      attempt(() => {
        for (const key of keys()) {
          if (key === own) continue
          const [at, left] = JSON.parse(localStorage.getItem(key) ?? '[]') as [number, Pending]
          // A clock that was put back must not keep them for ever.
          if (Math.abs(now() - at) < ABANDONED_AFTER_MS) continue
          localStorage.removeItem(key)
          adopted.events.push(...left.events)
          adopted.batches.push(...left.batches)
        }
      })
      return adopted
    },
    clear() {
      kept = { events: [], batches: [] }
      attempt(() => {
        for (const key of keys()) localStorage.removeItem(key)
      })
    },
  }
}
