import type { TrainingData } from './data.ts'
import type { WasmMemory } from './kernels.ts'
import { SHARDS, type MemoryLayout } from './memory-layout.ts'
import { createRandom, createSampler, shuffle, type Random } from './random.ts'
import { BETA1, BETA2, type AdamSchedule } from './schedule.ts'
import { DIM, MAX_LENGTH } from './weight-layout.ts'

/** Popularity's power in drawing negatives. */
export const NEGATIVE_POWER = 0.5

export interface PlanInput {
  readonly data: TrainingData
  readonly examples: { readonly target: Uint32Array; readonly start: Uint32Array }
  readonly layout: MemoryLayout
  readonly memory: WasmMemory
  readonly schedule: AdamSchedule
  readonly seed: number
}

/** A batch as the workers need to know it; the rest is in the shared memory. */
export interface BatchPlan {
  readonly count: number
  readonly rows: number
  readonly negativeBlocks: number
}

/**
 * Makes the batches of a run, one after the other, in the shared memory: examples, negatives, the rows they touch and
 * where the gradients of each row will lie. Everything random comes from the seed and the iteration, so a run can be
 * taken up at any iteration.
 */
export class Planner {
  readonly batches: number
  readonly #input: PlanInput
  readonly #order: Uint32Array
  readonly #logShare: Float64Array
  readonly #weights: Float64Array
  /** [N]: place among the batch's rows, valid where the stamp is the batch's */
  readonly #place: Int32Array
  readonly #stamp: Uint32Array
  #stampNow = 0
  #random: Random
  #draw: () => number
  readonly #views: ReturnType<typeof planViews>

  constructor(input: PlanInput) {
    const { data, examples, layout } = input
    this.#input = input
    this.batches = Math.ceil(examples.target.length / layout.batch)
    this.#order = new Uint32Array(examples.target.length)
    this.#weights = new Float64Array(layout.items).fill(1)
    for (const row of data.rows) this.#weights[row] = this.#weights[row]! + 1
    let total = 0
    this.#weights.forEach((weight, row) => (total += this.#weights[row] = weight ** NEGATIVE_POWER))
    // Centred on the mean share, so that e^logit stays in range without taking a maximum out.
    this.#logShare = this.#weights.map((weight) => Math.log((weight / total) * layout.items))
    this.#place = new Int32Array(layout.items)
    this.#stamp = new Uint32Array(layout.items)
    this.#views = planViews(input.memory, layout)
    this.#random = createRandom(input.seed)
    this.#draw = () => 0
  }

  /** @param iteration - from 0 */
  startIteration(iteration: number): void {
    const { seed } = this.#input
    this.#order.forEach((_, index) => (this.#order[index] = index))
    shuffle(this.#order, createRandom(seed, 1, iteration))
    this.#random = createRandom(seed, 2, iteration)
    this.#draw = createSampler(this.#weights, createRandom(seed, 3, iteration))
  }

  /**
   * @param batch - from 0 within the iteration, in order
   * @param step - Adam's step of this batch, from 1 over the whole run
   */
  plan(batch: number, step: number): BatchPlan {
    const { data, examples, layout } = this.#input
    const view = this.#views
    this.#stampNow++
    let rows = 0
    const place = (row: number): number => {
      if (this.#stamp[row] === this.#stampNow) return this.#place[row]!
      this.#stamp[row] = this.#stampNow
      this.#place[row] = rows
      view.rows[rows] = row
      view.slots[rows] = -1
      view.pointerStarts[rows] = 0
      return rows++
    }

    let negatives = 0
    for (let draw = 0; draw < layout.negatives; draw++) {
      const row = this.#draw()
      const at = place(row)
      if (view.slots[at] === -1) {
        view.slots[at] = negatives
        view.negativeBias[negatives++] = 0
      }
      const slot = view.slots[at]!
      view.negativeBias[slot] = view.negativeBias[slot]! + 1
    }
    for (let at = 0; at < rows; at++) {
      const slot = view.slots[at]!
      view.negativeBias[slot] = Math.log(view.negativeBias[slot]!) - this.#logShare[view.rows[at]!]!
    }
    const negativeBlocks = Math.ceil(negatives / 64)
    // What the last block has left over must add nothing: e^−87.
    view.negativeBias.fill(-1e9, negatives, negativeBlocks * 64)

    const from = batch * layout.batch
    const count = Math.min(layout.batch, this.#order.length - from)
    let steps = 0
    for (let index = 0; index < count; index++) {
      const example = this.#order[from + index]!
      const target = examples.target[example]!
      const start = examples.start[example]!
      view.starts[index] = steps
      for (let at = start; at < target; at++) {
        view.steps[steps] = data.rows[at]!
        view.places[steps] = MAX_LENGTH - (target - at)
        view.kinds[steps] = data.kinds?.[at] ?? 0
        view.ages[steps] =
          data.times === undefined ? 0 : Math.max(0, (data.times[target - 1]! - data.times[at]!) / 3_600_000)
        view.seeds[steps] = this.#random.next()
        steps++
      }
      const row = data.rows[target]!
      view.targets[index] = row
      view.targetBias[index] = -this.#logShare[row]!
      view.targetSlots[index] = view.slots[place(row)]!
    }
    view.starts[count] = steps

    // Lists of gradients by row: count, sum up, fill.
    for (let at = 0; at < steps; at++) {
      const row = place(view.steps[at]!)
      view.pointerStarts[row] = view.pointerStarts[row]! + 1
    }
    for (let index = 0; index < count; index++) {
      const row = place(view.targets[index]!)
      view.pointerStarts[row] = view.pointerStarts[row]! + 1
    }
    let end = 0
    for (let row = 0; row < rows; row++) view.pointerStarts[row] = end += view.pointerStarts[row]!
    view.pointerStarts[rows] = end
    for (let index = count - 1; index >= 0; index--) {
      const row = place(view.targets[index]!)
      view.pointers[(view.pointerStarts[row] = view.pointerStarts[row]! - 1)] =
        layout.targetGradients + index * DIM * 4
    }
    for (let at = steps - 1; at >= 0; at--) {
      const row = place(view.steps[at]!)
      view.pointers[(view.pointerStarts[row] = view.pointerStarts[row]! - 1)] =
        layout.stepGradients + at * DIM * 4
    }
    this.#catchUp(rows, step)
    return { count, rows, negativeBlocks }
  }

  /**
   * Plans for up to `maxRows` rows from `from` what brings them up to `step`, without a batch.
   *
   * @returns rows planned
   */
  planFlush(from: number, step: number): number {
    const { layout } = this.#input
    const rows = Math.min(layout.maxRows, layout.items - from)
    for (let index = 0; index < rows; index++) {
      this.#views.rows[index] = from + index
      this.#views.slots[index] = -1
    }
    this.#catchUp(rows, step + 1, step)
    return rows
  }

  #catchUp(rows: number, step: number, lastAfter = step): void {
    const { schedule } = this.#input
    const { decays, lastStep, rows: rowOf } = this.#views
    for (let index = 0; index < rows; index++) {
      const row = rowOf[index]!
      const last = lastStep[row]!
      const missed = last === 0 ? 0 : step - 1 - last
      if (missed > 0) {
        decays[index * 4] = schedule.missed(last, step - 1)
        decays[index * 4 + 1] = BETA1 ** missed
        decays[index * 4 + 2] = BETA2 ** missed
        decays[index * 4 + 3] = 1
      } else {
        decays[index * 4 + 3] = 0
      }
      if (last > 0 || lastAfter === step) lastStep[row] = lastAfter
    }
  }
}

function planViews(memory: WasmMemory, layout: MemoryLayout) {
  const { buffer } = memory
  return {
    starts: new Uint32Array(buffer, layout.starts, layout.batch + 1),
    steps: new Uint32Array(buffer, layout.steps, layout.maxSteps),
    places: new Uint8Array(buffer, layout.places, layout.maxSteps),
    kinds: new Uint8Array(buffer, layout.kinds, layout.maxSteps),
    ages: new Float32Array(buffer, layout.ages, layout.maxSteps),
    seeds: new Uint32Array(buffer, layout.seeds, layout.maxSteps),
    targets: new Uint32Array(buffer, layout.targets, layout.batch),
    targetBias: new Float32Array(buffer, layout.targetBias, layout.batch),
    targetSlots: new Int32Array(buffer, layout.targetSlots, layout.batch),
    negativeBias: new Float32Array(buffer, layout.negativeBias, layout.negatives),
    rows: new Uint32Array(buffer, layout.rows, layout.maxRows),
    slots: new Int32Array(buffer, layout.slots, layout.maxRows),
    decays: new Float32Array(buffer, layout.decays, layout.maxRows * 4),
    pointerStarts: new Uint32Array(buffer, layout.pointerStarts, layout.maxRows + 1),
    pointers: new Uint32Array(buffer, layout.pointers, layout.maxSteps + layout.batch),
    lastStep: new Uint32Array(buffer, layout.lastStep, layout.items),
  }
}

/** Examples of a shard: `[from, to)` of a batch of `count`. */
export function shardRange(count: number, shard: number): [from: number, to: number] {
  return [Math.floor((count * shard) / SHARDS), Math.floor((count * (shard + 1)) / SHARDS)]
}
