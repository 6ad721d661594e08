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
      longs('newest', [], [length - 1]),
      longs('axis_1', [1], [1]),
      longs('axis_2', [1], [2]),
    ],
    node: [
      node('Add', ['history', 'position'], 'x'),
      node('Gather', ['history', 'newest'], 'last', [int('axis', 1)]),
      node('MatMul', ['x', 'w1'], 'w1_x'),
      node('MatMul', ['last', 'w2'], 'w2_last'),
      node('Add', ['w2_last', 'bias'], 'gate_flat'),
      node('Unsqueeze', ['gate_flat', 'axis_1'], 'gate'),
      node('Add', ['w1_x', 'gate'], 'u'),
      node('Sigmoid', ['u'], 'sigmoid_u'),
      node('MatMul', ['sigmoid_u', 'v'], 'attention_column'),
      node('Squeeze', ['attention_column', 'axis_2'], 'attention'),
      node('Gather', ['strength', 'kind'], 'step_strength', [int('axis', 0)]),
      node('Mul', ['mask', 'step_strength'], 'masked_strength'),
      node('Mul', ['age', 'minus_decay'], 'minus_decayed_age'),
      node('Exp', ['minus_decayed_age'], 'freshness'),
      node('Mul', ['masked_strength', 'freshness'], 'step_weight'),
      node('Mul', ['step_weight', 'attention'], 'w'),
      node('Unsqueeze', ['w', 'axis_1'], 'w_row'),
      node('MatMul', ['w_row', 'x'], 'pooled_row'),
      node('Squeeze', ['pooled_row', 'axis_1'], 'pooled'),
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
  const { mean, inverseStd, linear, hidden, hiddenBias, out } = weights
  const units = hiddenBias.length
  return model('attune-ranker', {
    input: [
      value('query', FLOAT, [1, dim]),
      value('candidates', FLOAT, ['n', dim]),
      value('features', FLOAT, ['n', FEATURES]),
      value('context', FLOAT, [1, CONTEXT]),
    ],
    output: [value('scores', FLOAT, ['n'])],
    initializer: [
      floats('mean', [RANKER_INPUT], mean),
      floats('inverse_std', [RANKER_INPUT], inverseStd),
      floats('linear', [RANKER_INPUT, 1], linear),
      floats('hidden', [RANKER_INPUT, units], transposed(hidden, units, RANKER_INPUT)),
      floats('hidden_bias', [units], hiddenBias),
      floats('out', [units, 1], out),
      longs('axis_1', [1], [1]),
    ],
    node: [
      node('Transpose', ['query'], 'query_column', [ints('perm', [1, 0])]),
      node('MatMul', ['candidates', 'query_column'], 'cosine'),
      node('ReduceMax', ['cosine'], 'best', [ints('axes', [0]), int('keepdims', 1)]),
      node('Sub', ['cosine', 'best'], 'gap'),
      // [1,c] with the shape [n,1] broadcasts to [n,c].
      node('Shape', ['cosine'], 'column_shape'),
      node('Expand', ['context', 'column_shape'], 'context_rows'),
      node('Concat', ['cosine', 'gap', 'features', 'context_rows'], 'raw', [int('axis', 1)]),
      node('Sub', ['raw', 'mean'], 'centred'),
      node('Mul', ['centred', 'inverse_std'], 'z'),
      node('MatMul', ['z', 'linear'], 'linear_score'),
      node('MatMul', ['z', 'hidden'], 'hidden_raw'),
      node('Add', ['hidden_raw', 'hidden_bias'], 'hidden_biased'),
      node('Relu', ['hidden_biased'], 'hidden_active'),
      node('MatMul', ['hidden_active', 'out'], 'hidden_score'),
      node('Add', ['linear_score', 'hidden_score'], 'score_column'),
      node('Squeeze', ['score_column', 'axis_1'], 'scores'),
    ],
  })
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
