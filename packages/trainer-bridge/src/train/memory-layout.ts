import { DIM, MAX_LENGTH, WEIGHTS } from './weight-layout.ts'

/** Examples a batch is cut into for threads; fixed, so that sums are made in one order whatever the threads. */
export const SHARDS = 8
/** Most examples of one call of the kernel. */
export const TILE = 32
/** Fields of a tile's description. */
export const TILE_FIELDS = 32

const BLOCK = 64 * DIM * 4
/** Per thread: see kernels/encoder.ts, "Scratch". */
const scratchBytes = (negatives: number) =>
  3 * 1_024 * DIM * 4 + 10 * BLOCK + 2 * 4_096 + 64 * 16 + 64 * 4 + (negatives / 64) * TILE * DIM * 4

export interface LayoutOptions {
  readonly items: number
  readonly batch: number
  /** A multiple of 64. */
  readonly negatives: number
  readonly threads: number
}

/** Byte offsets of everything training keeps in the shared memory. */
export interface MemoryLayout extends LayoutOptions {
  /** Space for this many rows in a batch: every step, target and negative a different one. */
  readonly maxRows: number
  readonly maxSteps: number
  readonly bytes: number
  // [N, 64] each, then [N]
  readonly raw: number
  readonly rawM: number
  readonly rawV: number
  readonly unit: number
  readonly inverse: number
  readonly lastStep: number
  // weights block and what goes with it
  readonly weights: number
  readonly weightsM: number
  readonly weightsV: number
  readonly w1t: number
  readonly w2t: number
  readonly w3t: number
  readonly gradients: number
  readonly gradientStride: number
  // negatives
  readonly negativeRows: number
  readonly transposedRows: number
  readonly negativeBias: number
  readonly negativeGradients: number
  readonly negativeStride: number
  // plan of a batch
  readonly starts: number
  readonly steps: number
  readonly places: number
  readonly kinds: number
  readonly ages: number
  readonly seeds: number
  readonly targets: number
  readonly targetBias: number
  readonly targetSlots: number
  readonly rows: number
  readonly slots: number
  readonly decays: number
  readonly pointerStarts: number
  readonly pointers: number
  // results of a batch
  readonly stepGradients: number
  readonly targetGradients: number
  readonly probabilities: number
  // per thread
  readonly tiles: number
  readonly rowScratch: number
  readonly scratch: number
  readonly scratchStride: number
}

/** Lays the memory out; about N · 1 KB plus 20 MB a batch of 1,024 with 2,048 negatives. */
export function layOut(options: LayoutOptions): MemoryLayout {
  const { items: n, batch, negatives, threads } = options
  let end = 1_024
  const take = (bytes: number): number => {
    const at = end
    end = Math.ceil((end + bytes) / 64) * 64
    return at
  }
  const maxSteps = batch * MAX_LENGTH
  const maxRows = Math.max(4_096, maxSteps + batch + negatives)
  const gradientStride = WEIGHTS.length * 4
  const negativeStride = negatives * DIM * 4
  const scratchStride = Math.ceil(scratchBytes(negatives) / 64) * 64
  const offsets = {
    raw: take(n * DIM * 4),
    rawM: take(n * DIM * 4),
    rawV: take(n * DIM * 4),
    unit: take(n * DIM * 4),
    inverse: take(n * 4),
    lastStep: take(n * 4),
    weights: take(gradientStride),
    weightsM: take(gradientStride),
    weightsV: take(gradientStride),
    w1t: take(BLOCK),
    w2t: take(BLOCK),
    w3t: take(2 * BLOCK),
    gradients: take(SHARDS * gradientStride),
    negativeRows: take(negativeStride),
    transposedRows: take(negativeStride),
    negativeBias: take(negatives * 4),
    negativeGradients: take(SHARDS * negativeStride),
    starts: take((batch + 1) * 4),
    steps: take(maxSteps * 4),
    places: take(maxSteps),
    kinds: take(maxSteps),
    ages: take(maxSteps * 4),
    seeds: take(maxSteps * 4),
    targets: take(batch * 4),
    targetBias: take(batch * 4),
    targetSlots: take(batch * 4),
    rows: take(maxRows * 4),
    slots: take(maxRows * 4),
    decays: take(maxRows * 16),
    pointerStarts: take((maxRows + 1) * 4),
    pointers: take((maxSteps + batch) * 4),
    stepGradients: take(maxSteps * DIM * 4),
    targetGradients: take(batch * DIM * 4),
    probabilities: take(batch * 4),
    tiles: take(threads * TILE_FIELDS * 4),
    rowScratch: take(threads * DIM * 4),
    scratch: take(threads * scratchStride),
  }
  return {
    ...options,
    ...offsets,
    maxRows,
    maxSteps,
    gradientStride,
    negativeStride,
    scratchStride,
    bytes: end,
  }
}
