import type { EventsResponse, Problem } from '@attune/core'
import type { acknowledge } from './acknowledge.ts'
import type { Batch } from './batch.ts'
import type { Parts } from './parts.ts'

/** Nothing changes by itself about a wrong key: ask seldom. */
const KEY_REFUSED_WAIT_MS = 300_000

/**
 * What follows when the edge says no for a reason of its own. Few pages ever load this.
 *
 * @param failures - tries that failed before
 * @returns true: go on with the next batch; milliseconds: wait so long; undefined: like any other failure
 */
export async function refused(
  parts: Parts,
  batch: Batch,
  { code = '', issues = [] }: Partial<EventsResponse & Problem>,
  failures: number,
  // Handed over, so that what is loaded with every page is one file.
  giveUp: typeof acknowledge,
): Promise<true | number | undefined> {
  const { _report: report, _facts: facts } = parts
  if (/^(EVENTS|CONSENT)_|TOO_LARGE$/.test(code)) {
    report('EVENTS_REJECTED', code, { issues })
    await giveUp(parts, batch)
    return true
  }
  if (code === 'VISITOR_FORGED') {
    report('VISITOR_REFUSED', 'asking for a new handle')
    await facts._update((known) => ({ ...known, visitor: undefined }))
    return failures === 0 || undefined
  }
  if (code.startsWith('KEY_')) {
    report('KEY_REFUSED', code)
    return KEY_REFUSED_WAIT_MS
  }
  return undefined
}
