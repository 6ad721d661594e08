import { calm } from './dom.ts'
import { toast } from './toast.ts'

/** Parts of the page that the next one brings along. */
const PARTS = ['#main', '.departments ul'] as const

let current: AbortController | undefined

/**
 * Follows links and forms inside the shop without loading the page anew, so that a click's answer still arrives where
 * the drawer can show it. Anything unusual is left to the browser.
 */
export function startNavigation(arrived: () => void): void {
  history.scrollRestoration = 'manual'
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null
    if (link === null || event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target !== '') return
    const url = new URL(link.href)
    if (url.origin !== location.origin || (url.hash !== '' && url.pathname === location.pathname)) return
    event.preventDefault()
    void go(url, arrived)
  })
  document.addEventListener('submit', (event) => {
    const form = event.target
    if (!(form instanceof HTMLFormElement) || event.defaultPrevented || form.method !== 'get') return
    event.preventDefault()
    const url = new URL(form.action)
    url.search = new URLSearchParams(
      [...new FormData(form)].map(([name, value]) => [name, String(value)]),
    ).toString()
    void go(url, arrived)
  })
  document.addEventListener('change', (event) => {
    const form = event.target instanceof HTMLSelectElement ? event.target.form : null
    if (form?.matches('[data-auto]')) form.requestSubmit()
  })
  window.addEventListener('popstate', (event) => {
    const at = (event.state as { scroll?: number } | null)?.scroll ?? 0
    void show(new URL(location.href), arrived, at)
  })
}

async function go(url: URL, arrived: () => void): Promise<void> {
  history.replaceState({ scroll: scrollY }, '')
  await show(url, arrived, 0, true)
}

async function show(url: URL, arrived: () => void, scroll: number, push = false): Promise<void> {
  current?.abort()
  const mine = (current = new AbortController())
  document.documentElement.classList.add('loading')
  try {
    const response = await fetch(url, { signal: mine.signal, headers: { accept: 'text/html' } })
    const next = new DOMParser().parseFromString(await response.text(), 'text/html')
    if (mine.signal.aborted) return
    if (next.querySelector('#main') === null) throw new Error('not a page of the shop')
    if (push) history.pushState({}, '', response.redirected ? response.url : url)
    const swap = (): void => {
      document.title = next.title
      for (const part of PARTS) {
        const replacement = next.querySelector(part)
        if (replacement !== null) document.querySelector(part)?.replaceWith(document.adoptNode(replacement))
      }
      const box = document.querySelector<HTMLInputElement>('#q')
      if (box !== null) box.value = next.querySelector<HTMLInputElement>('#q')?.getAttribute('value') ?? ''
      scrollTo({ top: scroll, behavior: 'instant' })
      // The new page starts here, for the keyboard and for screen readers.
      document.querySelector<HTMLElement>('#main')?.focus({ preventScroll: true })
      arrived()
    }
    if ('startViewTransition' in document && !calm()) document.startViewTransition(swap)
    else swap()
  } catch {
    if (mine.signal.aborted) return
    // The browser would replace the page by its dinosaur; what has been clicked is kept either way.
    if (!navigator.onLine) toast('You are offline: that page has to wait. Your click is kept.')
    else location.assign(url)
  } finally {
    if (current === mine) document.documentElement.classList.remove('loading')
  }
}
