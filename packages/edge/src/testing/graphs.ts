import type { StandardWeights } from '@attune/core/rank'
import onnxProto from 'onnx-proto'

const { onnx } = onnxProto

// The standard encoder and ranker of docs/artifact-format.md as ONNX graphs, written from its equations.

interface Graph {
  readonly nodes: InstanceType<typeof onnx.NodeProto>[]
  readonly constants: InstanceType<typeof onnx.TensorProto>[]
}

const OPSET = 13
const { FLOAT, INT64 } = onnx.TensorProto.DataType

function node(
  graph: Graph,
  op: string,
  inputs: string[],
  output: string,
  attributes: Record<string, number | number[]> = {},
): string {
  const attribute = Object.entries(attributes).map(([name, value]) =>
    Array.isArray(value)
      ? onnx.AttributeProto.create({ name, ints: value, type: onnx.AttributeProto.AttributeType.INTS })
      : onnx.AttributeProto.create({ name, i: value, type: onnx.AttributeProto.AttributeType.INT }),
  )
  graph.nodes.push(
    onnx.NodeProto.create({ opType: op, name: output, input: inputs, output: [output], attribute }),
  )
  return output
}

function constant(
  graph: Graph,
  name: string,
  data: Float32Array | readonly number[],
  dims: number[],
): string {
  const floats = Float32Array.from(data)
  graph.constants.push(
    onnx.TensorProto.create({ name, dims, dataType: FLOAT, rawData: new Uint8Array(floats.buffer.slice(0)) }),
  )
  return name
}

function integers(graph: Graph, name: string, values: readonly number[], dims = [values.length]): string {
  const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
  graph.constants.push(onnx.TensorProto.create({ name, dims, dataType: INT64, rawData: bytes }))
  return name
}

function value(
  name: string,
  elemType: number,
  dims: (number | string)[],
): InstanceType<typeof onnx.ValueInfoProto> {
  const dim = dims.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }))
  return onnx.ValueInfoProto.create({ name, type: { tensorType: { elemType, shape: { dim } } } })
}

/** Versions a file says it is of. */
export interface GraphVersions {
  readonly irVersion?: number
  /** Of ONNX's own operators. */
  readonly opset?: number
  /** Of other domains. */
  readonly domains?: Readonly<Record<string, number>>
}

function finish(
  graph: Graph,
  inputs: ReturnType<typeof value>[],
  output: ReturnType<typeof value>,
  { irVersion = 8, opset = OPSET, domains = {} }: GraphVersions = {},
): Uint8Array {
  const model = onnx.ModelProto.create({
    irVersion,
    producerName: 'attune-test',
    opsetImport: [
      { domain: '', version: opset },
      ...Object.entries(domains).map(([domain, version]) => ({ domain, version })),
    ],
    graph: {
      name: 'graph',
      node: graph.nodes,
      initializer: graph.constants,
      input: inputs,
      output: [output],
    },
  })
  return Uint8Array.from(onnx.ModelProto.encode(model).finish())
}

/** `[rows, columns]` row-major → its transpose. */
function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from(
    { length: data.length },
    (_, at) => data[(at % rows) * columns + Math.floor(at / rows)] ?? 0,
  )
}

export function encoderGraph({ encoder: w }: StandardWeights): Uint8Array {
  const g: Graph = { nodes: [], constants: [] }
  const { dim: d, historyLength: length } = w
  const x = node(g, 'Add', ['history', constant(g, 'position', w.position, [1, length, d])], 'x')
  const last = node(g, 'Gather', ['history', integers(g, 'last_index', [length - 1], [])], 'last', {
    axis: 1,
  })
  const w2 = node(g, 'MatMul', [last, constant(g, 'w2', transposed(w.w2, d, d), [d, d])], 'w2_last')
  const gate = node(
    g,
    'Unsqueeze',
    [node(g, 'Add', [w2, constant(g, 'bias', w.bias, [d])], 'gate'), integers(g, 'one', [1])],
    'gate_3d',
  )
  const w1 = node(g, 'MatMul', [x, constant(g, 'w1', transposed(w.w1, d, d), [d, d])], 'w1_x')
  const gated = node(g, 'Sigmoid', [node(g, 'Add', [w1, gate], 'gate_sum')], 'gated')
  const attention = node(
    g,
    'Squeeze',
    [node(g, 'MatMul', [gated, constant(g, 'v', w.v, [d, 1])], 'attention_3d'), integers(g, 'two', [2])],
    'attention',
  )
  const strength = node(
    g,
    'Gather',
    [constant(g, 'strength', w.strength, [w.strength.length]), 'kind'],
    'kind_strength',
    { axis: 0 },
  )
  const decay = node(
    g,
    'Exp',
    [node(g, 'Mul', ['age', constant(g, 'rate', [-w.decay], [1])], 'scaled_age')],
    'decay',
  )
  const weighted = node(
    g,
    'Mul',
    [node(g, 'Mul', [strength, decay], 'known'), node(g, 'Mul', ['mask', attention], 'seen')],
    'weights',
  )
  const row = node(g, 'Unsqueeze', [weighted, 'one'], 'weights_3d')
  const pooled = node(g, 'Squeeze', [node(g, 'MatMul', [row, x], 'pooled_3d'), 'one'], 'pooled')
  const both = node(g, 'Concat', [pooled, last], 'both', { axis: 1 })
  const h = node(g, 'MatMul', [both, constant(g, 'w3', transposed(w.w3, d, 2 * d), [2 * d, d])], 'h')
  const norm = node(g, 'ReduceL2', [h], 'norm', { axes: [1], keepdims: 1 })
  node(g, 'Div', [h, node(g, 'Max', [norm, constant(g, 'tiny', [1e-12], [1])], 'safe_norm')], 'query')
  return finish(
    g,
    [
      value('history', FLOAT, [1, length, d]),
      value('kind', INT64, [1, length]),
      value('age', FLOAT, [1, length]),
      value('mask', FLOAT, [1, length]),
    ],
    value('query', FLOAT, [1, d]),
  )
}

export function rankerGraph(
  { encoder, ranker: w }: StandardWeights,
  features: number,
  context: number,
): Uint8Array {
  const g: Graph = { nodes: [], constants: [] }
  const width = 2 + features + context
  const hidden = w.hiddenBias.length
  const column = node(g, 'Transpose', ['query'], 'query_column', { perm: [1, 0] })
  const cosine = node(g, 'MatMul', ['candidates', column], 'cosine')
  const gap = node(
    g,
    'Sub',
    [cosine, node(g, 'ReduceMax', [cosine], 'best', { axes: [0], keepdims: 1 })],
    'gap',
  )
  const spread = node(g, 'Add', [node(g, 'Sub', [cosine, cosine], 'zero'), 'context'], 'context_rows')
  const all = node(g, 'Concat', [cosine, gap, 'features', spread], 'all', { axis: 1 })
  const centred = node(g, 'Sub', [all, constant(g, 'mean', w.mean, [1, width])], 'centred')
  const z = node(g, 'Mul', [centred, constant(g, 'inverse_std', w.inverseStd, [1, width])], 'z')
  const linear = node(g, 'MatMul', [z, constant(g, 'linear_weights', w.linear, [width, 1])], 'linear')
  const product = node(
    g,
    'MatMul',
    [z, constant(g, 'hidden', transposed(w.hidden, hidden, width), [width, hidden])],
    'product',
  )
  const active = node(
    g,
    'Relu',
    [node(g, 'Add', [product, constant(g, 'hidden_bias', w.hiddenBias, [1, hidden])], 'sum')],
    'active',
  )
  const bent = node(g, 'MatMul', [active, constant(g, 'out', w.out, [hidden, 1])], 'bent')
  node(g, 'Squeeze', [node(g, 'Add', [linear, bent], 'scores_column'), integers(g, 'axis', [1])], 'scores')
  return finish(
    g,
    [
      value('query', FLOAT, [1, encoder.dim]),
      value('candidates', FLOAT, ['n', encoder.dim]),
      value('features', FLOAT, ['n', features]),
      value('context', FLOAT, [1, context]),
    ],
    value('scores', FLOAT, ['n']),
  )
}

/** What somebody might bring: clicks weighted by their place, 1 to L, of unit length. Has no use for kinds and ages. */
export function placeEncoderGraph(dim: number, length: number, versions?: GraphVersions): Uint8Array {
  const g: Graph = { nodes: [], constants: [] }
  const places = Array.from({ length }, (_, place) => place + 1)
  const weights = node(g, 'Mul', ['mask', constant(g, 'places', places, [1, length])], 'weights')
  const row = node(g, 'Unsqueeze', [weights, integers(g, 'one', [1])], 'weights_3d')
  const sum = node(g, 'Squeeze', [node(g, 'MatMul', [row, 'history'], 'sum_3d'), 'one'], 'sum')
  node(g, 'LpNormalization', [sum], 'query', { axis: 1, p: 2 })
  return finish(
    g,
    [value('history', FLOAT, [1, length, dim]), value('mask', FLOAT, [1, length])],
    value('query', FLOAT, [1, dim]),
    versions,
  )
}

/** Ten times the cosine. */
export function cosineRankerGraph(
  dim: number,
  versions?: GraphVersions,
  shapes: { readonly count?: number | string; readonly type?: number } = {},
): Uint8Array {
  const g: Graph = { nodes: [], constants: [] }
  const { count = 'n', type = FLOAT } = shapes
  const column = node(g, 'Transpose', ['query'], 'query_column', { perm: [1, 0] })
  const cosine = node(g, 'MatMul', ['candidates', column], 'cosine')
  const tens = node(g, 'Mul', [cosine, constant(g, 'ten', [10], [1])], 'tens')
  node(g, 'Squeeze', [tens, integers(g, 'axis', [1])], 'scores')
  return finish(
    g,
    [value('query', type, [1, dim]), value('candidates', type, [count, dim])],
    value('scores', type, [count]),
    versions,
  )
}
