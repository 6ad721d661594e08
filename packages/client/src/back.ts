import type { Device } from './client.ts'
import type { List, RankCall, RankSlot } from './rank.ts'

/** So many lists of a tab are kept, the newest. */
const MAX_LISTS = 20
const MAX_CHARACTERS = 200_000
/** Whoever comes back later has forgotten what stood there. */
const FRESH_FOR_MS = 30 * 60_000

/** What a visitor does by reading: it gives no reason to change what they read. */
const READING = new Set(['impression', 'view', 'search', 'custom:dwell'])

interface Held {
  readonly slot: string
  /** Where it is shown: its cards say in which order. */
  readonly element?: Element | undefined
  readonly list: List
}

type Stored = readonly [place: string, list: List, at: number]

/**
 * Going back to a page, or to a view of an app, shows the lists that stood there, without asking for them; they are asked
 * for again once the visitor does something. In memory, and in `sessionStorage` from the moment the page goes, of visitors
 * who agreed to that. A page that comes out of the browser's back/forward cache is whole and needs none of it.
 */
export function onBack(): Device {
  return ({ rank: ask, tracker, site, allowed, now = Date.now }) => {
    if (typeof document === 'undefined') return ask
    const name = `attune-${site}-lists`
    // Firefox before 147 and Safari before 26.2 do not tell entries of the history apart: pages are, by their address.
    const { navigation } = window as { readonly navigation?: Navigation }
    const here = (): string => navigation?.currentEntry?.key ?? location.href
    const lists = new Map<string, Held>()
    /** The entry of the history that the visitor has come back to and not done anything in since. */
    let back: string | false = cameBack() && here()
    /** Who has been given what stood there; whoever asks again wants a new list. */
    const given = new Set<string | object>()

    const read = (): readonly Stored[] => {
      let stored: readonly Stored[] = []
      attempt(() => {
        stored = (JSON.parse(sessionStorage.getItem(name) ?? '[]') as Stored[]).filter(
          ([, , at]) => now() - at < FRESH_FOR_MS,
        )
      })
      return stored
    }
    const save = (): void => {
      if (!allowed()) return
      const own = [...lists].map(([place, held]): Stored => [place, asShown(held), now()])
      const stored = [...read().filter(([place]) => !lists.has(place)), ...own].slice(-MAX_LISTS)
      while (JSON.stringify(stored).length > MAX_CHARACTERS) stored.shift()
      attempt(() => sessionStorage.setItem(name, JSON.stringify(stored)))
    }
    const enter = (): void => {
      back = here()
      given.clear()
    }
    const isBack = (): boolean => back === here() && allowed()
    const placeOf = (slot: string, { candidates, strategy, item, exclude }: RankCall): string =>
      // A list of these cards, in whatever order they stand by now.
      JSON.stringify([here(), slot, candidates?.toSorted(), strategy, item, exclude])
    const recall: RankSlot['_recall'] = (slot, call) => {
      const place = placeOf(slot, call)
      const held = isBack() && lists.get(place)
      if (!held) return undefined
      const list = asShown(held)
      lists.set(place, { slot, list })
      return list
    }

    if (back && allowed()) for (const [place, list] of read()) lists.set(place, { slot: list.slot, list })
    navigation?.addEventListener('currententrychange', ({ navigationType }) => {
      if (navigationType === 'traverse') enter()
      else if (navigationType === 'push') back = false
    })
    addEventListener('pagehide', save)
    tracker.on('seen', ({ event }) => {
      if (!READING.has(event.kind)) back = false
    })
    tracker.on('reordered', ({ slot, items }) => {
      for (const [place, held] of lists)
        if (held.slot === slot && place.startsWith(`["${here()}"`))
          lists.set(place, { ...held, list: { ...held.list, items } })
    })
    tracker.on('forgotten', () => {
      lists.clear()
      attempt(() => sessionStorage.removeItem(name))
    })

    const rank: RankSlot = async (name, call) => {
      const { slot = name, key = slot } = call
      const before = given.has(key) ? undefined : recall(slot, call)
      if (before) {
        // Calls of the same moment are one: a slot that is found on the page and then told how it is filled.
        setTimeout(() => given.add(key))
        return before
      }
      const place = placeOf(slot, call)
      const list = await ask(name, call)
      if (list && allowed()) {
        lists.delete(place)
        lists.set(place, { slot, element: key instanceof Element ? key : undefined, list })
        if (lists.size > MAX_LISTS) lists.delete([...lists.keys()][0] ?? '')
      }
      return list
    }
    return Object.assign(rank, { _recall: recall, _isBack: isBack })
  }
}

/** Storage may be refused, full, or hold what is not ours: then lists are asked for again. */
function attempt(work: () => void): void {
  try {
    work()
  } catch {
    // See above.
  }
}

/** Whether this page was loaded by going back or forward. */
function cameBack(): boolean {
  const [entry] = performance.getEntriesByType('navigation')
  return (entry as PerformanceNavigationTiming | undefined)?.type === 'back_forward'
}

/** In the order of the cards on the page: one that had the focus kept its place, or the device has put them in order. */
function asShown({ element, list }: Held): List {
  const cards = [...(element?.querySelectorAll('[data-attune-item]') ?? [])]
  const ids = cards.map((card) => card.getAttribute('data-attune-item'))
  const items = list.items.toSorted((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id))
  const { device: _, ...shown } = list
  return { ...shown, items }
}
