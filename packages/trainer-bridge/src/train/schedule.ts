export const BETA1 = 0.9
export const BETA2 = 0.999
export const EPSILON = 1e-8

/**
 * One-cycle learning rate: cosine from peak/25 up to the peak in the first 10 %, cosine down to peak/250,000.
 *
 * @returns `[steps + 1]`; entry t is the rate of step t, counted from 1
 * @see Smith & Topin 2017, "Super-Convergence"; the shape is PyTorch's OneCycleLR
 */
export function oneCycle(steps: number, peak: number): Float64Array {
  const rates = new Float64Array(steps + 1)
  const rise = Math.max(1, 0.1 * steps - 1)
  const fall = Math.max(1, steps - 1 - rise)
  const cosine = (from: number, to: number, share: number) =>
    to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share))
  for (let step = 0; step < steps; step++) {
    rates[step + 1] =
      step <= rise
        ? cosine(peak / 25, peak, step / rise)
        : cosine(peak, peak / 25 / 1e4, Math.min(1, (step - rise) / fall))
  }
  return rates
}

/** Adam's numbers for every step of a run, and what it does to rows without a gradient. */
export interface AdamSchedule {
  /** [steps + 1]: rate with both bias corrections folded in */
  readonly rates: Float64Array
  /** [steps + 1]: epsilon scaled to go with it */
  readonly epsilons: Float64Array
  /**
   * Dense Adam moves a row whose gradient is zero too, as long as its momentum lasts: over steps `last + 1` to `now` by
   * −`factor` · m/√v in all, a geometric sum with ratio β₁/√β₂.
   */
  missed(last: number, now: number): number
}

export function adamSchedule(rates: Float64Array): AdamSchedule {
  const steps = rates.length - 1
  const folded = new Float64Array(steps + 1)
  const epsilons = new Float64Array(steps + 1)
  for (let step = 1; step <= steps; step++) {
    const root = Math.sqrt(1 - BETA2 ** step)
    folded[step] = (rates[step]! * root) / (1 - BETA1 ** step)
    epsilons[step] = EPSILON * root
  }
  // ahead[s] = Σ_{j ≥ 1} folded[s + j] · ratio^j, so any stretch is a difference of two.
  const ratio = BETA1 / Math.sqrt(BETA2)
  const ahead = new Float64Array(steps + 2)
  for (let step = steps - 1; step >= 0; step--) ahead[step] = ratio * (folded[step + 1]! + ahead[step + 1]!)
  return {
    rates: folded,
    epsilons,
    missed: (last, now) => ahead[last]! - ratio ** (now - last) * ahead[now]!,
  }
}
