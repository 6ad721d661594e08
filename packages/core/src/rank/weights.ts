import { ArtifactError } from '../artifact/errors.ts'
import { take } from '../artifact/read.ts'
import type { Tensor } from '../artifact/safetensors.ts'
import { HISTORY_KINDS } from '../event/history.ts'
import { CONTEXT, FEATURES } from './features.ts'

/** Weights of the standard query encoder; matrices row-major, `y = W x`. d = factor width, L = history length. */
export interface EncoderWeights {
  readonly dim: number
  readonly historyLength: number
  /** [L, d] */
  readonly position: Float32Array
  /** [d, d] */
  readonly w1: Float32Array
  /** [d, d] */
  readonly w2: Float32Array
  /** [d] */
  readonly bias: Float32Array
  /** [d] */
  readonly v: Float32Array
  /** [d, 2d] */
  readonly w3: Float32Array
  /** [kinds]: how much a step of each kind weighs */
  readonly strength: Float32Array
  /** Decay of a step per hour of age, ≥ 0. */
  readonly decay: number
}

/** Weights of the standard ranker. z = 2 + features + context; h hidden units. */
export interface RankerWeights {
  /** [z] */
  readonly mean: Float32Array
  /** [z] */
  readonly inverseStd: Float32Array
  /** [z] */
  readonly linear: Float32Array
  /** [h, z] */
  readonly hidden: Float32Array
  /** [h] */
  readonly hiddenBias: Float32Array
  /** [h] */
  readonly out: Float32Array
}

export interface StandardWeights {
  readonly encoder: EncoderWeights
  readonly ranker: RankerWeights
}

/** Width of the ranker's input: cosine, its gap to the best, features, context. */
export const RANKER_INPUT: number = 2 + FEATURES + CONTEXT

/** @throws {ArtifactError} `ARTIFACT_SHAPE_MISMATCH` */
export function readWeights(
  tensors: ReadonlyMap<string, Tensor>,
  dim: number,
  historyLength: number,
): StandardWeights {
  const f32 = (name: string, ...shape: number[]) => take('weights', tensors, name, Float32Array, shape)
  const hiddenUnits = tensors.get('rank.hidden_bias')?.data.length ?? 0
  const decay = f32('enc.decay', 1)[0]!
  if (!(decay >= 0))
    throw new ArtifactError('ARTIFACT_MALFORMED', `enc.decay: expected at least 0, received ${decay}`)
  return {
    encoder: {
      dim,
      historyLength,
      position: f32('enc.position', historyLength, dim),
      w1: f32('enc.w1', dim, dim),
      w2: f32('enc.w2', dim, dim),
      bias: f32('enc.bias', dim),
      v: f32('enc.v', dim),
      w3: f32('enc.w3', dim, 2 * dim),
      strength: f32('enc.strength', HISTORY_KINDS.length),
      decay,
    },
    ranker: {
      mean: f32('rank.mean', RANKER_INPUT),
      inverseStd: f32('rank.inverse_std', RANKER_INPUT),
      linear: f32('rank.linear', RANKER_INPUT),
      hidden: f32('rank.hidden', hiddenUnits, RANKER_INPUT),
      hiddenBias: f32('rank.hidden_bias', hiddenUnits),
      out: f32('rank.out', hiddenUnits),
    },
  }
}

/** Weights → tensors of the `weights` file; the inverse of {@link readWeights}. */
export function weightTensors({ encoder: e, ranker: r }: StandardWeights): Record<string, Tensor> {
  const d = e.dim
  const h = r.hiddenBias.length
  const vector = (data: Float32Array): Tensor => ({ shape: [data.length], data })
  return {
    'enc.position': { shape: [e.historyLength, d], data: e.position },
    'enc.w1': { shape: [d, d], data: e.w1 },
    'enc.w2': { shape: [d, d], data: e.w2 },
    'enc.bias': vector(e.bias),
    'enc.v': vector(e.v),
    'enc.w3': { shape: [d, 2 * d], data: e.w3 },
    'enc.strength': vector(e.strength),
    'enc.decay': vector(Float32Array.of(e.decay)),
    'rank.mean': vector(r.mean),
    'rank.inverse_std': vector(r.inverseStd),
    'rank.linear': vector(r.linear),
    'rank.hidden': { shape: [h, RANKER_INPUT], data: r.hidden },
    'rank.hidden_bias': vector(r.hiddenBias),
    'rank.out': vector(r.out),
  }
}
