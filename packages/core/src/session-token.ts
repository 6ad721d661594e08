import { CodedError } from './error.ts'

export type SessionTokenErrorCode = 'SESSION_TOKEN_MALFORMED'

/** The text is not a Cosmos session token. */
export class SessionTokenError extends CodedError<SessionTokenErrorCode> {
  override readonly name = 'SessionTokenError'
}

/** How far one physical partition had come. */
export interface RangeProgress {
  /** Raised on failover; -1 in the simple form `0:-1#12`. */
  readonly version: number
  /** Log sequence number over all regions. */
  readonly globalLsn: number
  /** Log sequence number by region id; empty with one write region. */
  readonly regions: ReadonlyMap<string, number>
}

/** Parsed session token: progress by physical partition (`pkrange`) id. */
export type SessionToken = ReadonlyMap<string, RangeProgress>

const MAX_TOKEN_LENGTH = 8_192
const RANGE = /^([0-9A-Za-z]{1,20}):(-?\d{1,15})#(\d{1,15})((?:#\d{1,10}=-?\d{1,15})*)$/

/**
 * Parses `<pkrange>:<version>#<globalLSN>#<region>=<localLSN>…`, ranges joined by commas.
 *
 * @throws {SessionTokenError} `SESSION_TOKEN_MALFORMED`
 * @see azure-sdk-for-js, sdk/cosmosdb/cosmos/src/session/VectorSessionToken.ts
 */
export function parseSessionToken(text: string): SessionToken {
  const token = new Map<string, RangeProgress>()
  if (text.length > MAX_TOKEN_LENGTH) throw malformed(`${text.length} characters`)
  for (const part of text.split(',')) {
    const match = RANGE.exec(part.trim())
    if (match === null) throw malformed(JSON.stringify(part.slice(0, 40)))
    const regions = new Map<string, number>()
    for (const pair of (match[4] ?? '').split('#')) {
      const [region, lsn] = pair.split('=')
      if (region !== undefined && region !== '' && lsn !== undefined) regions.set(region, Number(lsn))
    }
    const range = match[1] as string
    const progress = { version: Number(match[2]), globalLsn: Number(match[3]), regions }
    const earlier = token.get(range)
    token.set(range, earlier === undefined ? progress : mergeProgress(earlier, progress))
  }
  return token
}

export function formatSessionToken(token: SessionToken): string {
  return [...token]
    .map(([range, { version, globalLsn, regions }]) =>
      [`${range}:${version}`, globalLsn, ...[...regions].map(([region, lsn]) => `${region}=${lsn}`)].join(
        '#',
      ),
    )
    .join(',')
}

/** The newer of both in every range: higher version first, then the larger number of each region. */
export function mergeSessionTokens(a: SessionToken, b: SessionToken): SessionToken {
  const merged = new Map(a)
  for (const [range, progress] of b) {
    const other = merged.get(range)
    merged.set(range, other === undefined ? progress : mergeProgress(other, progress))
  }
  return merged
}

function mergeProgress(a: RangeProgress, b: RangeProgress): RangeProgress {
  const newer = a.version >= b.version ? a : b
  const older = newer === a ? b : a
  const regions = new Map(newer.regions)
  // Regions known only to the older version have left the account.
  for (const [region, lsn] of older.regions) {
    const known = regions.get(region)
    if (known !== undefined) regions.set(region, Math.max(known, lsn))
    else if (a.version === b.version) regions.set(region, lsn)
  }
  return { version: newer.version, globalLsn: Math.max(a.globalLsn, b.globalLsn), regions }
}

/**
 * Whether a read that came back with `have` has seen everything `want` stands for.
 *
 * A range of `want` that `have` does not name was split or merged since: Cosmos lets a child continue its parent's
 * numbers, so the read counts as caught up when each range it names is at or past the parent's.
 */
export function covers(have: SessionToken, want: SessionToken): boolean {
  for (const [range, wanted] of want) {
    const seen = have.get(range)
    if (seen !== undefined) {
      if (!reached(seen, wanted)) return false
    } else if (
      have.size === 0 ||
      ![...have.values()].every((progress) => progress.globalLsn >= wanted.globalLsn)
    ) {
      return false
    }
  }
  return true
}

function reached(seen: RangeProgress, wanted: RangeProgress): boolean {
  if (seen.version < wanted.version || seen.globalLsn < wanted.globalLsn) return false
  for (const [region, lsn] of wanted.regions) {
    const local = seen.regions.get(region)
    if (local === undefined ? seen.version === wanted.version : local < lsn) return false
  }
  return true
}

function malformed(received: string): SessionTokenError {
  return new SessionTokenError(
    'SESSION_TOKEN_MALFORMED',
    `session token: expected <range>:<version>#<lsn>[#<region>=<lsn>…], received ${received}`,
  )
}
