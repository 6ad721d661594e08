import { NO_ITEM } from '@attune/core/artifact'
import { seededRandom } from '@attune/core/testing'
import type { EncoderWeights } from '@attune/core/rank'
import type { TrainedModel } from '../train/trained-model.ts'
import { encodeRows, NegativeSampler, type RowExample } from './factors.ts'

/** Walks along trained rules that every model of these tables should know how to go on from. */
const WALKS = 128
const WALK_STEPS = 3
/** Walks replayed a micro-batch, in turn. */
const WALKS_REPLAYED = 16
/** Changed rows looked at as the next item of the rule that leads to them most often. */
const CHANGED_REPLAYED = 16
/** Changed rows that might push in front of a probe's next item. */
const INTRUDERS = 64
/** Trained rows the next item is told from; the same for all probes. */
const OTHERS = 48

/** Nats a micro-batch may add to the mean loss of the probes replayed. */
export const MAX_STEP_LOSS = 0.1
/** Nats all micro-batches since the base may add to the mean loss of the walks. */
export const MAX_TOTAL_LOSS = 0.5

/** What the probe set says of a micro-batch's factor rows. */
export interface GuardFinding {
  /** Mean loss of the probes with the new rows less that with the old ones, nats. */
  readonly step: number
  /** Mean loss of the walks less that of the base, nats, as last replayed. */
  readonly total: number
  readonly held: boolean
}

/** Losses of the walks as last replayed; part of the checkpoint, since what is held depends on them. */
export type GuardState = readonly number[]

/**
 * Replays known next items before a delta goes out: walks drawn from the trained table of sequential rules, which need no
 * visitor's data, and for changed rows the rule that leads to them. Each is a sampled softmax: the next item against
 * trained rows and against the rows that changed, so that a row which pushes itself in front of others is seen, too.
 *
 * A pure function of the base and the micro-batches, like the model it guards.
 *
 * O((WALKS_REPLAYED + CHANGED_REPLAYED) · (L·d² + (OTHERS + INTRUDERS)·d)) a micro-batch, whatever the catalogue's size.
 */
export class DriftGuard {
  readonly #dim: number
  readonly #encoder: EncoderWeights
  readonly #temperature: number
  readonly #walks: readonly RowExample[]
  readonly #others: Uint32Array
  /** Row → the row whose rules lead to it most often; `NO_ITEM` without. */
  readonly #before: Uint32Array
  readonly #base: Float64Array
  readonly #losses: Float64Array

  constructor(base: TrainedModel, state?: GuardState) {
    const random = seededRandom(0x9a0b)
    this.#dim = base.dim
    this.#encoder = base.weights.encoder
    this.#temperature = base.temperature
    this.#before = strongestSource(base)
    this.#walks = walksOf(base, random)
    const sampler = new NegativeSampler(base.tables.popularity)
    this.#others = Uint32Array.from({ length: OTHERS }, () => sampler.draw(random))
    this.#base = Float64Array.from(this.#walks, (walk) => this.#loss(base.factors, walk, []).plain)
    this.#losses = state?.length === this.#base.length ? Float64Array.from(state) : this.#base.slice()
  }

  /** Mean loss of the walks less that of the base, nats, as last replayed. */
  get total(): number {
    return mean(this.#losses) - mean(this.#base)
  }

  state(): GuardState {
    return Array.from(this.#losses)
  }

  /**
   * Judges the rows that changed. Once the walks have become too much worse, only steps that better them are let out.
   *
   * @param factors - as they would go out
   * @param old - row → its values before, for every trained row that changed
   * @param fresh - changed rows that the base did not have
   * @param seq - of the micro-batch: which walks are replayed
   */
  judge(
    factors: Float32Array,
    old: ReadonlyMap<number, Float32Array>,
    fresh: readonly number[],
    seq: number,
  ): GuardFinding {
    const trained = [...old.keys()]
    const intruders = spread([...trained, ...fresh], INTRUDERS)
    const probes = spread(trained, CHANGED_REPLAYED).flatMap((row) => this.#ruleTo(row))
    const walks = Array.from(
      { length: Math.min(WALKS_REPLAYED, this.#walks.length) },
      (_, index) => (seq * WALKS_REPLAYED + index) % this.#walks.length,
    )
    for (const walk of walks) probes.push(this.#walks[walk] as RowExample)
    const after = probes.map((probe) => this.#loss(factors, probe, intruders))
    const fresher = swap(factors, this.#dim, old)
    const before = probes.map((probe) => this.#loss(factors, probe, intruders))
    swap(factors, this.#dim, fresher)
    const step = mean(after.map(({ all }) => all)) - mean(before.map(({ all }) => all))
    const { total } = this
    // Whatever is no number is held, too.
    const held = !(step <= MAX_STEP_LOSS) || (total > MAX_TOTAL_LOSS && step > 0)
    const replayed = (held ? before : after).slice(-walks.length)
    walks.forEach((walk, index) => (this.#losses[walk] = replayed[index]?.plain ?? 0))
    return { step, total: this.total, held }
  }

  #ruleTo(target: number): RowExample[] {
    const source = this.#before[target] ?? NO_ITEM
    return source === NO_ITEM ? [] : [{ rows: [source], kinds: [0], ages: [0], target }]
  }

  /** −log softmax of the next item among the others, `plain`, and with the intruders besides, `all`. */
  #loss(
    factors: Float32Array,
    probe: RowExample,
    intruders: readonly number[],
  ): { readonly plain: number; readonly all: number } {
    const d = this.#dim
    const query = encodeRows(factors, probe, this.#encoder)
    const logit = (row: number): number => {
      let dot = 0
      for (let c = 0; c < d; c++) dot += factors[row * d + c]! * query[c]!
      return dot / this.#temperature
    }
    const target = logit(probe.target)
    let total = 1
    for (const row of this.#others) if (row !== probe.target) total += Math.exp(logit(row) - target)
    const plain = Math.log(total)
    for (const row of intruders) if (row !== probe.target) total += Math.exp(logit(row) - target)
    return { plain, all: Math.log(total) }
  }
}

/** Puts rows in place of those there are. @returns what was there */
function swap(
  factors: Float32Array,
  dim: number,
  rows: ReadonlyMap<number, Float32Array>,
): Map<number, Float32Array> {
  const there = new Map<number, Float32Array>()
  for (const [row, values] of rows) {
    there.set(row, factors.slice(row * dim, (row + 1) * dim))
    factors.set(values, row * dim)
  }
  return there
}

/** At most so many of a list, evenly. */
function spread(rows: readonly number[], limit: number): number[] {
  const step = Math.max(1, rows.length / limit)
  return Array.from(
    { length: Math.min(limit, rows.length) },
    (_, index) => rows[Math.floor(index * step)] ?? 0,
  )
}

function strongestSource({ ids, neighbours: k, tables }: TrainedModel): Uint32Array {
  const best = new Float32Array(ids.length)
  const source = new Uint32Array(ids.length).fill(NO_ITEM)
  for (let row = 0; row < ids.length; row++) {
    for (let slot = row * k; slot < (row + 1) * k && tables.srScores[slot]! > 0; slot++) {
      const target = tables.srItems[slot]!
      const count = tables.srScales[row]! * tables.srScores[slot]! ** 2
      if (target === row || count <= best[target]!) continue
      best[target] = count
      source[target] = row
    }
  }
  return source
}

/** From items drawn at random along the strongest rules; none from items without rules. */
function walksOf({ ids, neighbours: k, tables }: TrainedModel, random: () => number): RowExample[] {
  const walks: RowExample[] = []
  for (let tries = 0; tries < 8 * WALKS && walks.length < WALKS; tries++) {
    const rows = [Math.floor(random() * ids.length)]
    while (rows.length <= WALK_STEPS) {
      const slot = (rows.at(-1) ?? 0) * k + Math.floor(random() * Math.min(k, 3))
      if ((tables.srScores[slot] ?? 0) === 0) break
      rows.push(tables.srItems[slot]!)
    }
    const target = rows.pop() ?? 0
    if (rows.length === 0) continue
    walks.push({ rows, kinds: rows.map(() => 0), ages: rows.map(() => 0), target })
  }
  return walks
}

function mean(values: ArrayLike<number>): number {
  let sum = 0
  for (let index = 0; index < values.length; index++) sum += values[index]!
  return values.length === 0 ? 0 : sum / values.length
}
