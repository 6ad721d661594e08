import type { EventKind } from '@attune/core'
import { closest, placeOf, type Place } from './attributes.ts'

/** An impression counts when half of a card has been in view for this long. */
const SEEN_FOR_MS = 1_000
const SEEN_SHARE = 0.5

export interface Observation extends Place {
  readonly kind: EventKind
  readonly query?: string
}

export interface ObserveOptions {
  readonly root: Document | ShadowRoot | Element
  /** Events that have been told already: a shadow root that is watched lies inside a document that is. */
  readonly told: WeakSet<Event>
  readonly track: (observations: readonly Observation[]) => void
  /** Runs a handler so that nothing it throws reaches the page. */
  readonly guard: <Args extends unknown[]>(handler: (...args: Args) => void) => (...args: Args) => void
}

/**
 * Watches a part of the page: clicks (by mouse, middle button, touch or keyboard) and impressions of elements with
 * `data-attune-item`, views (`data-attune-view`), named actions (`data-attune-event`) and searches
 * (`data-attune-search`), now and as the page changes. `data-attune-ignore` switches it off for what is inside.
 *
 * @returns stops watching
 */
export function observe({ root, told, track, guard }: ObserveOptions): () => void {
  /** What has been reported of an element; a card that is filled anew counts anew. */
  const reported = new WeakMap<Element, string>()
  const inView = new Map<Element, ReturnType<typeof setTimeout>>()

  const clicked = guard((event: Event) => {
    // auxclick: only the middle button opens a link.
    if (event.type === 'auxclick' && (event as MouseEvent).button !== 1) return
    const [target] = event.composedPath()
    const start = target instanceof Element ? target : undefined
    if (start === undefined || told.has(event) || closest(start, '[data-attune-ignore]')) return
    const action = closest(start, '[data-attune-event],[data-attune-item]')
    if (action === undefined) return
    told.add(event)
    const kind = (action.getAttribute('data-attune-event') ?? 'click') as EventKind
    track([{ kind, ...placeOf(action) }])
  })

  const submitted = guard((event: Event) => {
    const form = event.target
    if (!(form instanceof HTMLFormElement) || !form.hasAttribute('data-attune-search')) return
    const query = new FormData(form).get(form.getAttribute('data-attune-search') || 'q')
    if (typeof query === 'string' && query.trim() !== '') track([{ kind: 'search', query: query.trim() }])
  })

  const seen = new Set<Element>()
  const report = guard(() => {
    const observations: Observation[] = []
    for (const element of seen) {
      const place = placeOf(element)
      const key = `${place.item} ${place.decision}`
      if (reported.get(element) === key || document.visibilityState === 'hidden') continue
      reported.set(element, key)
      observations.push({ kind: 'impression', ...place })
    }
    seen.clear()
    if (observations.length > 0) track(observations)
  })

  const forgetView = (element: Element): void => {
    clearTimeout(inView.get(element))
    inView.delete(element)
  }
  const startView = (element: Element): void => {
    if (inView.has(element)) return
    inView.set(
      element,
      setTimeout(() => {
        inView.delete(element)
        // Cards that came into view together are reported together.
        if (seen.size === 0) queueMicrotask(report)
        seen.add(element)
      }, SEEN_FOR_MS),
    )
  }
  const views =
    typeof IntersectionObserver === 'undefined'
      ? undefined
      : new IntersectionObserver(
          guard((entries: IntersectionObserverEntry[]) => {
            for (const {
              target,
              isIntersecting,
              intersectionRatio,
              intersectionRect,
              rootBounds,
            } of entries) {
              // A card taller than the window is seen when it fills half of that.
              const fills = rootBounds !== null && intersectionRect.height >= rootBounds.height * SEEN_SHARE
              if (isIntersecting && (intersectionRatio >= SEEN_SHARE || fills)) startView(target)
              else forgetView(target)
            }
          }),
          { threshold: [0, 0.25, SEEN_SHARE] },
        )

  const adopt = (element: Element): void => {
    if (closest(element, '[data-attune-ignore]')) return
    const viewed = element.getAttribute('data-attune-view')
    if (viewed && reported.get(element) !== viewed) {
      reported.set(element, viewed)
      track([{ kind: 'view', item: viewed }])
    }
    if (!element.hasAttribute('data-attune-item')) return
    // Observing again makes the observer look again: the card may stand for another item now.
    forgetView(element)
    views?.unobserve(element)
    views?.observe(element)
  }
  const scan = (node: Node): void => {
    if (node instanceof Element && node.matches(WATCHED)) adopt(node)
    if ('querySelectorAll' in node)
      for (const element of (node as ParentNode).querySelectorAll(WATCHED)) adopt(element)
  }
  const changes = new MutationObserver(
    guard((records: MutationRecord[]) => {
      for (const record of records) {
        if (record.type === 'attributes') adopt(record.target as Element)
        for (const node of record.addedNodes) scan(node)
        for (const node of record.removedNodes) {
          if (!(node instanceof Element) || node.isConnected) continue
          for (const element of [node, ...node.querySelectorAll('[data-attune-item]')]) {
            views?.unobserve(element)
            forgetView(element)
          }
        }
      }
    }),
  )

  const listening = { capture: true, passive: true }
  for (const type of ['click', 'auxclick']) root.addEventListener(type, clicked, listening)
  root.addEventListener('submit', submitted, listening)
  changes.observe(root, {
    subtree: true,
    childList: true,
    attributeFilter: ['data-attune-item', 'data-attune-view'],
  })
  guard(() => scan(root))()

  return () => {
    for (const type of ['click', 'auxclick']) root.removeEventListener(type, clicked, listening)
    root.removeEventListener('submit', submitted, listening)
    changes.disconnect()
    views?.disconnect()
    for (const element of inView.keys()) forgetView(element)
  }
}

const WATCHED = '[data-attune-item],[data-attune-view]'
