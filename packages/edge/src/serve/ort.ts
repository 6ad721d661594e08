import { CodedError } from '@attune/core'
import { ArtifactError, type Manifest } from '@attune/core/artifact'
import type { RankEngine } from '@attune/core/rank'
import type { InferenceSession, Tensor } from 'onnxruntime-web/wasm'

/** The part of onnxruntime-web the edge uses. Hosts differ in how its wasm gets compiled: ort-workerd.ts, ort-node.ts. */
export interface OrtModule {
  readonly InferenceSession: {
    create(model: Uint8Array, options?: InferenceSession.SessionOptions): Promise<InferenceSession>
  }
  readonly Tensor: typeof Tensor
}

/** Loads the runtime; costs about 300 ms of CPU the first time, so never call it on a request's path. */
export type LoadOrt = () => Promise<OrtModule>

/** Both graphs of an epoch in ONNX Runtime. */
export interface OrtEngine extends RankEngine {
  readonly name: 'ort'
  /** Frees the sessions; no run may be under way. */
  release(): Promise<void>
}

const ENCODER_INPUTS = ['history', 'kind', 'age', 'mask']
const RANKER_INPUTS = ['query', 'candidates', 'features', 'context']

export type OrtErrorCode = 'ORT_OUTPUT_MISSHAPEN'

/** ONNX Runtime answered something that is not what the graph promised. */
export class OrtError extends CodedError<OrtErrorCode> {
  override readonly name = 'OrtError'
}

/**
 * Makes sessions of `encoder.onnx` and `ranker.onnx` and checks their names.
 *
 * @throws {ArtifactError} `ARTIFACT_MALFORMED` when a file is no graph ORT can run, `ARTIFACT_SHAPE_MISMATCH` when inputs or outputs are
 * named otherwise
 */
export async function createOrtEngine(
  ort: OrtModule,
  manifest: Manifest,
  encoderFile: Uint8Array,
  rankerFile: Uint8Array,
): Promise<OrtEngine> {
  const encoder = await createSession(ort, 'encoder', encoderFile, ENCODER_INPUTS, 'query')
  const ranker = await createSession(ort, 'ranker', rankerFile, RANKER_INPUTS, 'scores').catch(
    async (error: unknown) => {
      await encoder.release()
      throw error
    },
  )
  const { dim, historyLength, features, context } = manifest
  const f32 = (data: Float32Array, dims: number[]) => new ort.Tensor('float32', data, dims)
  return {
    name: 'ort',
    async encode(input) {
      const kind = new BigInt64Array(historyLength)
      for (let at = 0; at < historyLength; at++) kind[at] = BigInt(input.kind[at]!)
      const output = await run(encoder, {
        history: f32(input.history, [1, historyLength, dim]),
        kind: new ort.Tensor('int64', kind, [1, historyLength]),
        age: f32(input.age, [1, historyLength]),
        mask: f32(input.mask, [1, historyLength]),
      })
      return floats('encoder', output['query'], dim)
    },
    async score(input) {
      const output = await run(ranker, {
        query: f32(input.query, [1, dim]),
        candidates: f32(input.candidates, [input.count, dim]),
        features: f32(input.features, [input.count, features.length]),
        context: f32(input.context, [1, context.length]),
      })
      return floats('ranker', output['scores'], input.count)
    },
    async release() {
      await Promise.all([encoder.release(), ranker.release()])
    },
  }
}

async function createSession(
  ort: OrtModule,
  name: string,
  file: Uint8Array,
  inputs: readonly string[],
  output: string,
): Promise<InferenceSession> {
  let session: InferenceSession
  try {
    session = await ort.InferenceSession.create(file, {
      executionProviders: ['wasm'],
      logSeverityLevel: 3,
      graphOptimizationLevel: 'all',
    })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 200) : String(cause)
    throw new ArtifactError('ARTIFACT_MALFORMED', `${name}: not a graph this edge can run: ${reason}`, {
      cause,
    })
  }
  const unknown = session.inputNames.find((input) => !inputs.includes(input))
  if (unknown !== undefined || !session.outputNames.includes(output)) {
    const received = `${session.inputNames.join(', ')} → ${session.outputNames.join(', ')}`
    await session.release()
    throw new ArtifactError(
      'ARTIFACT_SHAPE_MISMATCH',
      `${name}: expected ${inputs.join(', ')} → ${output}, received ${received}`,
    )
  }
  return session
}

/** A graph may leave inputs out that it has no use for, and the runtime takes no others than its own. */
function run(
  session: InferenceSession,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<InferenceSession.OnnxValueMapType> {
  const { inputNames } = session
  if (inputNames.length === Object.keys(feeds).length) return session.run(feeds)
  return session.run(Object.fromEntries(Object.entries(feeds).filter(([name]) => inputNames.includes(name))))
}

function floats(name: string, tensor: Tensor | undefined, length: number): Float32Array {
  const data = tensor?.data
  if (data instanceof Float32Array && data.length === length) return data
  throw new OrtError(
    'ORT_OUTPUT_MISSHAPEN',
    `${name}: expected ${length} float32, received ${tensor === undefined ? 'nothing' : `${tensor.type} [${tensor.dims.join(', ')}]`}`,
  )
}
