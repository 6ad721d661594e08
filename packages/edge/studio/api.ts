import type { Problem } from '@attune/core'
import type { ExplainAnswer, LiveAnswer } from '../src/studio/answers.ts'

/** The edge said no, with its code. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

const TIMEOUT_MS = 10_000

export const live = (key: string): Promise<LiveAnswer> => ask<LiveAnswer>(key, 'studio/api/live')

/** @param slot - whose rules count; empty: none */
export const explain = (key: string, visitor: string, slot: string): Promise<ExplainAnswer> =>
  ask<ExplainAnswer>(key, 'studio/api/explain', { visitor, ...(slot !== '' && { slot }) })

/** @param path - beside the page, which may be served below a prefix */
async function ask<Answer>(key: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${key}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (response.ok) return (await response.json()) as Answer
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>
  throw new Refused(problem.code ?? String(response.status), problem.detail ?? response.statusText)
}
