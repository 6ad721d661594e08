import type { Value } from '../values.ts'
import { any, numeric, type Library } from './define.ts'

/** Ticks of 100 ns; Cosmos counts them from 1970 where .NET counts from year 1. */
const TICKS_PER_MS = 10_000n

/** Cosmos dates are text: `YYYY-MM-DDThh:mm:ss.fffffffZ`, the fraction optional. */
const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,7}))?Z?)?$/

interface Moment {
  readonly ms: number
  /** 100 ns beyond the millisecond, 0–9,999. */
  readonly ticks: number
}

function parse(text: Value): Moment | undefined {
  if (typeof text !== 'string') return undefined
  const match = ISO.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '0'] = match
  const sub = Number(fraction.padEnd(7, '0'))
  const ms = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  )
  const date = new Date(ms)
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return undefined
  return { ms: ms + Math.floor(sub / 10_000), ticks: sub % 10_000 }
}

function format({ ms, ticks }: Moment): string | undefined {
  const date = new Date(ms)
  if (Number.isNaN(date.getTime())) return undefined
  return `${date.toISOString().slice(0, -1)}${String(ticks).padStart(4, '0')}Z`
}

const toTicks = ({ ms, ticks }: Moment): bigint => BigInt(ms) * TICKS_PER_MS + BigInt(ticks)

function fromTicks(total: bigint): Moment {
  const ticks = ((total % TICKS_PER_MS) + TICKS_PER_MS) % TICKS_PER_MS
  return { ms: Number((total - ticks) / TICKS_PER_MS), ticks: Number(ticks) }
}

/** Ticks of the parts that have a fixed length. */
const FIXED: Readonly<Record<string, bigint>> = {
  day: 864_000_000_000n,
  hour: 36_000_000_000n,
  minute: 600_000_000n,
  second: 10_000_000n,
  millisecond: TICKS_PER_MS,
  microsecond: 10n,
  nanosecond: 0n,
}

const PARTS: ReadonlyMap<string, string> = new Map(
  [
    ['year', 'year', 'yyyy', 'yy'],
    ['month', 'month', 'mm', 'm'],
    ['day', 'day', 'dd', 'd'],
    ['hour', 'hour', 'hh'],
    ['minute', 'minute', 'mi', 'n'],
    ['second', 'second', 'ss', 's'],
    ['millisecond', 'millisecond', 'ms'],
    ['microsecond', 'microsecond', 'mcs'],
    ['nanosecond', 'nanosecond', 'ns'],
  ].flatMap(([part = '', ...names]) => names.map((name): [string, string] => [name, part])),
)

const partOf = (name: Value): string | undefined =>
  typeof name === 'string' ? PARTS.get(name.toLowerCase()) : undefined

function add(part: string, count: number, moment: Moment): Moment | undefined {
  if (part === 'year' || part === 'month') {
    const date = new Date(moment.ms)
    const day = date.getUTCDate()
    date.setUTCDate(1)
    date.setUTCMonth(date.getUTCMonth() + count * (part === 'year' ? 12 : 1))
    const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
    date.setUTCDate(Math.min(day, last))
    return { ms: date.getTime(), ticks: moment.ticks }
  }
  const ticks = part === 'nanosecond' ? BigInt(Math.trunc(count / 100)) : BigInt(count) * (FIXED[part] ?? 0n)
  return fromTicks(toTicks(moment) + ticks)
}

function partValue(part: string, moment: Moment): number {
  const date = new Date(moment.ms)
  const fraction = BigInt(date.getUTCMilliseconds()) * TICKS_PER_MS + BigInt(moment.ticks)
  const values: Readonly<Record<string, number>> = {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    millisecond: date.getUTCMilliseconds(),
    microsecond: Number(fraction / 10n),
    nanosecond: Number(fraction * 100n),
  }
  return values[part] ?? 0
}

const floorDivide = (a: bigint, b: bigint): bigint => (a - (((a % b) + b) % b)) / b

/** Boundaries of a part that lie between two moments. */
function difference(part: string, from: Moment, to: Moment): number {
  const a = new Date(from.ms)
  const b = new Date(to.ms)
  const years = b.getUTCFullYear() - a.getUTCFullYear()
  if (part === 'year') return years
  if (part === 'month') return years * 12 + b.getUTCMonth() - a.getUTCMonth()
  if (part === 'nanosecond') return Number((toTicks(to) - toTicks(from)) * 100n)
  const unit = FIXED[part] ?? 1n
  return Number(floorDivide(toTicks(to), unit) - floorDivide(toTicks(from), unit))
}

function bin(moment: Moment, part: string, size: number, origin: Moment): Moment | undefined {
  if (size <= 0) return undefined
  if (part === 'year' || part === 'month') {
    const months = difference('month', origin, moment)
    const unit = size * (part === 'year' ? 12 : 1)
    return add('month', Math.floor(months / unit) * unit, origin)
  }
  const unit =
    part === 'nanosecond' ? BigInt(Math.max(1, Math.trunc(size / 100))) : (FIXED[part] ?? 1n) * BigInt(size)
  return fromTicks(toTicks(origin) + floorDivide(toTicks(moment) - toTicks(origin), unit) * unit)
}

const now = (nowMs: number): Moment => ({ ms: nowMs, ticks: 0 })
const currentDateTime = any(0, 0, (_, runtime) => format(now(runtime.nowMs)))
const currentTicks = any(0, 0, (_, runtime) => Number(toTicks(now(runtime.nowMs))))
const currentTimestamp = any(0, 0, (_, runtime) => runtime.nowMs)

export const date: Library = {
  GETCURRENTDATETIME: currentDateTime,
  GETCURRENTDATETIMESTATIC: currentDateTime,
  GETCURRENTTICKS: currentTicks,
  GETCURRENTTICKSSTATIC: currentTicks,
  GETCURRENTTIMESTAMP: currentTimestamp,
  GETCURRENTTIMESTAMPSTATIC: currentTimestamp,
  DATETIMEADD: any(3, 3, ([name, count, text]) => {
    const part = partOf(name)
    const moment = parse(text)
    if (part === undefined || moment === undefined || !Number.isInteger(count)) return undefined
    const sum = add(part, Number(count), moment)
    return sum === undefined ? undefined : format(sum)
  }),
  DATETIMEBIN: any(2, 4, ([text, name, size = 1, from = '1970-01-01T00:00:00.0000000Z']) => {
    const moment = parse(text)
    const part = partOf(name)
    const origin = parse(from)
    if (moment === undefined || part === undefined || origin === undefined || !Number.isInteger(size))
      return undefined
    const start = bin(moment, part, Number(size), origin)
    return start === undefined ? undefined : format(start)
  }),
  DATETIMEDIFF: any(3, 3, ([name, from, to]) => {
    const part = partOf(name)
    const start = parse(from)
    const end = parse(to)
    return part === undefined || start === undefined || end === undefined
      ? undefined
      : difference(part, start, end)
  }),
  DATETIMEFROMPARTS: numeric(
    3,
    7,
    (year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, fraction = 0) => {
      const two = (value: number): string => String(value).padStart(2, '0')
      const text = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}.${String(fraction).padStart(7, '0')}Z`
      const moment = parse(text)
      return hour > 23 || minute > 59 || second > 59 || moment === undefined ? undefined : format(moment)
    },
  ),
  DATETIMEPART: any(2, 2, ([name, text]) => {
    const part = partOf(name)
    const moment = parse(text)
    return part === undefined || moment === undefined ? undefined : partValue(part, moment)
  }),
  DATETIMETOTICKS: any(1, 1, ([text]) => {
    const moment = parse(text)
    return moment === undefined ? undefined : Number(toTicks(moment))
  }),
  DATETIMETOTIMESTAMP: any(1, 1, ([text]) => parse(text)?.ms),
  TICKSTODATETIME: numeric(1, 1, (ticks = 0) =>
    Number.isInteger(ticks) ? format(fromTicks(BigInt(ticks))) : undefined,
  ),
  TIMESTAMPTODATETIME: numeric(1, 1, (ms = 0) =>
    Number.isInteger(ms) ? format({ ms, ticks: 0 }) : undefined,
  ),
}
