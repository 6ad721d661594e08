import type { Manifest, ModelData } from '@attune/core/artifact'
import { ServingModel } from '@attune/core/rank'
import { nodeScanner } from './node-scanner.ts'
import { modelData, servingModel, type TrainedModel } from './trained-model.ts'

/** A model whose arrays lie in shared memory, so that every thread reads the same ones. */
export interface SharedModel {
  readonly manifest: Manifest
  readonly data: Omit<ModelData, 'weights'>
}

export function shareModel(model: TrainedModel): SharedModel {
  const data = modelData(model)
  return {
    manifest: servingModel(model, nodeScanner).manifest,
    data: {
      ids: data.ids,
      factors: shared(data.factors, Float32Array),
      quantized: shared(data.quantized, Int8Array),
      scales: shared(data.scales, Float32Array),
      srItems: shared(data.srItems, Uint32Array),
      srScores: shared(data.srScores, Uint8Array),
      srScales: shared(data.srScales, Float32Array),
      srSums: shared(data.srSums, Float32Array),
      popularity: shared(data.popularity, Float32Array),
      trend: shared(data.trend, Float32Array),
    },
  }
}

/** This thread's view of a shared model; only the scanner's int8 factors are copied. */
export function openShared({ manifest, data }: SharedModel): ServingModel {
  return new ServingModel(manifest, { ...data, weights: undefined }, nodeScanner)
}

function shared<T extends { readonly length: number; readonly byteLength: number; set(values: T): void }>(
  values: T,
  type: new (buffer: SharedArrayBuffer) => T,
): T {
  const copy = new type(new SharedArrayBuffer(values.byteLength))
  copy.set(values)
  return copy
}
