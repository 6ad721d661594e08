import { HISTORY_KINDS } from '@attune/core'
import type { EncoderWeights } from '@attune/core/rank'
import type { Random } from './random.ts'

/** Factor width of the kernels. */
export const DIM = 64
/** Longest history of the kernels. */
export const MAX_LENGTH = 16

/** Where the encoder's weights lie in their block, in floats; kernels/encoder.ts has the same numbers. */
export const WEIGHTS: Readonly<
  Record<'position' | 'w1' | 'w2' | 'bias' | 'v' | 'w3' | 'strength' | 'decay' | 'length', number>
> = placesInOrder({
  position: MAX_LENGTH * DIM,
  w1: DIM * DIM,
  w2: DIM * DIM,
  bias: DIM,
  v: DIM,
  w3: 2 * DIM * DIM,
  strength: 16,
  decay: 16,
  length: 0,
})

function placesInOrder<Name extends string>(lengths: Record<Name, number>): Record<Name, number> {
  let end = 0
  const places = Object.entries<number>(lengths).map(([name, length]) => [name, (end += length) - length])
  return Object.fromEntries(places) as Record<Name, number>
}

/** Random start: matrices uniform within ±1/√fan-in as in PyTorch's Linear, positions zero, all kinds equally strong. */
export function initialWeights(random: Random): Float32Array {
  const weights = new Float32Array(WEIGHTS.length)
  const fill = (from: number, count: number, bound: number) => {
    for (let at = from; at < from + count; at++) weights[at] = (2 * random.uniform() - 1) * bound
  }
  fill(WEIGHTS.w1, DIM * DIM, 1 / Math.sqrt(DIM))
  fill(WEIGHTS.w2, DIM * DIM, 1 / Math.sqrt(DIM))
  fill(WEIGHTS.v, DIM, 1 / Math.sqrt(DIM))
  fill(WEIGHTS.w3, 2 * DIM * DIM, 1 / Math.sqrt(2 * DIM))
  weights.fill(1, WEIGHTS.strength, WEIGHTS.strength + 16)
  return weights
}

/**
 * The block → core's encoder weights, copied. Positions count from the end: place L − 1 is the newest step.
 *
 * @param seen - whether a kind occurred in training; one that did not weighs like a click
 */
export function encoderWeights(
  block: Float32Array,
  historyLength: number,
  seen: (kind: number) => boolean,
): EncoderWeights {
  const part = (from: number, count: number) => block.slice(from, from + count)
  return {
    dim: DIM,
    historyLength,
    position: part(WEIGHTS.position + (MAX_LENGTH - historyLength) * DIM, historyLength * DIM),
    w1: part(WEIGHTS.w1, DIM * DIM),
    w2: part(WEIGHTS.w2, DIM * DIM),
    bias: part(WEIGHTS.bias, DIM),
    v: part(WEIGHTS.v, DIM),
    w3: part(WEIGHTS.w3, 2 * DIM * DIM),
    strength: Float32Array.from(
      HISTORY_KINDS,
      (_, kind) => block[WEIGHTS.strength + (seen(kind) ? kind : 0)]!,
    ),
    decay: block[WEIGHTS.decay]!,
  }
}
