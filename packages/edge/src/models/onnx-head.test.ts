import { ArtifactError } from '@attune/core/artifact'
import fc from 'fast-check'
import onnxProto from 'onnx-proto'
import { expect, test } from 'vitest'
import { loadOrt } from '../serve/ort-node.ts'
import { cosineRankerGraph, placeEncoderGraph } from '../testing/graphs.ts'
import { MAX_IR_VERSION, OPSETS } from './graphs.ts'
import { checkWork } from './graph-work.ts'
import { readOnnxHead } from './onnx-head.ts'

const { onnx } = onnxProto

test('versions, names, types and shapes are those that protobuf wrote', () => {
  const bytes = placeEncoderGraph(64, 16, { irVersion: 9, opset: 19, domains: { 'ai.onnx.ml': 3 } })
  expect(readOnnxHead('encoder', bytes)).toMatchObject({
    irVersion: 9,
    opsets: new Map([
      ['', 19],
      ['ai.onnx.ml', 3],
    ]),
    inputs: [
      { name: 'history', elemType: 1, dims: [1, 16, 64] },
      { name: 'mask', elemType: 1, dims: [1, 16] },
    ],
    outputs: [{ name: 'query', elemType: 1, dims: [1, 64] }],
    external: undefined,
    functions: [],
  })
  // A name in place of a size is any size.
  expect(readOnnxHead('ranker', cosineRankerGraph(8)).inputs[1]?.dims).toEqual([null, 8])
})

test('weights in another file are seen', () => {
  const external = onnx.TensorProto.create({ name: 'w', dims: [1], dataType: 1, dataLocation: 1 })
  const model = onnx.ModelProto.create({ irVersion: 8, graph: { name: 'g', initializer: [external] } })
  expect(readOnnxHead('ranker', onnx.ModelProto.encode(model).finish()).external).toBe('w')
})

test('any bytes, and any graph with bytes changed, pass or are refused with a code', () => {
  const graph = placeEncoderGraph(8, 4)
  const read = (bytes: Uint8Array): void => {
    try {
      checkWork('encoder', readOnnxHead('encoder', bytes), ['history', 'mask'])
    } catch (error) {
      expect(error).toBeInstanceOf(ArtifactError)
      expect(error).toMatchObject({
        code: expect.stringMatching(/^ARTIFACT_(MALFORMED|GRAPH_UNBOUNDED)$/) as string,
      })
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), read), { numRuns: 500 })
  const changes = fc.array(fc.tuple(fc.nat(graph.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(changes, fc.nat(graph.length), (changed, length) => {
      const bytes = graph.slice()
      for (const [at, value] of changed) bytes[at] = value
      read(bytes)
      read(bytes.subarray(0, length))
    }),
    { numRuns: 500 },
  )
})

test('the versions that are let in are those that the runtime takes, and no others', async () => {
  const ort = await loadOrt()
  const runs = async (bytes: Uint8Array): Promise<boolean> => {
    try {
      const session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] })
      await session.release()
      return true
    } catch {
      return false
    }
  }
  const sum = (opset: number, irVersion: number, domain = ''): Uint8Array => {
    const value = (name: string) =>
      onnx.ValueInfoProto.create({
        name,
        type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 1 }] } } },
      })
    const others = domain === '' ? [] : [{ domain, version: opset }]
    const model = onnx.ModelProto.create({
      irVersion,
      opsetImport: [{ domain: '', version: domain === '' ? opset : 13 }, ...others],
      graph: {
        name: 'g',
        node: [onnx.NodeProto.create({ opType: 'Add', input: ['a', 'a'], output: ['b'] })],
        input: [value('a')],
        output: [value('b')],
      },
    })
    return Uint8Array.from(onnx.ModelProto.encode(model).finish())
  }
  const taken = async (from: number, to: number, make: (version: number) => Uint8Array) => {
    const versions = Array.from({ length: to - from + 1 }, (_, index) => from + index)
    const results = await Promise.all(versions.map((version) => runs(make(version))))
    const good = versions.filter((_, index) => results[index])
    return [good[0], good.at(-1)]
  }
  for (const [domain, range] of OPSETS)
    expect([domain, ...(await taken(1, range[1] + 3, (opset) => sum(opset, 8, domain)))]).toEqual([
      domain,
      ...range,
    ])
  expect(await taken(1, MAX_IR_VERSION + 3, (version) => sum(13, version))).toEqual([1, MAX_IR_VERSION])
})
