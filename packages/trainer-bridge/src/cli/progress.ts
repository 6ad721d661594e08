import type { TrainProgress } from '../train/train-local.ts'
import type { Terminal } from './command.ts'

const PLAIN_EVERY_MS = 5_000
const BAR = 24

/** Shows how far something is: a bar on a terminal, a line every few seconds elsewhere. */
export function progressBar({
  status,
  err,
  now,
}: Terminal): (what: string, share: number, more?: string) => void {
  let shown = 0
  return (what, share, more = '') => {
    const done = Math.round(BAR * Math.min(1, share))
    const text = `${what.padEnd(8)} ${'█'.repeat(done)}${'░'.repeat(BAR - done)} ${more || `${Math.round(100 * share)} %`}`
    if (status !== undefined) status(text)
    else if (now() - shown >= PLAIN_EVERY_MS) {
      shown = now()
      err(text)
    }
  }
}

/** With loss, validation HR@20 and the time left. */
export function trainingBar(terminal: Terminal): (progress: TrainProgress) => void {
  const show = progressBar(terminal)
  return ({ phase, iteration, iterations, loss, hr20, secondsLeft }) => {
    const parts = [
      `${iteration.toFixed(1)}/${iterations}`,
      loss === undefined ? '' : `loss ${loss.toFixed(3)}`,
      hr20 === undefined ? '' : `HR@20 ${hr20.toFixed(3)}`,
      secondsLeft === undefined ? '' : `${Math.round(secondsLeft)} s left`,
    ]
    show(phase, iteration / Math.max(1, iterations), parts.filter(Boolean).join('  '))
  }
}
