import { badRequest } from './errors.ts'
import type { PkRange } from './store/catalog.ts'

/**
 * `<range>:<version>#<LSN>` of an account with one region; with several, `#<region>=<LSN>` for the write region
 * follows and the version counts failovers. Tokens of several ranges are joined by commas.
 */
export function formatSessionToken(range: PkRange, lsn: number, topology: Topology): string {
  if (topology.regions === 1) return `${range.id}:-1#${lsn}`
  return `${range.id}:${topology.version}#${lsn}#${topology.writeRegion}=-1`
}

export interface Topology {
  readonly regions: number
  readonly version: number
  readonly writeRegion: number
}

/**
 * The LSN that a client's token asks of a range, 0 when it asks nothing. A token of a range that has since split or
 * merged counts for its children: they go on from their parents' numbers.
 */
export function requiredLsn(token: string | undefined, range: PkRange): number {
  if (token === undefined || token === '') return 0
  let required = 0
  for (const part of token.split(',')) {
    const colon = part.indexOf(':')
    const segments = part.slice(colon + 1).split('#')
    const lsn = Number(segments.length > 1 ? segments[1] : segments[0])
    if (!Number.isInteger(lsn)) throw badRequest(`The session token provided '${token}' is invalid.`)
    const id = colon < 0 ? range.id : part.slice(0, colon).trim()
    if ((id === range.id || range.parents.includes(id)) && lsn > required) required = lsn
  }
  return required
}
