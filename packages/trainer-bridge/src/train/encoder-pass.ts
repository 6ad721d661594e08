import type { TrainKernels, WasmMemory } from './kernels.ts'
import { SHARDS, TILE, TILE_FIELDS, type MemoryLayout } from './memory-layout.ts'
import { shardRange } from './plan.ts'
import type { AdamSchedule } from './schedule.ts'
import { DIM, WEIGHTS } from './weight-layout.ts'

/** Softmax temperature. */
export const TEMPERATURE = 0.07

/** What one thread does in the phases of a batch; the caller keeps phases apart. */
export interface PassOptions {
  readonly dropout: boolean
  /** Whether strengths of kinds and the decay are learned: only where the data has them. */
  readonly trainStrength: boolean
}

/** One thread's hands on the shared memory. */
export class EncoderPass {
  readonly #kernels: TrainKernels
  readonly #layout: MemoryLayout
  readonly #thread: number
  readonly #options: PassOptions
  readonly #bytes: Uint8Array
  readonly #tile: Uint32Array

  constructor(
    kernels: TrainKernels,
    memory: WasmMemory,
    layout: MemoryLayout,
    thread: number,
    options: PassOptions,
  ) {
    this.#kernels = kernels
    this.#layout = layout
    this.#thread = thread
    this.#options = options
    this.#bytes = new Uint8Array(memory.buffer)
    this.#tile = new Uint32Array(memory.buffer, layout.tiles + thread * TILE_FIELDS * 4, TILE_FIELDS)
  }

  /** Transposes the weights the forward pass multiplies by. */
  transposeWeights(): void {
    const l = this.#layout
    const stride = DIM * 4
    this.#kernels.transpose64(l.weights + WEIGHTS.w1 * 4, stride, l.w1t, stride)
    this.#kernels.transpose64(l.weights + WEIGHTS.w2 * 4, stride, l.w2t, stride)
    this.#kernels.transpose64(l.weights + WEIGHTS.w3 * 4, 2 * stride, l.w3t, stride)
    this.#kernels.transpose64(l.weights + WEIGHTS.w3 * 4 + stride, 2 * stride, l.w3t + DIM * stride, stride)
  }

  /** Rows of the plan brought up to date; negatives copied together. */
  catchUp(from: number, to: number): void {
    const l = this.#layout
    // prettier-ignore
    this.#kernels.catchUpRows(l.rows, l.decays, l.slots, from, to, l.raw, l.rawM, l.rawV, l.unit, l.inverse,
      l.negativeRows, l.transposedRows)
  }

  /** Forward and backward of one shard, tile by tile in order. */
  shard(shard: number, count: number, negativeBlocks: number): void {
    const l = this.#layout
    const gradients = l.gradients + shard * l.gradientStride
    const negativeGradients = l.negativeGradients + shard * l.negativeStride
    this.#bytes.fill(0, gradients, gradients + l.gradientStride)
    this.#bytes.fill(0, negativeGradients, negativeGradients + negativeBlocks * 64 * DIM * 4)
    const [from, to] = shardRange(count, shard)
    for (let at = from; at < to; at += TILE) {
      const size = Math.min(TILE, to - at)
      // The order of the fields is that of kernels/encoder.ts.
      // prettier-ignore
      this.#tile.set([
        size, l.starts + at * 4, l.steps, l.places, l.kinds, l.ages, l.seeds,
        l.targets + at * 4, l.targetBias + at * 4, l.targetSlots + at * 4, l.unit, l.weights, l.w1t, l.w2t, l.w3t,
        l.negativeRows, l.transposedRows, l.negativeBias, negativeBlocks,
        l.stepGradients, l.targetGradients + at * DIM * 4, negativeGradients, gradients, l.probabilities + at * 4,
        l.scratch + this.#thread * l.scratchStride, this.#options.dropout ? 1 : 0, this.#options.trainStrength ? 1 : 0,
      ])
      this.#kernels.trainTile(this.#tile.byteOffset, 1 / TEMPERATURE, 1 / (TEMPERATURE * count))
    }
  }

  /** Adam on rows of the plan. */
  updateRows(from: number, to: number, step: number, schedule: AdamSchedule): void {
    const l = this.#layout
    // prettier-ignore
    this.#kernels.adamRows(l.rows, l.slots, l.pointerStarts, l.pointers, from, to, l.raw, l.rawM, l.rawV, l.unit, l.inverse,
      l.negativeGradients, SHARDS, l.negativeStride, schedule.rates[step]!, schedule.epsilons[step]!,
      l.rowScratch + this.#thread * DIM * 4)
  }

  /** Adam on the encoder's weights. A step's weight must not grow with its age, so the decay stays at or above 0. */
  updateWeights(step: number, schedule: AdamSchedule): void {
    const l = this.#layout
    const { rates, epsilons } = schedule
    // prettier-ignore
    this.#kernels.adamDense(l.weights, l.weightsM, l.weightsV, l.gradients, SHARDS, l.gradientStride, l.gradientStride,
      rates[step]!, epsilons[step]!)
    const decay = new Float32Array(this.#bytes.buffer, l.weights + WEIGHTS.decay * 4, 1)
    decay[0] = Math.max(0, decay[0]!)
  }
}
