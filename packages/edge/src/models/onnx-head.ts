import { bytesIn, fieldsOf, noGraph, numberIn, textIn } from './protobuf.ts'

/** What a graph says of one of its inputs or outputs. */
export interface GraphValue {
  readonly name: string
  /** Number of `TensorProto.DataType`; undefined: no tensor, or not said. */
  readonly elemType: number | undefined
  /** null: any size; undefined: no shape is said. */
  readonly dims: readonly (number | null)[] | undefined
}

/** What can be told of an ONNX file without running it. */
export interface OnnxHead {
  readonly irVersion: number
  /** By domain; the operators of ONNX itself are the empty one. */
  readonly opsets: ReadonlyMap<string, number>
  readonly inputs: readonly GraphValue[]
  readonly outputs: readonly GraphValue[]
  /** A weight that is said to lie in another file. */
  readonly external: string | undefined
  /** The GraphProto. */
  readonly graph: Uint8Array
  /** Functions of its own, by name. */
  readonly functions: readonly string[]
}

const EXTERNAL = 1

/**
 * The few fields of a ModelProto that decide whether a runtime takes it, weights passed over.
 *
 * O(messages on the way), no copying.
 *
 * @throws {ArtifactError} `ARTIFACT_MALFORMED` when the bytes are no ModelProto with a graph
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export function readOnnxHead(what: string, bytes: Uint8Array): OnnxHead {
  let irVersion = 0
  const opsets = new Map<string, number>()
  const functions: string[] = []
  let graph: Uint8Array | undefined
  for (const { number, value } of fieldsOf(what, bytes)) {
    if (number === 1 && typeof value === 'number') irVersion = value
    if (number === 7 && value instanceof Uint8Array) {
      // Of two, protobuf makes one.
      if (graph !== undefined) throw noGraph(what, 'there are two graphs in it')
      graph = value
    }
    if (number === 25 && value instanceof Uint8Array) functions.push(textIn(fieldsOf(what, value), 1) ?? '')
    if (number === 8 && value instanceof Uint8Array) {
      const fields = fieldsOf(what, value)
      const domain = textIn(fields, 1) ?? ''
      opsets.set(domain === 'ai.onnx' ? '' : domain, numberIn(fields, 2) ?? 0)
    }
  }
  if (graph === undefined) throw noGraph(what, 'there is no graph in it')
  const inputs: GraphValue[] = []
  const outputs: GraphValue[] = []
  let external: string | undefined
  for (const { number, value } of fieldsOf(what, graph)) {
    if (!(value instanceof Uint8Array)) continue
    if (number === 11) inputs.push(valueOf(what, value))
    if (number === 12) outputs.push(valueOf(what, value))
    if (number === 5 && external === undefined) {
      const tensor = fieldsOf(what, value)
      if (numberIn(tensor, 14) === EXTERNAL) external = textIn(tensor, 8) ?? ''
    }
  }
  return { irVersion, opsets, inputs, outputs, external, graph, functions }
}

/** ValueInfoProto { name 1, type 2 { tensor_type 1 { elem_type 1, shape 2 { dim 1 { dim_value 1 } } } } } */
function valueOf(what: string, bytes: Uint8Array): GraphValue {
  const value = fieldsOf(what, bytes)
  const type = bytesIn(value, 2)
  const tensor = type && bytesIn(fieldsOf(what, type), 1)
  const fields = tensor === undefined ? [] : fieldsOf(what, tensor)
  const shape = bytesIn(fields, 2)
  const dims =
    shape &&
    fieldsOf(what, shape).flatMap((dim) =>
      dim.number === 1 && dim.value instanceof Uint8Array
        ? [numberIn(fieldsOf(what, dim.value), 1) ?? null]
        : [],
    )
  return { name: textIn(value, 1) ?? '', elemType: numberIn(fields, 1), dims }
}
