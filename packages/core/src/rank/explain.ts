import { NEIGHBOUR_STEPS, type HistoryRows } from './features.ts'
import { gatherRows } from './matrix.ts'
import type { ServingModel } from './model.ts'

/** What is said less loudly than this is no reason. */
const LEAST_CONTRIBUTION = 0.02

/**
 * The step of a history that speaks loudest for each item: sequential rule and cosine of the last 5 steps, decayed.
 * O(n·5·d + 5·K) time.
 *
 * @param rows - of the list; different ones
 * @returns index into `history.rows` for each; undefined where no other item speaks for it
 */
export function explain(
  model: ServingModel,
  history: HistoryRows,
  rows: readonly number[],
): (number | undefined)[] {
  const { dim, neighbours: k, factors, scanner, srItems, srScores, srScales, srSums } = model
  const steps = history.rows
  const used = Math.min(NEIGHBOUR_STEPS, steps.length)
  const newest = Array.from({ length: used }, (_, back) => steps[steps.length - 1 - back]!)
  const said = scanner.dots(Uint32Array.from(rows), gatherRows(factors, dim, newest))
  const placeOf = new Map(rows.map((row, place) => [row, place]))
  for (let at = 0; at < said.length; at++) said[at] = 0.1 * Math.max(0, said[at]!)
  for (const [back, source] of newest.entries()) {
    const sum = srSums[source]!
    if (!(sum > 0)) continue
    const scale = srScales[source]! / 65_025 / sum
    for (let slot = source * k; slot < (source + 1) * k; slot++) {
      const score = srScores[slot]!
      if (score === 0) break
      const place = placeOf.get(srItems[slot]!)
      if (place !== undefined) said[place * used + back]! += scale * score * score
    }
  }
  return rows.map((row, place) => {
    let best: number | undefined
    let most = LEAST_CONTRIBUTION
    for (const [back, source] of newest.entries()) {
      const contribution = Math.exp(-back / 2) * said[place * used + back]!
      if (source === row || contribution <= most) continue
      most = contribution
      best = steps.length - 1 - back
    }
    return best
  })
}
