const SHOWN_MS = 2_600
let timer: ReturnType<typeof setTimeout> | undefined

/** One short sentence at the edge of the page, read out by screen readers. */
export function toast(text: string): void {
  const place = document.querySelector<HTMLElement>('[data-toast]')
  if (place === null) return
  place.textContent = text
  place.classList.add('shown')
  clearTimeout(timer)
  timer = setTimeout(() => place.classList.remove('shown'), SHOWN_MS)
}
