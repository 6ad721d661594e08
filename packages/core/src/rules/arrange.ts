import type { ItemAttributes } from '../item.ts'
import type { MaxPer } from './rules.ts'

/** Candidates in places 0 to n − 1, as the rules see them. */
export interface Candidates {
  /** [n] */
  readonly scores: ArrayLike<number>
  attributesOf(place: number): ItemAttributes | undefined
  /** From −1 to 1; asked only where there is a rule on diversity. */
  similarity(one: number, other: number): number
}

export interface Arrangement {
  readonly maxPer?: readonly MaxPer[]
  readonly diversity?: { readonly lambda: number }
}

/**
 * Chooses at most `size` candidates, one after the other: each time the one with the largest score of those no rule is
 * against. With diversity, the score counts from 0 for the worst candidate to 1 for the best, and the largest
 * `λ · score − (1 − λ) · likeness to the nearest above` is taken.
 *
 * O(size · n) time.
 *
 * @returns places, in order
 * @see Carbonell & Goldstein 1998, "The use of MMR, diversity-based reranking"
 */
export function arrange(candidates: Candidates, rules: Arrangement, size: number): number[] {
  const { scores } = candidates
  const { maxPer = [], diversity } = rules
  const left = Array.from({ length: scores.length }, (_, place) => place)
  left.sort((a, b) => scores[b]! - scores[a]! || a - b)
  const relevance = diversity && scaled(scores)
  const nearest = new Float64Array(scores.length).fill(-1)
  const counts = maxPer.map(() => new Map<unknown, number>())
  const allowed = (place: number): boolean =>
    maxPer.every((rule, index) =>
      valuesOf(candidates.attributesOf(place), rule.attr).every(
        (value) => (counts[index]?.get(value) ?? 0) < rule.k,
      ),
    )
  const chosen: number[] = []
  while (chosen.length < size && left.length > 0) {
    let best = 0
    if (relevance !== undefined && diversity !== undefined) {
      const { lambda } = diversity
      // Nothing stands above the first, so nothing is like it.
      const value = (place: number): number =>
        lambda * relevance[place]! - (chosen.length === 0 ? 0 : (1 - lambda) * nearest[place]!)
      for (let index = 1; index < left.length; index++)
        if (value(left[index]!) > value(left[best]!)) best = index
    }
    const [place] = left.splice(best, 1) as [number]
    if (!allowed(place)) continue
    chosen.push(place)
    for (const [index, rule] of maxPer.entries())
      for (const value of valuesOf(candidates.attributesOf(place), rule.attr))
        counts[index]?.set(value, (counts[index].get(value) ?? 0) + 1)
    if (diversity !== undefined)
      for (const other of left)
        nearest[other] = Math.max(nearest[other]!, candidates.similarity(place, other))
  }
  return chosen
}

/** Values that count: each of a list; none for an item that does not say, which no limit holds back. */
function valuesOf(attributes: ItemAttributes | undefined, attr: string): readonly unknown[] {
  if (attributes === undefined || !Object.hasOwn(attributes, attr)) return []
  const value = attributes[attr]
  return Array.isArray(value) ? value : [value]
}

function scaled(scores: ArrayLike<number>): Float64Array {
  let min = Infinity
  let max = -Infinity
  for (let place = 0; place < scores.length; place++) {
    min = Math.min(min, scores[place]!)
    max = Math.max(max, scores[place]!)
  }
  return Float64Array.from(scores, (score) => (max > min ? (score - min) / (max - min) : 1))
}
