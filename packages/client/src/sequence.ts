import type { TrackedEvent } from '@attune/core'
import { telling } from './batch.ts'
import { attempt } from './store/attempt.ts'

/** Tabs whose numbers are remembered. One that was forgotten is not counted again from 0. */
const MAX_TABS = 200

type Numbered = Pick<TrackedEvent, 'tab' | 'seq'>

/** For each tab, the highest number in an acknowledged batch. The tab heard of last comes last. */
export type Seen = Readonly<Record<string, number>>

export interface Sequence {
  /** The tab's name. */
  _name(): string
  /** The next number of this tab. */
  _next(): Required<Numbered>
  /** Another tab goes by the same name, or the visitor is forgotten: counts from 1 by another name. */
  _renew(): void
}

/**
 * Numbers a tab's events, so that the edge can tell how many it never got. `sessionStorage` writes before it returns and
 * outlives reload and crash of the tab; where it is refused, or nothing may be kept yet, each page counts for itself.
 */
export function createSequence(key: string, makeName: () => string, allowed: () => boolean): Sequence {
  let own: readonly [tab: string, seq: number] = [makeName(), 0]
  const load = (): void =>
    attempt(() => {
      // Read each time: pages of a tab take turns (back/forward cache), frames share it.
      if (allowed()) own = JSON.parse(sessionStorage[key] as string) as typeof own
    })
  return {
    _name() {
      load()
      return own[0]
    },
    _next() {
      load()
      own = [own[0], own[1] + 1]
      attempt(() => {
        if (allowed()) sessionStorage[key] = JSON.stringify(own)
      })
      return { tab: own[0], seq: own[1] }
    },
    _renew() {
      own = [makeName(), 0]
      attempt(() => delete sessionStorage[key])
    },
  }
}

/** What a batch says of the numbers before its own; the same whenever it is sent again, as nothing overtakes. */
export function numbersBefore(seen: Seen = {}, events: readonly TrackedEvent[]): Seen {
  const full = Object.keys(seen).length >= MAX_TABS
  return Object.fromEntries(
    telling(events).flatMap(({ tab = '' }) => (full && !seen[tab] ? [] : [[tab, seen[tab] ?? 0]])),
  )
}

export function advance(seen: Seen = {}, events: readonly TrackedEvent[]): Seen {
  let numbers = seen
  for (const { tab = '', seq = 0 } of telling(events)) {
    const { [tab]: before = 0, ...others } = numbers
    numbers = { ...others, [tab]: Math.max(before, seq) }
  }
  return Object.fromEntries(Object.entries(numbers).slice(-MAX_TABS))
}
