import type { Claimable } from './claim.ts'
import type { StoredDocument } from './lease-store.ts'
import { keyOf, overlaps, uncoveredParts, type KeyRange } from './places.ts'

/**
 * Who reads a range of the feed, and how far. `LeaseToken`, `ContinuationToken` and `Owner` are what the .NET and Java
 * processors write and KEDA's `azure-cosmosdb` scaler reads; the rest is ours.
 */
export interface LeaseDocument extends Claimable {
  /** Id of the physical partition the range is in. */
  readonly LeaseToken: string
  /** Etag of the last page, for `If-None-Match`; empty before the first. */
  readonly ContinuationToken: string
  /** ISO 8601: when it was last written. */
  readonly timestamp: string
  readonly range: KeyRange
  /** 1 at first; those a split or merge makes are one above those they replace. */
  readonly generation: number
  /** Continuation of the SDK's pull model for the range; null before the first page. */
  readonly continuation: string | null
}

/** That an instance is there, renewed each round. */
export interface MemberDocument extends StoredDocument {
  readonly member: string
}

/** The ranges a feed had when its first lease was made: everybody starts from the same. */
export interface FeedInfoDocument extends StoredDocument {
  readonly ranges: readonly (KeyRange & { readonly partition: string })[]
}

/** Ids as the .NET and Java processors make them: processor name, account host, container rid. */
export function leasePrefix(name: string, endpoint: string, rid: string): string {
  return `${name}${new URL(endpoint).hostname}_${rid}.`
}

export function leaseId(prefix: string, range: KeyRange): string {
  return `${prefix}.${keyOf(range)}`
}

/** A lease as it is made: not owned, not read. */
export function newLease(
  prefix: string,
  range: KeyRange,
  partition: string,
  generation: number,
): Omit<LeaseDocument, '_etag'> {
  return {
    id: leaseId(prefix, range),
    LeaseToken: partition,
    ContinuationToken: '',
    Owner: null,
    term: '',
    timestamp: '',
    range,
    generation,
    continuation: null,
  }
}

/** What a set of leases means. */
export interface LeaseSet<Lease> {
  /** To be read: together they cover everything a lease covers, and never anything twice. */
  readonly active: readonly Lease[]
  /** Replaced by others that cover all of it; to be deleted. */
  readonly superseded: readonly Lease[]
}

/**
 * A split or merge cannot replace leases in one step, so for a while there are old and new ones: an old lease counts until
 * the new ones cover all of it, a new one from the moment no old one overlaps it. Whoever dies in the middle of it leaves a
 * set that means what it meant before or what it means after.
 */
export function readLeases<Lease extends Pick<LeaseDocument, 'range' | 'generation'>>(
  leases: readonly Lease[],
): LeaseSet<Lease> {
  const superseded = leases.filter((lease) => {
    const newer = leases.filter((other) => replaces(other, lease)).map(({ range }) => range)
    return newer.length > 0 && uncoveredParts(lease.range, newer).length === 0
  })
  const standing = leases.filter((lease) => !superseded.includes(lease))
  const active = standing.filter((lease) => !standing.some((other) => replaces(lease, other)))
  return { active, superseded }
}

/** The generation of leases made for a range: above all that are there, half-made ones too, so that they come after them. */
export function nextGeneration(
  range: KeyRange,
  leases: readonly Pick<LeaseDocument, 'range' | 'generation'>[],
): number {
  return (
    leases.reduce((most, one) => (overlaps(one.range, range) ? Math.max(most, one.generation) : most), 0) + 1
  )
}

/** Whether `lease` is meant to come after `other`, for the part they share. */
function replaces(
  lease: Pick<LeaseDocument, 'range' | 'generation'>,
  other: Pick<LeaseDocument, 'range' | 'generation'>,
): boolean {
  return lease.generation > other.generation && overlaps(lease.range, other.range)
}
