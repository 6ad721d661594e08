import { FEATURES, CONTEXT, RANKER_INPUT, type EncoderWeights, type RankerWeights } from '@attune/core/rank'
import onnxProto, { type onnx } from 'onnx-proto'

const { ModelProto, TensorProto, AttributeProto } = onnxProto.onnx
const { FLOAT, INT64 } = TensorProto.DataType

export const ONNX_OPSET = 17
export const ONNX_IR_VERSION = 8

/**
 * The query encoder as an ONNX file: `history` [1,L,d], `kind` [1,L], `age` [1,L], `mask` [1,L] → `query` [1,d].
 * The twin of core's `encode`.
 *
 * @see docs/artifact-format.md, "Encoder"
 */
export function encoderOnnx(weights: EncoderWeights): Uint8Array {
  const { dim: d, historyLength: length, position, w1, w2, bias, v, w3, strength, decay } = weights
  return model('attune-encoder', {
    input: [
      value('history', FLOAT, [1, length, d]),
      value('kind', INT64, [1, length]),
      value('age', FLOAT, [1, length]),
      value('mask', FLOAT, [1, length]),
    ],
    output: [value('query', FLOAT, [1, d])],
    initializer: [
      floats('position', [length, d], position),
      floats('w1', [d, d], transposed(w1, d, d)),
      floats('w2', [d, d], transposed(w2, d, d)),
      floats('bias', [d], bias),
      floats('v', [d, 1], v),
      floats('w3', [2 * d, d], transposed(w3, d, 2 * d)),
      floats('strength', [strength.length], strength),
      floats('minus_decay', [1], Float32Array.of(-decay)),
      floats('smallest_norm', [1], Float32Array.of(1e-12)),
      longs('newest', [1], [length - 1]),
      longs('axis_0', [1], [0]),
    ],
    node: [
      node('Squeeze', ['history', 'axis_0'], 'steps'),
      node('Add', ['steps', 'position'], 'x'),
      node('Gather', ['steps', 'newest'], 'last', [int('axis', 0)]),
      node('Gemm', ['last', 'w2', 'bias'], 'gate'),
      node('Gemm', ['x', 'w1', 'gate'], 'u'),
      node('Sigmoid', ['u'], 'sigmoid_u'),
      node('MatMul', ['sigmoid_u', 'v'], 'attention_column'),
      node('Transpose', ['attention_column'], 'attention', [ints('perm', [1, 0])]),
      node('Gather', ['strength', 'kind'], 'step_strength', [int('axis', 0)]),
      node('Mul', ['mask', 'step_strength'], 'masked_strength'),
      node('Mul', ['age', 'minus_decay'], 'minus_decayed_age'),
      node('Exp', ['minus_decayed_age'], 'freshness'),
      node('Mul', ['masked_strength', 'freshness'], 'step_weight'),
      node('Mul', ['step_weight', 'attention'], 'w'),
      node('MatMul', ['w', 'x'], 'pooled'),
      node('Concat', ['pooled', 'last'], 'pooled_and_last', [int('axis', 1)]),
      node('MatMul', ['pooled_and_last', 'w3'], 'h'),
      node('ReduceL2', ['h'], 'norm', [ints('axes', [1]), int('keepdims', 1)]),
      node('Max', ['norm', 'smallest_norm'], 'safe_norm'),
      node('Div', ['h', 'safe_norm'], 'query'),
    ],
  })
}

/**
 * The ranker as an ONNX file: `query` [1,d], `candidates` [n,d], `features` [n,f], `context` [1,c] → `scores` [n];
 * n is free, at least 1. The twin of core's `score`.
 *
 * @see docs/artifact-format.md, "Ranker"
 */
export function rankerOnnx(weights: RankerWeights, dim: number): Uint8Array {
  const { weights: folded, bias, out, width } = foldedRanker(weights)
  const part = (from: number, rows: number): Float32Array => folded.slice(from * width, (from + rows) * width)
  return model('attune-ranker', {
    input: [
      value('query', FLOAT, [1, dim]),
      value('candidates', FLOAT, ['n', dim]),
      value('features', FLOAT, ['n', FEATURES]),
      value('context', FLOAT, [1, CONTEXT]),
    ],
    output: [value('scores', FLOAT, ['n'])],
    initializer: [
      floats('of_candidate', [1 + FEATURES, width], part(0, 1 + FEATURES)),
      floats('of_request', [1 + CONTEXT, width], part(1 + FEATURES, 1 + CONTEXT)),
      floats('bias', [width], bias),
      floats('out', [width, 1], out),
      longs('axis_1', [1], [1]),
    ],
    node: [
      node('Transpose', ['query'], 'query_column', [ints('perm', [1, 0])]),
      node('MatMul', ['candidates', 'query_column'], 'cosine'),
      node('ReduceMax', ['cosine'], 'best', [ints('axes', [0]), int('keepdims', 1)]),
      node('Concat', ['best', 'context'], 'request', [int('axis', 1)]),
      node('Gemm', ['request', 'of_request', 'bias'], 'same_for_all'),
      node('Concat', ['cosine', 'features'], 'candidate', [int('axis', 1)]),
      node('Gemm', ['candidate', 'of_candidate', 'same_for_all'], 'hidden'),
      node('Relu', ['hidden'], 'hidden_active'),
      node('MatMul', ['hidden_active', 'out'], 'score_column'),
      node('Squeeze', ['score_column', 'axis_1'], 'scores'),
    ],
  })
}

/**
 * The ranker's layers as the graph has them, with fewer steps over every candidate: what standardises is part of the
 * weights, what is the same for all candidates apart, and the linear score l two more units, as l = relu(l) − relu(−l).
 *
 * @returns weights `[1 + f + 1 + c, width]` of the cosine, the features, the best cosine and the context
 */
function foldedRanker({ mean, inverseStd, linear, hidden, hiddenBias, out }: RankerWeights): {
  weights: Float32Array
  bias: Float32Array
  out: Float32Array
  width: number
} {
  const units = hiddenBias.length
  const width = units + 2
  const bias = Float64Array.of(...hiddenBias, 0, 0)
  // Input j of unit u; the last two are the linear score and its negative.
  const of = (j: number, u: number): number =>
    inverseStd[j]! * (u < units ? hidden[u * RANKER_INPUT + j]! : (u === units ? 1 : -1) * linear[j]!)
  const weights = new Float32Array((2 + FEATURES + CONTEXT) * width)
  for (let u = 0; u < width; u++) {
    for (let j = 0; j < RANKER_INPUT; j++) bias[u]! -= mean[j]! * of(j, u)
    // The gap is the cosine less the best one.
    weights[u] = of(0, u) + of(1, u)
    for (let f = 0; f < FEATURES; f++) weights[(1 + f) * width + u] = of(2 + f, u)
    weights[(1 + FEATURES) * width + u] = -of(1, u)
    for (let c = 0; c < CONTEXT; c++) weights[(2 + FEATURES + c) * width + u] = of(2 + FEATURES + c, u)
  }
  return { weights, bias: Float32Array.from(bias), out: Float32Array.of(...out, 1, -1), width }
}

function model(name: string, graph: Omit<onnx.IGraphProto, 'name'>): Uint8Array {
  const proto = ModelProto.fromObject({
    irVersion: ONNX_IR_VERSION,
    opsetImport: [{ domain: '', version: ONNX_OPSET }],
    producerName: 'attune',
    graph: { name, ...graph },
  })
  return ModelProto.encode(proto).finish()
}

function value(name: string, elemType: number, shape: readonly (number | string)[]): onnx.IValueInfoProto {
  const dim = shape.map((side) => (typeof side === 'string' ? { dimParam: side } : { dimValue: side }))
  return { name, type: { tensorType: { elemType, shape: { dim } } } }
}

function node(
  opType: string,
  input: string[],
  output: string,
  attribute: onnx.IAttributeProto[] = [],
): onnx.INodeProto {
  return { opType, input, output: [output], name: output, attribute }
}

function int(name: string, i: number): onnx.IAttributeProto {
  return { name, i, type: AttributeProto.AttributeType.INT }
}

function ints(name: string, values: number[]): onnx.IAttributeProto {
  return { name, ints: values, type: AttributeProto.AttributeType.INTS }
}

function floats(name: string, dims: number[], data: Float32Array): onnx.ITensorProto {
  return {
    name,
    dims,
    dataType: FLOAT,
    rawData: littleEndian(data.length * 4, (view) => {
      data.forEach((number, index) => view.setFloat32(index * 4, number, true))
    }),
  }
}

function longs(name: string, dims: number[], data: number[]): onnx.ITensorProto {
  return {
    name,
    dims,
    dataType: INT64,
    rawData: littleEndian(data.length * 8, (view) => {
      data.forEach((number, index) => view.setBigInt64(index * 8, BigInt(number), true))
    }),
  }
}

function littleEndian(bytes: number, write: (view: DataView) => void): Uint8Array {
  const array = new Uint8Array(bytes)
  write(new DataView(array.buffer))
  return array
}

/** `[rows, columns]` → `[columns, rows]`: ONNX multiplies from the right. */
function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(matrix.length)
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) out[c * rows + r] = matrix[r * columns + c]!
  return out
}
