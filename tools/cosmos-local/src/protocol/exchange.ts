import type { Region } from '../engine/replication.ts'
import type { Account } from '../engine/account.ts'

/** A request as handlers see it: address decoded, body read. */
export interface Exchange {
  readonly account: Account
  readonly region: Region
  readonly method: string
  /** Decoded parts of the path. */
  readonly segments: readonly string[]
  readonly path: string
  readonly body: Buffer
  /** Scheme and host the client used, to give back addresses that it can reach. */
  readonly origin: { readonly scheme: string; readonly host: string }
  header(name: string): string | undefined
  flag(name: string): boolean
}

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: string | undefined
  /** Milliseconds to hold the answer back: strong consistency waits for every region. */
  readonly waitMs?: number
}

export const SESSION_TOKEN = 'x-ms-session-token'
export const CHARGE = 'x-ms-request-charge'
export const PARTITION_KEY = 'x-ms-documentdb-partitionkey'
export const RANGE_ID = 'x-ms-documentdb-partitionkeyrangeid'
export const CONTINUATION = 'x-ms-continuation'
export const CONSISTENCY = 'x-ms-consistency-level'

const DEFAULT_PAGE = 100
const LARGEST_PAGE = 1000

/** Items of one page: -1 leaves it to the service. */
export function pageSize(exchange: Exchange): number {
  const asked = Number(exchange.header('x-ms-max-item-count') ?? DEFAULT_PAGE)
  if (asked === -1) return LARGEST_PAGE
  return Number.isInteger(asked) && asked > 0 ? Math.min(asked, 10_000) : DEFAULT_PAGE
}
