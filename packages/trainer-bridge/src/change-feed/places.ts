import { ChangeFeedError } from './error.ts'

/** A slice of the key space, from `min` up to but without `max`; hexadecimal effective partition keys. */
export interface KeyRange {
  readonly min: string
  readonly max: string
}

/** How far one slice has been read: `token` is the etag of its last page. */
export interface Place extends KeyRange {
  readonly token: string
}

/** A continuation of the SDK's pull model, which may cover several slices. */
export interface Continuation {
  /** Of the container the feed is of. */
  readonly rid: string
  readonly places: readonly Place[]
}

/** @throws {ChangeFeedError} `CONTINUATION_MALFORMED` */
export function parseContinuation(text: string): Continuation {
  const malformed = () =>
    new ChangeFeedError(
      'CONTINUATION_MALFORMED',
      `continuation: expected that of a change feed of ranges, received ${JSON.stringify(text.slice(0, 60))}`,
    )
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw malformed()
  }
  const { rid, Continuation: list } = (value ?? {}) as { rid?: unknown; Continuation?: unknown }
  if (typeof rid !== 'string' || !Array.isArray(list) || list.length === 0) throw malformed()
  const places = list.map((one: unknown): Place => {
    const {
      minInclusive: min,
      maxExclusive: max,
      continuationToken: token,
    } = (one ?? {}) as Record<string, unknown>
    if (typeof min !== 'string' || typeof max !== 'string' || !(min < max)) throw malformed()
    return { min, max, token: typeof token === 'string' ? token : '' }
  })
  return { rid, places: coalesce(places) }
}

/** The inverse of {@link parseContinuation}; slices are ordered and those that touch at the same place are one. */
export function formatContinuation({ rid, places }: Continuation): string {
  const list = coalesce(places).map(({ min, max, token }) => ({
    minInclusive: min,
    maxExclusive: max,
    continuationToken: token,
  }))
  return JSON.stringify({ rid, Continuation: list })
}

/** What a continuation says about a part of its range, or of a range around it. */
export function placesWithin(places: readonly Place[], { min, max }: KeyRange): Place[] {
  return places
    .filter((place) => place.min < max && min < place.max)
    .map((place) => ({
      min: place.min < min ? min : place.min,
      max: place.max > max ? max : place.max,
      token: place.token,
    }))
}

/** The parts of a range that none of `known` covers, in order. */
export function uncoveredParts(range: KeyRange, known: readonly KeyRange[]): KeyRange[] {
  const parts: KeyRange[] = []
  let from = range.min
  for (const { min, max } of [...known].sort((a, b) => (a.min < b.min ? -1 : 1))) {
    if (max <= from || min >= range.max) continue
    if (min > from) parts.push({ min: from, max: min })
    from = max
  }
  if (from < range.max) parts.push({ min: from, max: range.max })
  return parts
}

export function overlaps(a: KeyRange, b: KeyRange): boolean {
  return a.min < b.max && b.min < a.max
}

/** Key of a range in checkpoints, ids and logs. */
export function keyOf({ min, max }: KeyRange): string {
  return `${min}-${max}`
}

export function rangeOf(key: string): KeyRange {
  const [min = '', max = ''] = key.split('-')
  return { min, max }
}

function coalesce(places: readonly Place[]): Place[] {
  const joined: Place[] = []
  for (const place of [...places].sort((a, b) => (a.min < b.min ? -1 : 1))) {
    const last = joined.at(-1)
    if (last !== undefined && last.max === place.min && last.token === place.token) {
      joined[joined.length - 1] = { ...last, max: place.max }
    } else joined.push(place)
  }
  return joined
}

/**
 * How far a whole feed has been read, whatever its ranges were at the time: kept by slices of the key space, so a split
 * or merge changes nothing about it.
 */
export class FeedPlaces {
  #rid = ''
  #places: Place[] = []

  /** @param continuations - as {@link continuations} gave them, or any continuations that do not overlap */
  constructor(continuations: Iterable<string> = []) {
    for (const continuation of continuations) this.advance(continuation)
  }

  /** As it is now, to look ahead with. */
  copy(): FeedPlaces {
    const copy = new FeedPlaces()
    copy.#rid = this.#rid
    copy.#places = this.#places
    return copy
  }

  /** Slices that have been read at all. */
  get places(): readonly Place[] {
    return this.#places
  }

  /** A continuation for each slice, in order. */
  get continuations(): [range: KeyRange, continuation: string][] {
    return this.#places.map((place) => [
      { min: place.min, max: place.max },
      formatContinuation({ rid: this.#rid, places: [place] }),
    ])
  }

  /** Sets every slice the continuation names to where it says; the rest of the feed stays where it is. */
  advance(continuation: string): void {
    const { rid, places } = parseContinuation(continuation)
    // Another rid is another container of the same name: nothing known of the old one is true of it.
    const kept = rid === this.#rid ? this.#places : []
    const rest = kept.flatMap((place) =>
      uncoveredParts(place, places).map((part) => ({ ...part, token: place.token })),
    )
    this.#rid = rid
    this.#places = coalesce([...rest, ...places])
  }

  /** Where to go on reading a range; undefined when some of it has never been read. */
  continuationOf(range: KeyRange): string | undefined {
    const within = placesWithin(this.#places, range)
    if (uncoveredParts(range, within).length > 0) return undefined
    return formatContinuation({ rid: this.#rid, places: within })
  }

  /** Whether nothing of a range has been read yet. */
  isNew(range: KeyRange): boolean {
    return placesWithin(this.#places, range).length === 0
  }
}
