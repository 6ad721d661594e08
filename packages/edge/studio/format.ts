const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const tenths = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const percent = new Intl.NumberFormat('en', {
  style: 'percent',
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
})
const signed = new Intl.NumberFormat('en', {
  signDisplay: 'exceptZero',
  maximumFractionDigits: 2,
  minimumFractionDigits: 2,
})
const clock = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})
const moment = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' })

export const count = (value: number): string => whole.format(value)
/** Things a second: one digit after the point while they are few. */
export const rate = (value: number): string => (value < 100 ? tenths : whole).format(value)
/** A share of nothing says nothing. */
export const share = (part: number, of: number): string => (of === 0 ? '–' : percent.format(part / of))
export const difference = (value: number): string => signed.format(value)
export const time = (at: number): string => clock.format(at)
export const dateTime = (at: number): string => moment.format(at)

/** The time of day while that says it all. */
export function when(at: number, now: number): string {
  return now - at < 12 * 3_600_000 ? time(at) : dateTime(at)
}

/** A stretch of time in the unit that suits it. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${whole.format(ms)} ms`
  if (ms < 60_000) return `${tenths.format(ms / 1_000)} s`
  if (ms < 3_600_000) return `${whole.format(ms / 60_000)} min`
  return `${tenths.format(ms / 3_600_000)} h`
}
