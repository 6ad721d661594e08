import { badRequest } from '../errors.ts'
import { parseJson } from '../json.ts'
import type { Container, PkRange } from '../store/catalog.ts'
import { overlapping, type Target } from './ranges.ts'

/** A stretch of keys still to be read, and the document number read up to in it. */
export interface Pending {
  min: string
  max: string
  document: number
}

export interface Continuation {
  readonly pending: Pending[]
  /** Rows given out so far, for TOP, OFFSET and LIMIT and for results that are computed whole. */
  readonly given: number
  /** Rows of the next document already given out. */
  readonly within: number
  /** The token was of a wider range, which has since been split. */
  readonly cut?: boolean
}

/**
 * Opaque to clients. Places are stretches of keys and document numbers, both of which outlive a split or merge:
 * the token of a parent range means the right thing to each of its children.
 */
export function formatContinuation(continuation: Continuation): string {
  const { pending, given, within } = continuation
  return Buffer.from(
    JSON.stringify([pending.map((one) => [one.min, one.max, one.document]), given, within]),
  ).toString('base64url')
}

export function parseContinuation(token: string | undefined, target: Target): Continuation {
  if (token === undefined || token === '') {
    return { pending: [{ min: target.min, max: target.max, document: -1 }], given: 0, within: 0 }
  }
  const value = parseJson(Buffer.from(token, 'base64url').toString('utf8'))
  if (!Array.isArray(value) || !Array.isArray(value[0])) {
    throw badRequest('The continuation token is malformed.')
  }
  const pending: Pending[] = []
  let cut = false
  for (const one of value[0]) {
    if (!Array.isArray(one)) continue
    const min = String(one[0]) > target.min ? String(one[0]) : target.min
    const max = String(one[1]) < target.max ? String(one[1]) : target.max
    if (min !== one[0] || max !== one[1]) cut = true
    if (min < max) pending.push({ min, max, document: Number(one[2]) })
  }
  return { pending, given: Number(value[1]), within: Number(value[2]), cut }
}

/** The live range in which the next pending stretch begins; a stretch over several ranges is cut first. */
export function nextRange(
  container: Container,
  pending: Pending[],
): { range: PkRange; stretch: Pending } | undefined {
  const stretch = pending[0]
  if (stretch === undefined) return undefined
  const ranges = overlapping(container, stretch.min, stretch.max)
  const range = ranges[0]
  if (range === undefined) {
    pending.shift()
    return nextRange(container, pending)
  }
  if (stretch.max > range.max) {
    const rest: Pending = { min: range.max, max: stretch.max, document: stretch.document }
    stretch.max = range.max
    pending.splice(1, 0, rest)
  }
  return { range, stretch }
}
