import { live, Refused } from './api.ts'
import { createBoard } from './board.ts'
import { byId } from './dom.ts'
import { createVisitorView } from './visitor.ts'

const KEY = 'attune-studio-key'
const EVERY_MS = 2_000
const SLOWLY_MS = 10_000

let key = sessionStorage.getItem(KEY) ?? ''
let draw: ReturnType<typeof createBoard> | undefined
let timer: ReturnType<typeof setTimeout> | undefined

const form = byId('enter')
const input = byId('key') as HTMLInputElement

form.addEventListener('submit', (event) => {
  event.preventDefault()
  key = input.value.trim()
  void look()
})
byId('leave').addEventListener('click', () => {
  leave('')
})
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && key !== '') void look()
})
createVisitorView(() => key)
if (key === '') leave('')
else void look()

/** Asks once, shows the answer, and asks again later: seldom while nobody looks or nothing answers. */
async function look(): Promise<void> {
  clearTimeout(timer)
  let next = EVERY_MS
  try {
    const answer = await live(key)
    sessionStorage.setItem(KEY, key)
    input.value = ''
    show(true)
    draw ??= createBoard()
    draw(answer)
    say('Live')
  } catch (error) {
    if (error instanceof Refused && error.code.startsWith('KEY_')) {
      leave(error.message)
      return
    }
    say('The edge does not answer; trying again')
    next = SLOWLY_MS
  }
  timer = setTimeout(() => void look(), document.visibilityState === 'hidden' ? SLOWLY_MS : next)
}

function leave(why: string): void {
  clearTimeout(timer)
  key = ''
  sessionStorage.removeItem(KEY)
  show(false)
  say('')
  byId('scope').textContent = ''
  byId('refused').textContent = why
  input.focus()
}

function show(open: boolean): void {
  form.hidden = open
  byId('board').hidden = !open
  byId('leave').hidden = !open
}

/** Only what changed is said: a screen reader would repeat it every two seconds. */
function say(text: string): void {
  const state = byId('state')
  if (state.textContent !== text) state.textContent = text
  state.classList.toggle('live', text === 'Live')
}
