import type { ItemAttributes } from '@attune/core'
import {
  quantizeRows,
  togetherTensors,
  writeSafetensors,
  type FileRole,
  type Manifest,
  type ModelData,
  type Tensor,
} from '@attune/core/artifact'
import {
  CONTEXT_NAMES,
  FEATURE_NAMES,
  ServingModel,
  weightTensors,
  type Scanner,
  type StandardWeights,
} from '@attune/core/rank'
import { makeGolden, type GoldenHistory } from './golden.ts'
import { encoderOnnx, rankerOnnx } from './onnx.ts'
import type { Tables } from './tables.ts'

/** What the trainer found on visits it had not trained on. */
export interface ValidationMetrics {
  /** Prefixes of held-out visits looked at. */
  readonly prefixes: number
  readonly hr20: number
  readonly mrr20: number
  readonly hr20EncoderOnly: number
  readonly mrr20EncoderOnly: number
}

/** A whole epoch before it is signed. N items, d wide, L steps of history, K neighbours. */
export interface TrainedModel {
  /** [N] */
  readonly ids: readonly string[]
  /** What the catalogue says of items, by id; null: deleted from it. Handed through to the `items` file. */
  readonly attributes?: ReadonlyMap<string, ItemAttributes | null>
  readonly dim: number
  readonly historyLength: number
  readonly neighbours: number
  readonly temperature: number
  /** [N, d], rows of unit length */
  readonly factors: Float32Array
  readonly tables: Tables
  readonly weights: StandardWeights
  /** Undefined where nothing was held out. */
  readonly metrics: ValidationMetrics | undefined
}

/** The part of a manifest that follows from the model. */
export type ModelShape = Pick<
  Manifest,
  'items' | 'dim' | 'historyLength' | 'neighbours' | 'features' | 'context' | 'temperature'
>

export function modelShape(model: TrainedModel): ModelShape {
  return {
    items: model.ids.length,
    dim: model.dim,
    historyLength: model.historyLength,
    neighbours: model.neighbours,
    features: FEATURE_NAMES,
    context: CONTEXT_NAMES,
    temperature: model.temperature,
  }
}

/** Trained arrays → what core reads from files: shares them, and adds the int8 factors. */
export function modelData(model: TrainedModel): ModelData {
  const n = model.ids.length
  const quantized = new Int8Array(n * model.dim)
  const scales = new Float32Array(n)
  quantizeRows(model.factors, model.dim, { quantized, scales })
  return {
    ids: model.ids,
    ...(model.attributes && { attributes: model.attributes }),
    factors: model.factors,
    quantized,
    scales,
    ...model.tables,
    weights: new Map(Object.entries(weightTensors(model.weights))),
  }
}

/**
 * The model as an edge would hold it, for evaluation and golden vectors: a manifest without files or signature.
 *
 * @param makeScanner - see `nodeScanner`
 */
export function servingModel(
  model: TrainedModel,
  makeScanner: (dim: number, capacity: number) => Scanner,
): ServingModel {
  const manifest: Manifest = {
    format: 1,
    epoch: 1,
    parent: null,
    created: new Date(0).toISOString(),
    trainer: 'local',
    files: {},
    ...modelShape(model),
  }
  return new ServingModel(manifest, modelData(model), makeScanner)
}

/**
 * Every file of the artifact, ready to be digested and signed.
 *
 * @param histories - real or made-up histories the golden vectors start from, at least 8
 * @throws {TrainError} `TRAIN_GOLDEN_TOO_FEW`
 */
export async function artifactFiles(
  model: TrainedModel,
  histories: readonly GoldenHistory[],
  makeScanner: (dim: number, capacity: number) => Scanner,
): Promise<Record<FileRole, Uint8Array>> {
  const n = model.ids.length
  const { dim, neighbours: k, tables, weights } = model
  const serving = servingModel(model, makeScanner)
  const { factors, quantized, scales } = modelData(model)
  const vector = (data: Float32Array): Tensor => ({ shape: [data.length], data })
  const json = (content: unknown) => new TextEncoder().encode(JSON.stringify(content))
  return {
    factors: writeSafetensors({
      factors: { shape: [n, dim], data: factors },
      scales: vector(scales),
      quantized: { shape: [n, dim], data: quantized },
    }),
    tables: writeSafetensors({
      sr_items: { shape: [n, k], data: tables.srItems },
      sr_scores: { shape: [n, k], data: tables.srScores },
      sr_scales: vector(tables.srScales),
      sr_sums: vector(tables.srSums),
      popularity: vector(tables.popularity),
      trend: vector(tables.trend),
      ...(tables.together && togetherTensors(tables.together)),
    }),
    items: json({
      ids: model.ids,
      ...(model.attributes && { attributes: Object.fromEntries(model.attributes) }),
    }),
    weights: writeSafetensors(weightTensors(weights)),
    encoder: encoderOnnx(weights.encoder),
    ranker: rankerOnnx(weights.ranker, dim),
    golden: json(await makeGolden(serving, weights, histories)),
  }
}
