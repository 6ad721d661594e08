import type { Interval } from './bootstrap.ts'

/** What a new epoch is held against the serving one by. */
export type GateMetric = 'hr20' | 'mrr20' | 'coverage' | 'popularity'

export interface Finding {
  readonly metric: GateMetric
  readonly candidate: number
  readonly serving: number
  /** Candidate against serving: a difference, for coverage as a share of the serving one's. */
  readonly difference: number
  readonly interval: readonly [low: number, high: number]
  /** How much worse it may be. */
  readonly bound: number
  /** `interval` where the visits suffice to tell, else the difference itself decides. */
  readonly judgedBy: 'interval' | 'estimate'
  readonly ok: boolean
}

/** Worst change allowed; the same for every data set. */
export const BOUNDS: Readonly<Record<GateMetric, number>> = {
  // A point and a half: with 10,000 prefixes twice the width of the interval between two trainings that differ in the seed.
  hr20: 0.015,
  mrr20: 0.01,
  // A tenth fewer different items.
  coverage: 0.1,
  // Items five hundredths of the catalogue higher up in popularity.
  popularity: 0.05,
}

/**
 * Is the change within its bound? Where the interval is at most as wide as the bound, all of it has to lie within: an
 * equally good model then passes 39 times out of 40. Where visits are too few for that, nothing can be shown, and the
 * difference itself has to lie within.
 *
 * @param better - which way is up
 */
export function judge(
  metric: GateMetric,
  { candidate, serving }: { readonly candidate: number; readonly serving: number },
  { estimate, low, high }: Interval,
  bound: number,
  better: 'higher' | 'lower',
): Finding {
  const [worst, worstOfInterval] = better === 'higher' ? [estimate, low] : [-estimate, -high]
  const judgedBy = high - low <= bound ? 'interval' : 'estimate'
  return {
    metric,
    candidate: round(candidate),
    serving: round(serving),
    difference: round(estimate),
    interval: [round(low), round(high)],
    bound,
    judgedBy,
    ok: (judgedBy === 'interval' ? worstOfInterval : worst) >= -bound,
  }
}

function round(value: number): number {
  return Number(value.toFixed(5))
}
