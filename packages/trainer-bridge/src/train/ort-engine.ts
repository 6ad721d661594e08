import type { RankEngine } from '@attune/core/rank'

/** The part of onnxruntime's interface that its web and Node packages share. */
export interface Ort {
  readonly Tensor: new (
    type: 'float32' | 'int64',
    data: Float32Array | BigInt64Array,
    dims: readonly number[],
  ) => unknown
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options?: object,
    ): Promise<{
      run(feeds: never): Promise<Readonly<Record<string, { readonly data: unknown }>>>
    }>
  }
}

/** The two ONNX files of an artifact. */
export interface OnnxFiles {
  readonly encoder: Uint8Array
  readonly ranker: Uint8Array
}

/** onnxruntime-web on one thread, as edges run it. */
export async function webEngine({ encoder, ranker }: OnnxFiles): Promise<RankEngine> {
  const ort = await import('onnxruntime-web/wasm')
  ort.env.wasm.numThreads = 1
  return ortEngine(ort as unknown as Ort, encoder, ranker)
}

/** An engine for core's pipeline on the two ONNX files. */
export async function ortEngine(ort: Ort, encoder: Uint8Array, ranker: Uint8Array): Promise<RankEngine> {
  const options = { executionProviders: ['cpu'], logSeverityLevel: 3 }
  const encoderSession = await ort.InferenceSession.create(encoder, options)
  const rankerSession = await ort.InferenceSession.create(ranker, options)
  const f32 = (data: Float32Array, ...dims: number[]) => new ort.Tensor('float32', data, dims)
  return {
    name: 'ort',
    encode: async ({ history, kind, age, mask }) => {
      const length = mask.length
      const feeds = {
        history: f32(history, 1, length, history.length / length),
        kind: new ort.Tensor('int64', BigInt64Array.from(kind, BigInt), [1, length]),
        age: f32(age, 1, length),
        mask: f32(mask, 1, length),
      }
      return (await encoderSession.run(feeds as never))['query']?.data as Float32Array
    },
    score: async ({ count, query, candidates, features, context }) => {
      const feeds = {
        query: f32(query, 1, query.length),
        candidates: f32(candidates, count, query.length),
        features: f32(features, count, features.length / count),
        context: f32(context, 1, context.length),
      }
      return (await rankerSession.run(feeds as never))['scores']?.data as Float32Array
    },
  }
}
