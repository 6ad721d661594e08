import { ArtifactError } from '@attune/core/artifact'

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
}

interface Field {
  readonly number: number
  /** A number, or the bytes of what has a length; undefined for the fixed-width kinds, which nothing here is of. */
  readonly value: number | Uint8Array | undefined
}

const EXTERNAL = 1
const text = new TextDecoder()

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
  let graph: Uint8Array | undefined
  for (const { number, value } of fieldsOf(what, bytes)) {
    if (number === 1 && typeof value === 'number') irVersion = value
    if (number === 7 && value instanceof Uint8Array) graph = value
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
  return { irVersion, opsets, inputs, outputs, external }
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

const valueIn = (fields: readonly Field[], number: number): Field['value'] =>
  fields.findLast((field) => field.number === number)?.value

function numberIn(fields: readonly Field[], number: number): number | undefined {
  const value = valueIn(fields, number)
  return typeof value === 'number' ? value : undefined
}

function bytesIn(fields: readonly Field[], number: number): Uint8Array | undefined {
  const value = valueIn(fields, number)
  return value instanceof Uint8Array ? value : undefined
}

function textIn(fields: readonly Field[], number: number): string | undefined {
  const value = bytesIn(fields, number)
  return value && text.decode(value)
}

/** One message of protobuf's wire format, not what lies in its messages. */
function fieldsOf(what: string, bytes: Uint8Array): Field[] {
  const fields: Field[] = []
  let at = 0
  const varint = (): number => {
    const only = bytes[at]
    if (only !== undefined && only < 0x80) {
      at++
      return only
    }
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) throw noGraph(what, `it ends within a number, after ${bytes.length} bytes`)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return Number(BigInt.asIntN(64, value))
    }
    throw noGraph(what, 'a number in it has more than 10 bytes')
  }
  while (at < bytes.length) {
    const tag = varint()
    const kind = tag % 8
    let value: Field['value']
    if (kind === 0) value = varint()
    else if (kind === 2) {
      const length = varint()
      if (length < 0 || at + length > bytes.length)
        throw noGraph(what, `a part of ${length} bytes in ${bytes.length - at}`)
      value = bytes.subarray(at, at + length)
      at += length
    } else if (kind === 1) at += 8
    else if (kind === 5) at += 4
    else throw noGraph(what, `a field of kind ${kind}`)
    fields.push({ number: Math.floor(tag / 8), value })
  }
  if (at > bytes.length) throw noGraph(what, `it ends within a number, after ${bytes.length} bytes`)
  return fields
}

function noGraph(what: string, found: string): ArtifactError {
  return new ArtifactError('ARTIFACT_MALFORMED', `${what}: expected an ONNX model, received none: ${found}`)
}
