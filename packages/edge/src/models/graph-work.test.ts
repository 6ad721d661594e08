import { readWeights } from '@attune/core/rank'
import { seededRandom } from '@attune/core/testing'
import { expect, test } from 'vitest'
import { loadOrt } from '../serve/ort-node.ts'
import { buildArtifact } from '../testing/artifact.ts'
import { cosineRankerGraph, encoderGraph, placeEncoderGraph, rankerGraph } from '../testing/graphs.ts'
import {
  endless,
  endlessEncoderGraph,
  float,
  floats,
  int64,
  model,
  node,
  type Node,
  type Parts,
  value,
} from '../testing/open-graphs.ts'
import { checkWork, MAX_ELEMENTS, MAX_NODES } from './graph-work.ts'
import { readOnnxHead } from './onnx-head.ts'

const FED = ['history', 'mask']
const check = (bytes: Uint8Array): void => checkWork('encoder', readOnnxHead('encoder', bytes), FED)

/** `mask` [1, n] and `history` [1, n, 4] → `query`. */
const graph = (
  nodes: readonly Node[],
  constants: Parts['constants'] = [],
  more: Partial<Parts> = {},
): Uint8Array =>
  model({
    nodes,
    constants: [int64('zero', [0]), int64('one', [1]), int64('scalar', [1], []), ...constants],
    inputs: [float('mask', [1, 'n']), float('history', [1, 'n', 4])],
    outputs: [float('query', ['a', 'b'])],
    ...more,
  })

/** How many were clicked: a number that comes of values. */
const COUNT: readonly Node[] = [
  node('ReduceSum', ['mask'], ['seen'], { keepdims: 0 }),
  node('Cast', ['seen'], ['count'], { to: 7 }),
  node('Unsqueeze', ['count', 'zero'], ['size']),
]
const inner = (nodes: readonly Node[]): Parts => ({ nodes, outputs: [float('inner', ['a', 'b'])] })
const either = (condition: string, one: Parts, other: Parts): Node =>
  node('If', [condition], ['query'], { then_branch: one, else_branch: other })
const nothing = inner([node('Identity', ['mask'], ['inner'])])

test('our own graphs, and those of somebody’s own, pass', async () => {
  const { manifest, data } = await buildArtifact(seededRandom(1), { items: 50, epoch: 1 })
  const weights = readWeights(data.weights ?? new Map(), manifest.dim, manifest.historyLength)
  for (const bytes of [
    encoderGraph(weights),
    rankerGraph(weights, manifest.features.length, manifest.context.length),
    placeEncoderGraph(64, 16),
    cosineRankerGraph(64),
  ])
    expect(() => check(bytes)).not.toThrow()
})

test('sizes and branches that follow from shapes pass, as exporters write them, and run', async () => {
  const bytes = graph(
    [
      node('Shape', ['mask'], ['shape']),
      node('Gather', ['shape', 'one'], ['n'], { axis: 0 }),
      node('Squeeze', ['n', 'zero'], ['count']),
      node('Constant', [], ['first'], { value: int64('', [0], []) }),
      node('Range', ['first', 'count', 'scalar'], ['places']),
      node('Cast', ['places'], ['position'], { to: 1 }),
      node('Expand', ['position', 'shape'], ['positions']),
      node('Equal', ['count', 'scalar'], ['short']),
      either(
        'short',
        inner([node('Identity', ['mask'], ['inner'])]),
        inner([node('Mul', ['mask', 'positions'], ['inner'])]),
      ),
    ],
    [],
    { inputs: [float('mask', [1, 'n'])] },
  )
  check(bytes)
  const ort = await loadOrt()
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] })
  const mask = new ort.Tensor('float32', Float32Array.of(1, 1, 0, 1), [1, 4])
  expect((await session.run({ mask }))['query']?.data).toEqual(Float32Array.of(0, 1, 0, 3))
  await session.release()
})

test.each<[string, Uint8Array, string]>([
  [
    'an endless loop',
    endlessEncoderGraph(4, 2),
    'node the looped (Loop): expected subgraphs in If alone, received one in Loop',
  ],
  [
    'a loop in a branch in a branch',
    graph([
      node('Size', ['mask'], ['size']),
      node('Equal', ['size', 'scalar'], ['short']),
      either(
        'short',
        nothing,
        inner([
          node('If', ['short'], ['inner'], {
            then_branch: inner(endless('mask', 'inner', [1, 1])),
            else_branch: nothing,
          }),
        ]),
      ),
    ]),
    'node the inner (Loop): expected subgraphs in If alone, received one in Loop',
  ],
  [
    'a scan',
    graph([
      node('Scan', ['mask', 'history'], ['last', 'query'], {
        num_scan_inputs: 1,
        body: inner([node('Identity', ['x'], ['inner'])]),
      }),
    ]),
    'node the last (Scan): expected subgraphs in If alone, received one in Scan',
  ],
  [
    'a function of its own',
    // ModelProto.functions (25) { name (1) 'Twice' }: onnx-proto is older than they are.
    Uint8Array.of(
      ...graph([node('Identity', ['mask'], ['query'])]),
      0xca,
      0x01,
      7,
      0x0a,
      5,
      ...Buffer.from('Twice'),
    ),
    'expected no functions of its own (onnx.inliner writes them out), received Twice',
  ],
  [
    'a branch taken by values',
    graph([...COUNT, node('Equal', ['count', 'scalar'], ['alone']), either('alone', nothing, nothing)]),
    'node the query (If): expected a condition that follows from sizes, received one from values',
  ],
  [
    'a size that comes of values',
    graph([...COUNT, node('Expand', ['mask', 'size'], ['query'])]),
    'node the query (Expand): expected sizes that follow from shapes and constants, received one from values',
  ],
  [
    'a size that comes of values, used in a branch',
    graph([
      ...COUNT,
      node('Size', ['mask'], ['all']),
      node('Equal', ['all', 'scalar'], ['short']),
      either('short', nothing, inner([node('Tile', ['mask', 'size'], ['inner'])])),
    ]),
    'node the inner (Tile): expected sizes that follow from shapes and constants, received one from values',
  ],
  [
    'a size that comes of values, through a branch',
    graph([
      ...COUNT,
      node('Size', ['mask'], ['all']),
      node('Equal', ['all', 'scalar'], ['short']),
      node('If', ['short'], ['chosen'], {
        then_branch: { nodes: [node('Identity', ['one'], ['x'])], outputs: [value('x', 7, [1])] },
        else_branch: { nodes: [node('Identity', ['size'], ['y'])], outputs: [value('y', 7, [1])] },
      }),
      node('ConstantOfShape', ['chosen'], ['query']),
    ]),
    'node the query (ConstantOfShape): expected sizes that follow from shapes and constants',
  ],
  [
    'a range that ends by values',
    graph([
      ...COUNT,
      node('Squeeze', ['zero', 'zero'], ['first']),
      node('Range', ['first', 'count', 'scalar'], ['query']),
    ]),
    'node the query (Range): expected sizes that follow from shapes and constants, received one from values',
  ],
  [
    'a size by chance',
    graph([
      node('RandomUniform', [], ['chance'], { shape: [1] }),
      node('Cast', ['chance'], ['size'], { to: 7 }),
      node('Expand', ['mask', 'size'], ['query']),
    ]),
    'node the query (Expand): expected sizes that follow from shapes and constants, received one from values',
  ],
  [
    'an input that says it is a weight',
    model({
      nodes: [node('Cast', ['mask'], ['size'], { to: 7 }), node('Expand', ['history', 'size'], ['query'])],
      constants: [floats('mask', [1])],
      inputs: [float('mask', [1]), float('history', [1, 'n', 4])],
      outputs: [float('query', ['a'])],
    }),
    'node the query (Expand): expected sizes that follow from shapes and constants, received one from values',
  ],
  [
    'a size made further down',
    graph([node('Expand', ['mask', 'size'], ['query']), ...COUNT]),
    'node the query (Expand): expected sizes that follow from shapes and constants, received one from values',
  ],
  [
    'a constant size, 2,049 × 2,048',
    graph([node('Expand', ['mask', 'large'], ['query'])], [int64('large', [2_049, 2_048])]),
    `node the query (Expand): expected at most ${MAX_ELEMENTS} elements, received 4196352`,
  ],
  [
    'a constant size in a node',
    graph([
      node('Constant', [], ['large'], { value: int64('', [100_000_000]) }),
      node('ConstantOfShape', ['large'], ['query']),
    ]),
    `node the query (ConstantOfShape): expected at most ${MAX_ELEMENTS} elements, received 100000000`,
  ],
  [
    'a constant size in an attribute of a node',
    graph([
      node('Constant', [], ['large'], { value_ints: [1_000, 10_000] }),
      node('Tile', ['mask', 'large'], ['query']),
    ]),
    `node the query (Tile): expected at most ${MAX_ELEMENTS} elements, received 10000000`,
  ],
  [
    'a range of constants',
    graph(
      [node('Range', ['from', 'to', 'by'], ['query'])],
      [floats('from', [0], []), floats('to', [10_000_000], []), floats('by', [0.5], [])],
    ),
    `node the query (Range): expected at most ${MAX_ELEMENTS} elements, received 20000000`,
  ],
  [
    'an enlargement of constants',
    graph([node('Resize', ['mask', '', 'scales'], ['query'])], [floats('scales', [1, 5_000_000])]),
    `node the query (Resize): expected at most ${MAX_ELEMENTS} elements, received 5000000`,
  ],
  [
    'random numbers',
    graph([node('RandomUniform', [], ['query'], { shape: [5_000, 1_000] })]),
    `node the query (RandomUniform): expected at most ${MAX_ELEMENTS} elements, received 5000000`,
  ],
  [
    '10,001 nodes',
    graph(
      Array.from({ length: MAX_NODES + 1 }, (_, at) =>
        node('Abs', [at === 0 ? 'mask' : `v${at}`], [`v${at + 1}`]),
      ),
    ),
    `expected at most ${MAX_NODES} nodes, received more`,
  ],
])('%s is ARTIFACT_GRAPH_UNBOUNDED', (_, bytes, message) => {
  expect(() => check(bytes)).toThrow(
    expect.objectContaining({
      code: 'ARTIFACT_GRAPH_UNBOUNDED',
      message: expect.stringContaining(`encoder: ${message}`) as string,
    }),
  )
})

test('10,000 nodes, 2,048 × 2,048 elements and what is left out pass', () => {
  check(
    graph(
      Array.from({ length: MAX_NODES }, (_, at) =>
        node('Abs', [at === 0 ? 'mask' : `v${at}`], [`v${at + 1}`]),
      ),
    ),
  )
  check(graph([node('Expand', ['mask', 'large'], ['query'])], [int64('large', [2_048, 2_048])]))
  // An input that is left out has no name, and no size.
  check(graph([node('Resize', ['mask', '', 'scales'], ['query'])], [floats('scales', [1, 2])]))
})

test('17 branches within one another are refused, 16 are not', () => {
  const nested = (depth: number): Parts =>
    depth === 0
      ? nothing
      : inner([node('If', ['short'], ['inner'], { then_branch: nested(depth - 1), else_branch: nothing })])
  const of = (depth: number): Uint8Array =>
    graph([
      node('Size', ['mask'], ['size']),
      node('Equal', ['size', 'scalar'], ['short']),
      either('short', nested(depth - 1), nothing),
    ])
  expect(() => check(of(16))).not.toThrow()
  expect(() => check(of(17))).toThrow('expected at most 16 subgraphs within one another')
})

test('a second graph, which protobuf would join to the first, is ARTIFACT_MALFORMED', () => {
  const one = graph([node('Identity', ['mask'], ['query'])])
  const joined = Uint8Array.of(...endlessEncoderGraph(4, 2), ...one)
  expect(() => check(joined)).toThrow(expect.objectContaining({ code: 'ARTIFACT_MALFORMED' }))
})
