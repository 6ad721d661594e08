import { isObject, parseJson } from '../../json.ts'
import { canonical } from '../values.ts'
import { any, textual, type Library } from './define.ts'

type Match = (text: string, part: string) => boolean

/** `CONTAINS(text, part, ignoreCase)` and its kin. */
function test(match: Match) {
  return any(2, 3, ([text, part, ignore]) => {
    if (typeof text !== 'string' || typeof part !== 'string') return undefined
    if (ignore !== undefined && typeof ignore !== 'boolean') return undefined
    return ignore === true ? match(text.toLowerCase(), part.toLowerCase()) : match(text, part)
  })
}

function pattern(source: string, flags: string): RegExp | undefined {
  if (!/^[imsx]*$/.test(flags)) return undefined
  const text = flags.includes('x') ? source.replace(/\s+|#.*$/gm, '') : source
  try {
    return new RegExp(text, flags.replace('x', ''))
  } catch {
    return undefined
  }
}

const characters = (text: string): string[] => Array.from(text)

export const text: Library = {
  CONCAT: any(2, Infinity, (given) =>
    given.every((part) => typeof part === 'string') ? given.join('') : undefined,
  ),
  CONTAINS: test((whole, part) => whole.includes(part)),
  ENDSWITH: test((whole, part) => whole.endsWith(part)),
  STARTSWITH: test((whole, part) => whole.startsWith(part)),
  STRINGEQUALS: test((a, b) => a === b),
  INDEX_OF: any(2, 3, ([whole, part, from]) => {
    if (typeof whole !== 'string' || typeof part !== 'string') return undefined
    if (from !== undefined && typeof from !== 'number') return undefined
    return whole.indexOf(part, from ?? 0)
  }),
  LEFT: any(2, 2, ([whole, count]) =>
    typeof whole === 'string' && typeof count === 'number' ? whole.slice(0, Math.max(0, count)) : undefined,
  ),
  RIGHT: any(2, 2, ([whole, count]) =>
    typeof whole === 'string' && typeof count === 'number'
      ? whole.slice(Math.max(0, whole.length - Math.max(0, count)))
      : undefined,
  ),
  LENGTH: textual(1, 1, 1, (whole) => (whole ?? '').length),
  LOWER: textual(1, 1, 1, (whole) => whole?.toLowerCase()),
  UPPER: textual(1, 1, 1, (whole) => whole?.toUpperCase()),
  TRIM: textual(1, 1, 1, (whole) => whole?.trim()),
  LTRIM: textual(1, 1, 1, (whole) => whole?.trimStart()),
  RTRIM: textual(1, 1, 1, (whole) => whole?.trimEnd()),
  REGEXMATCH: textual(2, 3, 3, (whole, source, flags = '') =>
    pattern(source ?? '', flags)?.test(whole ?? ''),
  ),
  REPLACE: textual(3, 3, 3, (whole, part, by) =>
    part === '' ? whole : whole?.replaceAll(part ?? '', () => by ?? ''),
  ),
  REPLICATE: any(2, 2, ([whole, count]) => {
    if (typeof whole !== 'string' || typeof count !== 'number' || count < 0) return undefined
    return whole.length * count > 10_000 ? undefined : whole.repeat(Math.trunc(count))
  }),
  REVERSE: textual(1, 1, 1, (whole) =>
    characters(whole ?? '')
      .reverse()
      .join(''),
  ),
  STRINGJOIN: any(2, 2, ([parts, by]) =>
    Array.isArray(parts) && parts.every((part) => typeof part === 'string') && typeof by === 'string'
      ? parts.join(by)
      : undefined,
  ),
  STRINGSPLIT: textual(2, 2, 2, (whole, by) => (by === '' ? undefined : whole?.split(by ?? ''))),
  STRINGTOARRAY: textual(1, 1, 1, (whole) => {
    const value = parseJson(whole ?? '')
    return Array.isArray(value) ? value : undefined
  }),
  STRINGTOBOOLEAN: textual(1, 1, 1, (whole) => {
    const value = whole?.trim()
    return value === 'true' ? true : value === 'false' ? false : undefined
  }),
  STRINGTONULL: textual(1, 1, 1, (whole) => (whole?.trim() === 'null' ? null : undefined)),
  STRINGTONUMBER: textual(1, 1, 1, (whole) => {
    const value = parseJson(whole ?? '')
    return typeof value === 'number' ? value : undefined
  }),
  STRINGTOOBJECT: textual(1, 1, 1, (whole) => {
    const value = parseJson(whole ?? '')
    return isObject(value) ? value : undefined
  }),
  SUBSTRING: any(3, 3, ([whole, start, count]) => {
    if (typeof whole !== 'string' || typeof start !== 'number' || typeof count !== 'number') return undefined
    if (count <= 0 || start >= whole.length) return ''
    const from = Math.max(0, Math.trunc(start))
    return whole.slice(from, from + Math.trunc(count))
  }),
  TOSTRING: any(1, 1, ([value]) => {
    if (value === undefined) return undefined
    if (typeof value === 'string') return value
    return typeof value === 'object' && value !== null ? JSON.stringify(value) : canonical(value)
  }),
}
