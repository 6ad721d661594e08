import { telling, type Batch } from './batch.ts'
import { attempt } from './store/attempt.ts'

/** Tabs whose numbers are remembered. One that was forgotten is not counted again from 0. */
const MAX_TABS = 200

/** For each tab, the highest number in an acknowledged batch. The tab heard of last comes last. */
export type Seen = Readonly<Record<string, number>>

/** Which event of which tab. */
export interface Numbered {
  readonly tab: string
  readonly seq: number
}

export interface Sequence {
  /** The tab's name. */
  _name(): string
  /** The next number of this tab. */
  _next(): Numbered
  /** Another tab goes by the same name, or the visitor is forgotten: counts from 1 by another name. */
  _renew(): void
}

/**
 * Numbers a tab's events, so that the edge can tell how many it never got. `sessionStorage` writes before it returns and
 * outlives reload and crash of the tab; where it is refused, or nothing may be kept yet, each page counts for itself.
 *
 * @param mark - is told of each number before anybody has it; may throw; see `Spill`
 */
export function createSequence(
  key: string,
  makeName: () => string,
  allowed: () => boolean,
  mark?: (number: Numbered) => void,
): Sequence {
  let own: Numbered = { tab: makeName(), seq: 0 }
  const load = (): void =>
    attempt(() => {
      // Read each time: pages of a tab take turns (back/forward cache), frames share it.
      if (allowed()) own = JSON.parse(sessionStorage[key] as string) as Numbered
    })
  return {
    _name() {
      load()
      return own.tab
    },
    _next() {
      load()
      own = { ...own, seq: own.seq + 1 }
      attempt(() => {
        if (!allowed()) return
        sessionStorage[key] = JSON.stringify(own)
        mark?.(own)
      })
      return own
    },
    _renew() {
      own = { tab: makeName(), seq: 0 }
      attempt(() => delete sessionStorage[key])
    },
  }
}

type Told = Pick<Batch, 'events' | 'last'>
const numbersOf = ({ events, last }: Told) => (last ?? telling(events)) as readonly Numbered[]

/** What a batch says of the numbers before its own; the same whenever it is sent again, as nothing overtakes. */
export function numbersBefore(seen: Seen = {}, batch: Told): Seen {
  // JSON leaves out what is undefined.
  const unknown = Object.keys(seen)[MAX_TABS - 1] ? undefined : 0
  return Object.fromEntries(numbersOf(batch).map(({ tab }) => [tab, seen[tab] ?? unknown])) as Seen
}

export function advance(seen: Seen = {}, batch: Told): Seen {
  let numbers = seen
  for (const { tab, seq } of numbersOf(batch)) {
    const { [tab]: before = 0, ...others } = numbers
    numbers = { ...others, [tab]: Math.max(before, seq) }
  }
  return Object.fromEntries(Object.entries(numbers).slice(-MAX_TABS))
}
