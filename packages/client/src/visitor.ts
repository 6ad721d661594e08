import type { VisitorResponse } from '@attune/core'
import type { Answer, Post } from './http.ts'
import type { FactKeeper } from './store/facts.ts'

/**
 * Pseudonymous handle, asked for when the first event is sent and not before: a visitor who does nothing has none. Call
 * it under the tabs' lock: one visitor, one handle.
 *
 * @returns the edge's answer where it did not issue one
 */
export async function obtainHandle(facts: FactKeeper, post: Post): Promise<string | Answer> {
  const { visitor: kept } = facts._known
  if (kept) return kept
  const answer = await post('visitors', {}, true)
  const visitor = (answer._body as VisitorResponse | undefined)?.visitor
  if (answer._status !== 201 || typeof visitor !== 'string') return answer
  await facts._update((now) => ({ ...now, visitor: now.visitor ?? visitor }))
  return visitor
}
