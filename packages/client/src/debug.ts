import type { Client, InnerClient } from './client.ts'
import { watchClient, type DebugState } from './debug/state.ts'
import { STYLE } from './debug/style.ts'
import { batchesOf, errorsOf, eventsOf, h, slotsOf, summaryOf } from './debug/view.ts'

/**
 * Shows, in a panel over the page, what a client does: consent, the queue, the newest batches with the edge's answers, and
 * every slot with its decision, places and reasons. For developers; nobody else needs to load it.
 *
 * It lives in a shadow root with a style sheet of its own: neither does the page's style reach it, nor does it need a
 * permission of the page's Content-Security-Policy. Escape closes it.
 *
 * @returns closes it
 */
export function openDebug(client: Client): () => void {
  const host = h('attune-debug', { 'data-attune-ignore': '' })
  const root = host.attachShadow({ mode: 'open' })
  const style = new CSSStyleSheet()
  style.replaceSync(STYLE)
  root.adoptedStyleSheets = [style]

  const summary = h('dl', {})
  const part = (title: string, open: boolean): HTMLElement => {
    const body = h('div', {})
    panel.append(h('details', open ? { open: '' } : {}, h('summary', {}, title), body))
    return body
  }
  const close = h(
    'button',
    { type: 'button', 'aria-label': 'Close Attune debug', title: 'Close (Escape)' },
    '✕',
  )
  const panel = h(
    'section',
    // Scrolls, so the keyboard must be able to reach it.
    { 'aria-label': 'Attune debug', tabindex: '0' },
    h('header', {}, h('h2', {}, 'Attune'), close),
    summary,
  )
  const parts: readonly (readonly [HTMLElement, (state: DebugState) => HTMLElement[]])[] = [
    [summary, summaryOf],
    [part('Slots', true), slotsOf],
    [part('Batches', true), batchesOf],
    [part('Events', false), eventsOf],
    [part('Errors', true), errorsOf],
  ]
  root.append(panel)

  let closed = false
  let waiting = false
  let again = false
  /** One at a time, and none that is not needed: what is told while it draws is drawn afterwards. */
  const draw = async (): Promise<void> => {
    again = waiting
    if (waiting || closed) return
    waiting = true
    const state = await watched.read().catch(() => undefined)
    if (state !== undefined) for (const [element, render] of parts) element.replaceChildren(...render(state))
    waiting = false
    if (again) requestAnimationFrame(() => void draw())
  }
  const watched = watchClient(client as InnerClient, () => void draw())
  const moved = new MutationObserver(() => void draw())
  moved.observe(document.body, {
    subtree: true,
    childList: true,
    attributeFilter: ['data-attune-decision', 'data-attune-position'],
  })

  const escape = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && !event.defaultPrevented) stop()
  }
  function stop(): void {
    closed = true
    watched.stop()
    moved.disconnect()
    document.removeEventListener('keydown', escape)
    host.remove()
  }
  close.addEventListener('click', stop)
  document.addEventListener('keydown', escape)
  document.body.append(host)
  void draw()
  return stop
}
