import type { Random } from '@attune/core'

const FIRST_RETRY_MS = 1_000
const MAX_RETRY_MS = 60_000

/**
 * Wait before try number `attempt` + 1: half of 1 s · 2^attempt, capped at 60 s, and up to the same again by chance, so
 * that visitors who were cut off together do not come back together.
 *
 * @param attempt - failed tries so far, from 1
 * @returns milliseconds
 */
export function backoff(attempt: number, random: Random): number {
  return (Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempt - 1)) / 2) * (1 + random())
}
