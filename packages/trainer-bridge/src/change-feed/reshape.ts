import { Claim, type ClaimOptions } from './claim.ts'
import { newLease, nextGeneration, type LeaseDocument } from './lease.ts'
import type { LeasedRange } from './leased-range.ts'
import { formatContinuation, overlaps, parseContinuation, placesWithin, type KeyRange } from './places.ts'
import type { Partition } from './processor.ts'

export interface ReshapeDeps<Document> {
  readonly claims: ClaimOptions
  readonly prefix: string
  readonly partitions: readonly Partition[]
  /** All there are, also those that do not count. */
  readonly leases: readonly LeaseDocument[]
  /** Ends reading of a range. @returns where it got to */
  readonly stop: (held: LeasedRange<Document>) => Promise<string | undefined>
}

/**
 * Replaces a lease whose range is now in several physical partitions by one for each, which go on where it stopped. They
 * are this instance's until the balance says otherwise.
 */
export async function splitRange<Document>(
  held: LeasedRange<Document>,
  deps: ReshapeDeps<Document>,
): Promise<Claim<LeaseDocument>[]> {
  const { range } = held.claim.document
  const parts = deps.partitions
    .filter((partition) => overlaps(partition, range))
    .map(({ id, min, max }) => ({
      partition: id,
      min: min < range.min ? range.min : min,
      max: max > range.max ? range.max : max,
    }))
  if (parts.length < 2 || held.claim.lost.aborted) return []
  const continuation = await deps.stop(held)
  const generation = nextGeneration(range, deps.leases)
  const children: Claim<LeaseDocument>[] = []
  try {
    for (const { partition, min, max } of parts) {
      const child = await make({ min, max }, partition, generation, part(continuation, { min, max }), deps)
      if (child !== undefined) children.push(child)
    }
    await held.claim.remove()
    return children
  } catch (error) {
    // What is half done, whoever takes the lease next does to the end.
    await Promise.all([held.claim, ...children].map((claim) => claim.release()))
    throw error
  }
}

/**
 * Replaces leases of one physical partition by a single one, once all of them are this instance's and have been read:
 * what a merge leaves behind.
 */
export async function joinRanges<Document>(
  held: readonly LeasedRange<Document>[],
  active: readonly LeaseDocument[],
  deps: ReshapeDeps<Document>,
): Promise<Claim<LeaseDocument>[]> {
  const joined: Claim<LeaseDocument>[] = []
  for (const { id, min, max } of deps.partitions) {
    const leases = active.filter(({ range }) => overlaps(range, { min, max }))
    const mine = held.filter(({ claim }) => leases.some((lease) => lease.id === claim.document.id))
    const within = leases.every(({ range }) => range.min >= min && range.max <= max)
    if (leases.length < 2 || mine.length !== leases.length || !within) continue
    if (mine.some(({ claim }) => claim.document.continuation === null || claim.lost.aborted)) continue
    const places = await Promise.all(mine.map((one) => deps.stop(one)))
    const continuations = places.flatMap((place) => (place === undefined ? [] : [parseContinuation(place)]))
    const [first] = continuations
    if (first === undefined) continue
    const generation = nextGeneration({ min, max }, deps.leases)
    const continuation = formatContinuation({
      rid: first.rid,
      places: continuations.flatMap((one) => one.places),
    })
    try {
      const claim = await make({ min, max }, id, generation, continuation, deps)
      if (claim === undefined) continue
      joined.push(claim)
      for (const one of mine) await one.claim.remove()
    } finally {
      // Does nothing to those that were removed.
      await Promise.all(mine.map((one) => one.claim.release()))
    }
  }
  return joined
}

/** Undefined when it is there already: somebody began this before and was interrupted; it is taken like any other. */
function make(
  range: KeyRange,
  partition: string,
  generation: number,
  continuation: string | undefined,
  { claims, prefix }: ReshapeDeps<unknown>,
): Promise<Claim<LeaseDocument> | undefined> {
  const body = newLease(prefix, range, partition, generation)
  const tokens = continuation === undefined ? [] : parseContinuation(continuation).places
  return Claim.make<LeaseDocument>(claims, {
    ...body,
    continuation: continuation ?? null,
    ContinuationToken: tokens.length === 1 ? (tokens[0]?.token ?? '') : '',
    timestamp: new Date().toISOString(),
  })
}

function part(continuation: string | undefined, range: KeyRange): string | undefined {
  if (continuation === undefined) return undefined
  const { rid, places } = parseContinuation(continuation)
  return formatContinuation({ rid, places: placesWithin(places, range) })
}
