import { listen } from './attune.ts'
import { drawBasket, startBasket } from './basket.ts'
import { startDrawer } from './drawer.ts'
import { startGliding } from './glide.ts'
import { startNavigation } from './navigate.ts'
import { toast } from './toast.ts'

const arrived = (): void => {
  document.documentElement.classList.remove('loading')
  void drawBasket()
}

// The home page speaks for newcomers; once something is known of the visitor it may say so.
listen(([name, detail]) => {
  if (
    name !== 'ranked' ||
    detail.request.slot !== 'for-you' ||
    detail.response.diagnostics?.engine === 'none'
  )
    return
  const line = document.querySelector('.hero ~ .shelf [id="shelf-for-you"] + p')
  if (line !== null) line.textContent = 'Ranked for you alone, this second.'
})
startDrawer()
startGliding()
startBasket()
startNavigation(arrived)
arrived()

document.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest('[data-like],[data-dislike]') : null
  if (button === null) return
  const liked = button.matches('[data-like]')
  document.querySelector('[data-like]')?.setAttribute('aria-pressed', String(liked))
  toast(liked ? 'Noted: more of that.' : 'Noted: you will not see it in your lists.')
})
window.addEventListener('offline', () => toast('You are offline. Clicks are kept and sent later.'))
window.addEventListener('online', () => toast('Back online.'))
