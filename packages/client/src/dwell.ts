import type { Tracker } from './tracker.ts'

export interface DwellOptions {
  /** Shorter times are not told. Default 1,000. */
  readonly atLeastMs?: number
  /** Milliseconds that never jump. Default `performance.now()`. */
  readonly elapsed?: () => number
}

const VIEW = 'data-attune-view'

/**
 * Tells how long an item's page was in sight: `custom:dwell` with the item and, as `value`, seconds to a tenth. An item's page begins with
 * its `view` event and ends with the next one, when the element with `data-attune-view` is gone, or, for views told by a
 * call, when the address is another one. Time in another tab or behind another window does not count.
 *
 * What has been in sight is told each time the page goes out of sight, as a page need not come back: the values of one view
 * add up. Nothing is polled; the last one is queued before the client sends what waits.
 *
 * @returns stops it, and tells what is left
 */
export function trackDwell(
  tracker: Pick<Tracker, 'track' | 'use'>,
  { atLeastMs = 1_000, elapsed = () => performance.now() }: DwellOptions = {},
): () => void {
  if (typeof document === 'undefined') return () => {}
  const closed = new AbortController()
  const { signal } = closed
  let item: string | undefined
  let element: Element | undefined
  let address = ''
  /** In sight since, by `elapsed`; undefined while out of sight. */
  let since: number | undefined
  /** In sight before that and not told yet. */
  let before = 0

  const pause = (): void => {
    if (since !== undefined) before += elapsed() - since
    since = undefined
  }
  const resume = (): void => {
    if (item !== undefined && !document.hidden) since ??= elapsed()
  }
  const tell = (): void => {
    pause()
    if (item === undefined || before < atLeastMs) return
    const seconds = Math.round(before / 100) / 10
    before = 0
    tracker.track('custom:dwell', item, { value: seconds })
  }
  const end = (): void => {
    tell()
    item = element = undefined
    before = 0
  }
  const begin = (next: string | undefined): void => {
    end()
    item = next
    element =
      [...document.querySelectorAll(`[${VIEW}]`)].find((each) => each.getAttribute(VIEW) === next) ??
      undefined
    address = location.href
    resume()
  }

  // On the way down: before the client, which listens on the document, sends what waits.
  for (const type of ['visibilitychange', 'pagehide'] as const)
    addEventListener(type, () => (document.hidden || type === 'pagehide' ? tell() : resume()), {
      capture: true,
      signal,
    })
  addEventListener('pageshow', resume, { signal })
  const moved = new MutationObserver(() => {
    if (element ? !element.isConnected : item !== undefined && location.href !== address) end()
  })
  moved.observe(document, { subtree: true, childList: true })
  const remove = tracker.use((event) => {
    if (event.kind === 'view') begin(event.item)
    return event
  })
  // A script that comes after the client has missed the view of the page.
  begin(document.querySelector(`[${VIEW}]`)?.getAttribute(VIEW) ?? undefined)

  return () => {
    end()
    remove()
    moved.disconnect()
    closed.abort()
  }
}
