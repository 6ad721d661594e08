import type { Random } from '../uuid.ts'
import type { Exploration } from './rules.ts'

export interface Explored {
  /** Indices into the pool, in order. */
  readonly order: readonly number[]
  /**
   * For each, how likely it was to stand there given what stands above it. Their product is the probability of the list;
   * the first one's is the probability of being shown first.
   */
  readonly propensities: readonly number[]
}

/**
 * Draws a list out of a pool, place by place and without putting back.
 *
 * @param scores - of the pool, which is in order, best first
 * @param size - places to be filled
 */
export function explore(
  scores: readonly number[],
  size: number,
  policy: Exploration,
  random: Random,
): Explored {
  const left = scores.map((_, index) => index)
  const order: number[] = []
  const propensities: number[] = []
  while (order.length < size && left.length > 0) {
    const shares =
      'epsilon' in policy ? epsilonShares(left, policy.epsilon) : softmax(left, scores, policy.temperature)
    const at = draw(shares, random())
    propensities.push(shares[at]!)
    order.push(left[at]!)
    left.splice(at, 1)
  }
  return { order, propensities }
}

/** With ε any that is left, each as likely as another; else the first. */
function epsilonShares(left: readonly number[], epsilon: number): number[] {
  return left.map((_, index) => epsilon / left.length + (index === 0 ? 1 - epsilon : 0))
}

function softmax(left: readonly number[], scores: readonly number[], temperature: number): number[] {
  const best = left.reduce((most, index) => Math.max(most, scores[index]!), -Infinity)
  const weights = left.map((index) => Math.exp((scores[index]! - best) / temperature))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return weights.map((weight) => weight / sum)
}

/** @param at - `[0, 1)` */
function draw(shares: readonly number[], at: number): number {
  let below = 0
  for (const [index, share] of shares.entries()) {
    below += share
    if (at < below) return index
  }
  // Rounding may leave the sum a little under 1: the last that can be drawn at all.
  return shares.findLastIndex((share) => share > 0)
}
