import { ArtifactError, type FileRole, type Manifest } from '@attune/core/artifact'
import type { ArtifactFiles } from './verify.ts'
import { checkWork } from './graph-work.ts'
import { readOnnxHead, type GraphValue, type OnnxHead } from './onnx-head.ts'

/**
 * Graphs are small: factors lie outside of them. A graph is in memory three times while its session is made, beside 97 MB of
 * the runtime, in an isolate of 128 MB.
 */
export const MAX_GRAPH_BYTES = 10_000_000

/** What ONNX Runtime 1.30 takes; a test asks it. Other domains are known by what they hold, or not: it decides. */
export const OPSETS: ReadonlyMap<string, readonly [min: number, max: number]> = new Map([
  ['', [7, 26]],
  ['ai.onnx.ml', [1, 5]],
  ['com.microsoft', [1, 1]],
])
export const MAX_IR_VERSION = 13

const FLOAT = 1
const INT64 = 7
const TYPE_NAMES: readonly string[] =
  'undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64'.split(' ')

interface Promised {
  readonly elemType: number
  /** A letter: any size, which the graph may not fix. */
  readonly dims: readonly (number | string)[]
}

interface GraphPromise {
  readonly inputs: Readonly<Record<string, Promised>>
  readonly output: readonly [name: string, promised: Promised]
}

function promisesOf({ dim: d, historyLength: l, features, context }: Manifest): {
  readonly encoder: GraphPromise
  readonly ranker: GraphPromise
} {
  const f32 = (...dims: (number | string)[]): Promised => ({ elemType: FLOAT, dims })
  return {
    encoder: {
      inputs: {
        history: f32(1, l, d),
        kind: { elemType: INT64, dims: [1, l] },
        age: f32(1, l),
        mask: f32(1, l),
      },
      output: ['query', f32(1, d)],
    },
    ranker: {
      inputs: {
        query: f32(1, d),
        candidates: f32('n', d),
        features: f32('n', features.length),
        context: f32(1, context.length),
      },
      output: ['scores', f32('n')],
    },
  }
}

/**
 * Whether graphs that somebody brings can be run here at all, before a runtime sees them: how large, of which version of
 * ONNX, with which types and shapes, and that the work they make is bounded. What the runtime says of a graph it cannot take names neither what was expected nor
 * what was received.
 *
 * @throws {ArtifactError} `ARTIFACT_TOO_LARGE`, `ARTIFACT_MALFORMED`, `ARTIFACT_OPSET_UNSUPPORTED`,
 * `ARTIFACT_SHAPE_MISMATCH`, `ARTIFACT_GRAPH_UNBOUNDED`
 */
export function checkGraphs(manifest: Manifest, files: ArtifactFiles): void {
  const promises = promisesOf(manifest)
  for (const name of ['encoder', 'ranker'] as const) {
    const file = files[name]
    if (file === undefined) continue
    const head = readOnnxHead(name, file)
    checkVersions(name, head)
    if (head.external !== undefined)
      throw new ArtifactError(
        'ARTIFACT_MALFORMED',
        `${name}: expected all weights in the file, received ${head.external.slice(0, 80)} in another`,
      )
    checkValues(name, head, promises[name])
    checkWork(name, head, Object.keys(promises[name].inputs))
  }
}

/** From the manifest alone, before a byte is read. @throws {ArtifactError} `ARTIFACT_TOO_LARGE` */
export function checkGraphSizes({ files }: Manifest): void {
  for (const role of ['encoder', 'ranker'] as const satisfies FileRole[]) {
    const bytes = files[role]?.bytes ?? 0
    if (bytes > MAX_GRAPH_BYTES)
      throw new ArtifactError(
        'ARTIFACT_TOO_LARGE',
        `${role}: expected at most ${MAX_GRAPH_BYTES} bytes, received ${bytes}`,
      )
  }
}

function checkVersions(name: string, { irVersion, opsets }: OnnxHead): void {
  const unsupported = (what: string, expected: string, received: string): ArtifactError =>
    new ArtifactError(
      'ARTIFACT_OPSET_UNSUPPORTED',
      `${name}: ${what}: expected ${expected}, received ${received}`,
    )
  if (irVersion < 1 || irVersion > MAX_IR_VERSION)
    throw unsupported('IR version', `1 to ${MAX_IR_VERSION}`, String(irVersion))
  if (!opsets.has('')) throw unsupported('opset', 'one of ONNX', 'none')
  for (const [domain, [min, max]] of OPSETS) {
    const version = opsets.get(domain)
    if (version === undefined || (version >= min && version <= max)) continue
    throw unsupported(`opset ${domain || 'ai.onnx'}`, `${min} to ${max}`, String(version))
  }
}

function checkValues(name: string, { inputs, outputs }: OnnxHead, promise: GraphPromise): void {
  for (const value of inputs) {
    const promised = Object.hasOwn(promise.inputs, value.name) ? promise.inputs[value.name] : undefined
    // One that is not known may be a weight, as old graphs list them; the runtime tells.
    if (promised !== undefined) checkValue(name, value, promised)
  }
  const [output, promised] = promise.output
  const found = outputs.find((value) => value.name === output)
  if (found === undefined) {
    const received = outputs.map((value) => value.name).join(', ')
    throw new ArtifactError(
      'ARTIFACT_SHAPE_MISMATCH',
      `${name}: expected output ${output}, received ${received}`,
    )
  }
  checkValue(name, found, promised)
}

function checkValue(graph: string, { name, elemType, dims }: GraphValue, promised: Promised): void {
  const typed = elemType === promised.elemType
  const shaped =
    dims === undefined ||
    (dims.length === promised.dims.length &&
      dims.every((size, at) => size === null || size === promised.dims[at]))
  if (typed && shaped) return
  const shown = (type: number | undefined, sizes: readonly (number | string | null)[] | undefined): string =>
    `${TYPE_NAMES[type ?? 0] ?? `type ${type}`}${sizes === undefined ? '' : ` [${sizes.map((size) => size ?? '?').join(', ')}]`}`
  throw new ArtifactError(
    'ARTIFACT_SHAPE_MISMATCH',
    `${graph}: ${name}: expected ${shown(promised.elemType, promised.dims)}, received ${shown(elemType, dims)}`,
  )
}
