import onnxProto from 'onnx-proto'

const { onnx } = onnxProto
const { FLOAT, INT64, BOOL } = onnx.TensorProto.DataType
const { AttributeType } = onnx.AttributeProto

export type Node = InstanceType<typeof onnx.NodeProto>
type Tensor = InstanceType<typeof onnx.TensorProto>
type Value = InstanceType<typeof onnx.ValueInfoProto>

/** A GraphProto, as its parts. */
export interface Parts {
  readonly nodes: readonly Node[]
  readonly constants?: readonly Tensor[]
  readonly inputs?: readonly Value[]
  readonly outputs: readonly Value[]
}

export function float(name: string, dims: readonly (number | string)[]): Value {
  return value(name, FLOAT, dims)
}

export function value(name: string, elemType: number, dims: readonly (number | string)[]): Value {
  const dim = dims.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }))
  return onnx.ValueInfoProto.create({ name, type: { tensorType: { elemType, shape: { dim } } } })
}

export function int64(
  name: string,
  values: readonly number[],
  dims: readonly number[] = [values.length],
): Tensor {
  const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
  return onnx.TensorProto.create({ name, dims: [...dims], dataType: INT64, rawData })
}

export function floats(
  name: string,
  values: readonly number[],
  dims: readonly number[] = [values.length],
): Tensor {
  const rawData = new Uint8Array(Float32Array.from(values).buffer)
  return onnx.TensorProto.create({ name, dims: [...dims], dataType: FLOAT, rawData })
}

export const truth = (name: string): Tensor =>
  onnx.TensorProto.create({ name, dims: [], dataType: BOOL, rawData: Uint8Array.of(1) })

/** Attributes by what they are: numbers, a tensor, or a graph. */
export function node(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Readonly<Record<string, number | readonly number[] | Tensor | Parts>> = {},
): Node {
  const attribute = Object.entries(attributes).map(([name, said]) => {
    if (typeof said === 'number')
      return onnx.AttributeProto.create({ name, i: said, type: AttributeType.INT })
    if (said instanceof onnx.TensorProto)
      return onnx.AttributeProto.create({ name, t: said, type: AttributeType.TENSOR })
    if ('nodes' in said)
      return onnx.AttributeProto.create({ name, g: graphOf(said), type: AttributeType.GRAPH })
    return onnx.AttributeProto.create({ name, ints: [...said], type: AttributeType.INTS })
  })
  return onnx.NodeProto.create({
    opType,
    name: `the ${output[0] ?? ''}`,
    input: [...input],
    output: [...output],
    attribute,
  })
}

function graphOf({
  nodes,
  constants = [],
  inputs = [],
  outputs,
}: Parts): InstanceType<typeof onnx.GraphProto> {
  return onnx.GraphProto.create({
    name: 'graph',
    node: [...nodes],
    initializer: [...constants],
    input: [...inputs],
    output: [...outputs],
  })
}

/** A whole model. */
export function model(parts: Parts): Uint8Array<ArrayBuffer> {
  const whole = { irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph: graphOf(parts) }
  return Uint8Array.from(onnx.ModelProto.encode(onnx.ModelProto.create(whole)).finish())
}

/** `Loop` around an addition, `Number.MAX_SAFE_INTEGER` times: at 10⁷ a second, thirty years. */
export function endless(from: string, to: string, shape: readonly number[]): readonly Node[] {
  return [
    node('Constant', [], [`${to} times`], { value: int64('', [Number.MAX_SAFE_INTEGER], []) }),
    node('Constant', [], [`${to} goes on`], { value: truth('') }),
    node('Loop', [`${to} times`, `${to} goes on`, from], [to], {
      body: {
        nodes: [node('Identity', ['on'], ['on still']), node('Add', ['carried', 'carried'], ['next'])],
        inputs: [value('turn', INT64, []), value('on', BOOL, []), float('carried', shape)],
        outputs: [value('on still', BOOL, []), float('next', shape)],
      },
    }),
  ]
}

/** An encoder of the right inputs and outputs that never answers. */
export function endlessEncoderGraph(dim: number, length: number): Uint8Array {
  return model({
    nodes: [
      node('ReduceSum', ['history', 'one'], ['sum'], { keepdims: 0 }),
      ...endless('sum', 'looped', [1, dim]),
      node('LpNormalization', ['looped'], ['query'], { axis: 1, p: 2 }),
    ],
    constants: [int64('one', [1])],
    inputs: [float('history', [1, length, dim])],
    outputs: [float('query', [1, dim])],
  })
}

/** An encoder without a loop, every size of which is allowed, that takes hours: 2,048³ multiplications a thousand times. */
export function tediousEncoderGraph(dim: number, length: number): Uint8Array {
  const steps = Array.from({ length: 1_000 }, (_, step) =>
    node('MatMul', [step === 0 ? 'wide' : `m${step - 1}`, 'wide'], [`m${step}`]),
  )
  return model({
    nodes: [
      node('ReduceSum', ['mask', 'axis'], ['seen'], { keepdims: 1 }),
      node('Expand', ['seen', 'size'], ['wide']),
      ...steps,
      node('ReduceMax', ['m999'], ['most'], { keepdims: 0 }),
      node('Add', ['most', 'zeros'], ['query']),
    ],
    constants: [
      int64('axis', [1]),
      int64('size', [2_048, 2_048]),
      floats('zeros', Array(dim).fill(0), [1, dim]),
    ],
    inputs: [float('mask', [1, length])],
    outputs: [float('query', [1, dim])],
  })
}

/** An encoder that joins its input to itself forty times: 2⁴⁰ times as large. */
export function swellingEncoderGraph(dim: number, length: number): Uint8Array {
  const steps = Array.from({ length: 40 }, (_, step) => {
    const from = step === 0 ? 'history' : `j${step - 1}`
    return node('Concat', [from, from], [`j${step}`], { axis: 1 })
  })
  return model({
    nodes: [...steps, node('ReduceMax', ['j39'], ['query'], { axes: [1], keepdims: 0 })],
    inputs: [float('history', [1, length, dim])],
    outputs: [float('query', [1, dim])],
  })
}
