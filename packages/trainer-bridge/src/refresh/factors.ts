import type { Random } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import { encode, type EncoderWeights } from '@attune/core/rank'

/** Step on the sphere: a click the model did not expect turns a new row by about eight degrees. */
const LEARNING_RATE = 0.01
/** Clicks that halve a row's steps. */
const SETTLED_CLICKS = 10
/** Clicks after which a new row is halfway to its neighbours. */
const PLACED_CLICKS = 20
/** Rows the clicked one is told apart from; shared by a micro-batch. */
const NEGATIVES = 512

/** One step of a visit as rows of the model, oldest first. */
export interface RowExample {
  readonly rows: readonly number[]
  /** Index in `HISTORY_KINDS`. */
  readonly kinds: readonly number[]
  /** Hours before the newest. */
  readonly ages: readonly number[]
  readonly target: number
}

/** Draws rows with probability ∝ (count + 1)^0.5, the distribution the trainer corrects for. */
export class NegativeSampler {
  readonly #cumulative: Float64Array

  /** @param popularity - `[N]` */
  constructor(popularity: ArrayLike<number>) {
    this.#cumulative = new Float64Array(popularity.length)
    let total = 0
    for (let row = 0; row < popularity.length; row++) {
      total += Math.sqrt(popularity[row]! + 1)
      this.#cumulative[row] = total
    }
  }

  draw(random: Random): number {
    const at = random() * (this.#cumulative.at(-1) ?? 0)
    let low = 0
    let high = this.#cumulative.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#cumulative[middle]! > at) high = middle
      else low = middle + 1
    }
    return low
  }

  probability(row: number): number {
    const total = this.#cumulative.at(-1) ?? 1
    if (row >= this.#cumulative.length) return 1 / total
    return (this.#cumulative[row]! - (row === 0 ? 0 : this.#cumulative[row - 1]!)) / total
  }
}

/**
 * One pass of sampled softmax over examples, the encoder frozen: for logits s = q·e/τ − log Q the gradient at a row is
 * (p − y)·q/τ; rows move against it and are brought back to unit length.
 *
 * O(examples · (L·d² + negatives·d)).
 *
 * @param factors - `[N, d]`, changed in place
 * @param changing - told each row before it changes
 * @see Jean et al. 2015, "On Using Very Large Target Vocabulary for Neural Machine Translation", §3
 */
export function stepFactors(
  factors: Float32Array,
  examples: readonly RowExample[],
  options: {
    readonly encoder: EncoderWeights
    readonly temperature: number
    readonly sampler: NegativeSampler
    readonly random: Random
    /** How often a row was clicked, in training and since. */
    readonly clicks: (row: number) => number
  },
  changing: (row: number) => void,
): void {
  const { encoder, temperature, sampler, random, clicks } = options
  if (examples.length === 0) return
  const d = encoder.dim
  const multiplicity = new Map<number, number>()
  for (let draw = 0; draw < NEGATIVES; draw++) {
    const row = sampler.draw(random)
    multiplicity.set(row, (multiplicity.get(row) ?? 0) + 1)
  }
  const negatives = [...multiplicity.keys()]
  const logits = new Float64Array(negatives.length + 1)
  for (const example of examples) {
    const query = encodeRows(factors, example, encoder)
    const rows = [example.target, ...negatives]
    let max = -Infinity
    rows.forEach((row, index) => {
      let dot = 0
      for (let c = 0; c < d; c++) dot += factors[row * d + c]! * query[c]!
      const seen = index === 0 ? 1 : (multiplicity.get(row) ?? 1)
      // Each negative stands for as many draws as it had; the target drawn by chance is not its own negative.
      const masked = index > 0 && row === example.target
      logits[index] = masked
        ? -Infinity
        : dot / temperature + Math.log(seen) - Math.log(NEGATIVES * sampler.probability(row))
      max = Math.max(max, logits[index]!)
    })
    let total = 0
    for (let index = 0; index < rows.length; index++) total += Math.exp(logits[index]! - max)
    rows.forEach((row, index) => {
      const gradient = Math.exp(logits[index]! - max) / total - (index === 0 ? 1 : 0)
      // A row that would move by less than a tenth of int8's grid is left where it is: deltas stay small.
      if (Math.abs(gradient) < 1e-3) return
      const step = (-rateOf(clicks(row)) * gradient) / temperature
      changing(row)
      for (let c = 0; c < d; c++) factors[row * d + c] = factors[row * d + c]! + step * query[c]!
      normaliseRow(factors, row, d)
    })
  }
}

/** A row seen often is near its place already, and the noise of a few negatives would only shake it. */
function rateOf(clicks: number): number {
  return LEARNING_RATE / (1 + clicks / SETTLED_CLICKS)
}

/** Rows → query, right aligned as the encoder wants it. */
export function encodeRows(
  factors: Float32Array,
  example: RowExample,
  weights: EncoderWeights,
): Float32Array {
  const { dim: d, historyLength: length } = weights
  const history = new Float32Array(length * d)
  const kind = new Int32Array(length)
  const age = new Float32Array(length)
  const mask = new Float32Array(length)
  const count = Math.min(length, example.rows.length)
  for (let back = 1; back <= count; back++) {
    const step = example.rows.length - back
    const row = example.rows[step]!
    history.set(factors.subarray(row * d, (row + 1) * d), (length - back) * d)
    kind[length - back] = example.kinds[step]!
    age[length - back] = example.ages[step]!
    mask[length - back] = 1
  }
  return encode({ history, kind, age, mask }, weights)
}

/**
 * Places a row that training has not seen: between a direction of its own and the mean of its neighbours, nearer to the
 * mean the more often it was clicked.
 *
 * At the mean from the first click on it would lie nearer to its neighbours' visitors than most trained rows, which have
 * been pushed away from everybody who did not click them, and push those out of lists (measured by `refresh-value`:
 * HR@20 fell by 0.9 points). The table of sequential rules recommends it meanwhile.
 *
 * @param neighbours - row → how often beside it, any unit
 * @param clicks - how often the row was clicked
 */
export function placeRow(
  factors: Float32Array,
  dim: number,
  row: number,
  neighbours: ReadonlyMap<number, number>,
  clicks: number,
): void {
  const mean = new Float64Array(dim)
  for (const [neighbour, weight] of neighbours) {
    if (neighbour === row) continue
    for (let c = 0; c < dim; c++) mean[c] = mean[c]! + weight * factors[neighbour * dim + c]!
  }
  const length = Math.hypot(...mean)
  const share = length === 0 ? 0 : clicks / (clicks + PLACED_CLICKS)
  const random = seededRandom(row)
  // Sums of uniforms are close enough to normal for a direction without preference; the same for a row each time.
  const own = Float64Array.from({ length: dim }, () => random() + random() + random() + random() - 2)
  const scale = Math.hypot(...own)
  for (let c = 0; c < dim; c++) {
    const towards = length === 0 ? 0 : mean[c]! / length
    factors[row * dim + c] = share * towards + ((1 - share) * own[c]!) / scale
  }
  normaliseRow(factors, row, dim)
}

function normaliseRow(factors: Float32Array, row: number, dim: number): void {
  let squares = 0
  for (let c = 0; c < dim; c++) squares += factors[row * dim + c]! ** 2
  const inverse = 1 / Math.max(Math.sqrt(squares), 1e-12)
  for (let c = 0; c < dim; c++) factors[row * dim + c] = factors[row * dim + c]! * inverse
}
