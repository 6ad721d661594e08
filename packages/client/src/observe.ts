import type { EventKind } from '@attune/core'
import { attribute, closest, placeOf, type Place } from './attributes.ts'
import { elapsed } from './elapsed.ts'
import type { Guard } from './emitter.ts'

/** An impression counts when half of a card has been in view for this long. */
const SEEN_FOR_MS = 1_000
const SEEN_SHARE = 0.5

export interface Observation extends Place {
  readonly kind: EventKind
  readonly query?: string
}

const WATCHED = '[data-attune-item],[data-attune-view]'

/**
 * Watches a part of the page: clicks (by mouse, middle button, touch or keyboard) and impressions of elements with
 * `data-attune-item`, views (`data-attune-view`), named actions (`data-attune-event`) and searches
 * (`data-attune-search`), now and as the page changes. `data-attune-ignore` switches it off for what is inside.
 *
 * @param told - events that have been told already: a shadow root that is watched lies inside a document that is
 * @returns stops watching
 */
export function observe(
  root: Document | ShadowRoot | Element,
  told: WeakSet<Event>,
  track: (observations: readonly Observation[]) => void,
  guard: Guard,
): () => void {
  const stopped = new AbortController()
  const { signal } = stopped
  /** What has been reported of an element; a card that is filled anew counts anew. */
  const impressed = new WeakMap<Element, string>()
  const viewed = new WeakMap<Element, string>()
  /** Since when, by `elapsed`. */
  const inView = new Map<Element, number>()

  const isNew = (told: WeakMap<Element, string>, element: Element, what: string): unknown =>
    told.get(element) !== what && told.set(element, what)

  function clicked(event: Event): void {
    const [target] = event.composedPath()
    if (
      // Of the others only the middle button opens a link.
      (event as MouseEvent).button > 1 ||
      told.has(event) ||
      !(target instanceof Element) ||
      closest(target, '[data-attune-ignore]')
    )
      return
    const action = closest(target, '[data-attune-event],[data-attune-item]')
    if (!action) return
    told.add(event)
    track([{ kind: (attribute(action, 'event') || 'click') as EventKind, ...placeOf(action) }])
  }

  function submitted({ target }: Event): void {
    const form = target as HTMLFormElement
    const field = attribute(form, 'search')
    if (field == null) return
    const query = String(new FormData(form).get(field || 'q') ?? '').trim()
    if (query) track([{ kind: 'search', query }])
  }

  // Cards that came into view together are reported together.
  const report = guard(() => {
    if (document.hidden || signal.aborted) return
    track(
      [...inView].flatMap(([element, since]) => {
        if (elapsed() - since < SEEN_FOR_MS) return []
        inView.delete(element)
        const place = placeOf(element)
        return isNew(impressed, element, `${place.item} ${place.decision}`)
          ? [{ kind: 'impression', ...place }]
          : []
      }),
    )
  })
  // A card that leaves the page leaves the view, and is told as that.
  const views = new IntersectionObserver(
    guard((entries: IntersectionObserverEntry[]) => {
      for (const entry of entries) {
        const { target, rootBounds } = entry
        // A card taller than the window is seen when it fills half of that.
        const fills = rootBounds && entry.intersectionRect.height >= rootBounds.height * SEEN_SHARE
        if (!entry.isIntersecting || (entry.intersectionRatio < SEEN_SHARE && !fills)) inView.delete(target)
        else if (!inView.has(target)) inView.set(target, entry.time)
      }
      setTimeout(report, SEEN_FOR_MS + 20)
    }),
    { threshold: [0, 0.25, SEEN_SHARE] },
  )

  const adopt = (element: Element): void => {
    if (closest(element, '[data-attune-ignore]')) return
    const item = attribute(element, 'view')
    if (item && isNew(viewed, element, item)) track([{ kind: 'view', item }])
    if (!attribute(element, 'item')) return
    // Observing again makes the observer look again: the card may stand for another item now.
    inView.delete(element)
    views.unobserve(element)
    views.observe(element)
  }
  const scan = (node: Node): void => {
    const element = node as Element & Partial<Pick<Element, 'matches' | 'querySelectorAll'>>
    if (element.matches?.(WATCHED)) adopt(element)
    element.querySelectorAll?.(WATCHED).forEach(adopt)
  }
  const changes = new MutationObserver(
    guard((records: MutationRecord[]) => {
      for (const { attributeName, target, addedNodes } of records) {
        if (attributeName) adopt(target as Element)
        addedNodes.forEach(scan)
      }
    }),
  )

  const listen = (type: string, handler: (event: Event) => void): void =>
    root.addEventListener(type, guard(handler), { capture: true, passive: true, signal })
  listen('click', clicked)
  listen('auxclick', clicked)
  listen('submit', submitted)
  changes.observe(root, {
    subtree: true,
    childList: true,
    attributeFilter: ['data-attune-item', 'data-attune-view'],
  })
  // Plug-ins and listeners that come right after the client see what is on the page already.
  queueMicrotask(guard(() => signal.aborted || scan(root)))

  return () => {
    stopped.abort()
    changes.disconnect()
    views.disconnect()
  }
}
