import { html } from 'hono/html'
import type { Markup } from './markup.ts'

/** "What just happened": empty here, filled by browser/drawer.ts. */
export function drawer(): Markup {
  return html`<aside class="drawer" id="drawer" aria-labelledby="drawer-title" hidden>
      <header>
        <h2 id="drawer-title">What just happened</h2>
        <button type="button" class="close" data-drawer-close aria-label="Close"></button>
      </header>
      <div class="drawer-body" data-drawer-body tabindex="0" role="group" aria-labelledby="drawer-title">
        <p class="empty">
          Click something you like. This drawer then shows where the click went, and what it changed.
        </p>
      </div>
    </aside>
    <button type="button" class="drawer-button" data-drawer-open aria-expanded="false" aria-controls="drawer">
      <span class="dot" aria-hidden="true"></span><span data-drawer-summary>What just happened</span>
    </button>`
}
