import type { Random } from '@attune/core'

/** A figure and where it would lie on other visits of the same kind. */
export interface Interval {
  readonly estimate: number
  readonly low: number
  readonly high: number
}

/**
 * Interval of a statistic of visits by resampling whole visits with replacement: the clicks of one visit are not
 * independent of each other, and both models answer for the same ones (paired).
 *
 * Quantiles of the deviations from the resamples' mean are put around the estimate: a statistic such as the number of
 * different items is smaller on every resample, which has fewer different visits, and only its spread is wanted.
 *
 * O(resamples · cost of `statistic`).
 *
 * @param statistic - of a list of visits, in which one may be repeated
 * @see Efron & Tibshirani 1993, "An Introduction to the Bootstrap", §13; Sakai 2006 for paired retrieval metrics
 */
export function bootstrap(
  visits: number,
  statistic: (chosen: Uint32Array) => number,
  options: { readonly resamples: number; readonly confidence: number; readonly random: Random },
): Interval {
  const { resamples, confidence, random } = options
  const estimate = statistic(Uint32Array.from({ length: visits }, (_, visit) => visit))
  const chosen = new Uint32Array(visits)
  const values = Float64Array.from({ length: resamples }, () => {
    for (let place = 0; place < visits; place++) chosen[place] = Math.floor(random() * visits)
    return statistic(chosen)
  }).sort()
  const mean = values.reduce((sum, value) => sum + value, 0) / resamples
  const quantile = (share: number) => values[Math.round(share * (resamples - 1))]! - mean
  const tail = (1 - confidence) / 2
  return { estimate, low: estimate + quantile(tail), high: estimate + quantile(1 - tail) }
}

/** The mean of what prefixes have, for a list of visits. `sums`, `counts` `[V]`: over the prefixes of each visit. */
export function meanOf(sums: Float64Array, counts: Float64Array): (chosen: Uint32Array) => number {
  return (chosen) => {
    let [sum, count] = [0, 0]
    for (const visit of chosen) {
      sum += sums[visit]!
      count += counts[visit]!
    }
    return count === 0 ? 0 : sum / count
  }
}
