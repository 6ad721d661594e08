import type { BatchDocument } from '@attune/core'
import type { LiveModel } from '../refresh/live-model.ts'
import { Windows } from '../windows.ts'

/** Counts by name: pairs as `a>b` in units, and steps. */
export interface NamedCounts {
  readonly pairs: [string, number][]
  readonly steps: [string, number][]
}

/** Counts of all documents, once each, in the order they were stored: a single pass. */
export function recount(
  documents: readonly Pick<BatchDocument, 'id' | 'visitor' | 'received' | 'events'>[],
): NamedCounts {
  const pairs = new Map<string, number>()
  const steps = new Map<string, number>()
  const windows = new Windows()
  for (const document of documents) {
    windows.apply(document, {
      step: (item, sign) => steps.set(item, (steps.get(item) ?? 0) + sign),
      pair: (source, target, units, sign) =>
        pairs.set(`${source}>${target}`, (pairs.get(`${source}>${target}`) ?? 0) + sign * units),
    })
  }
  return { pairs: ordered(pairs), steps: ordered(steps) }
}

/** What a model has counted since its base. */
export function countsOf(live: LiveModel): NamedCounts {
  const counted = live.counts.state().pairs
  const name = (row: number | undefined) => live.ids[row ?? -1] ?? ''
  const pairs = new Map<string, number>()
  for (let at = 0; at < counted.length; at += 3) {
    pairs.set(`${name(counted[at])}>${name(counted[at + 1])}`, counted[at + 2] ?? 0)
  }
  const steps = new Map(live.ids.map((id, row) => [id, live.counts.steps(row)] as const))
  return { pairs: ordered(pairs), steps: ordered(steps) }
}

function ordered(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].filter(([, count]) => count !== 0).sort(([a], [b]) => (a < b ? -1 : 1))
}
