import { parseArgs } from 'node:util'
import { quantizeRows } from '@attune/core/artifact'
import { topK, type Scanner } from '@attune/core/rank'
import { seededRandom } from '@attune/core/testing'
import { nodeScanner } from '@attune/trainer-bridge'
import onnxProto from 'onnx-proto'
import * as ort from 'onnxruntime-web'

const { onnx } = onnxProto

const DIM = 64
const KEPT = 50
const RESCORED = 256
const SIZES = [1_000, 10_000, 100_000, 1_000_000]
/** ONNX Runtime keeps its own copy of the matrix, and one more while it loads: 256 MB each at a million. */
const MAX_ORT_ITEMS = 100_000
const QUERIES = 20
const MIN_ROUNDS = 15
const MIN_MS = 400
/** Times a work is done before the next one's turn: the first finds the caches full of what the others read. */
const IN_A_ROW = 3

interface Row {
  readonly items: number
  readonly int8_us: number
  readonly f32_us: number
  readonly js_us: number
  readonly ort_us: number | null
  readonly floor_int8_us: number
  readonly floor_f32_us: number
}

/**
 * `npm run bench -- scan [--items 1000,10000,…]`: the best 50 of a catalogue by inner product, d = 64, one thread. Times
 * are the fastest of many rounds, which is what a machine that does other things besides can still tell.
 *
 * int8: the kernel's scan. f32: the kernel's exact products of all rows, then the best. js: the same in TypeScript.
 * ort: `query · factorsᵀ` as a graph. floor: finding no byte in as many bytes (memchr), so the time to read them once.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({ args, options: { items: { type: 'string', default: SIZES.join() } } })
  ort.env.wasm.numThreads = 1
  const rows: Row[] = []
  let recall = NaN
  for (const items of values.items.split(',').map(Number)) {
    const random = seededRandom(items)
    const scanner = nodeScanner(DIM, items)
    fill(scanner, items, random)
    const queries = Array.from({ length: QUERIES }, () => unit(random))
    const found = check(scanner, items, queries)
    // Of the largest catalogue in which every list was compared.
    recall = Number.isNaN(recall) ? found : Math.min(recall, found)
    rows.push(await measure(scanner, items, queries))
    console.error(JSON.stringify(rows.at(-1)), `recall@${KEPT} ${found}`)
  }
  return { bench: 'scan', rows, recall_at_50: recall }
}

function fill(scanner: Scanner, items: number, random: () => number): void {
  const one = { quantized: new Int8Array(DIM), scales: new Float32Array(1) }
  for (let row = 0; row < items; row++) {
    const values = unit(random)
    scanner.factors.set(values, row * DIM)
    quantizeRows(values, DIM, one)
    scanner.write(row, one.quantized, one.scales)
  }
}

/** A direction, all equally likely (Box and Muller's normal numbers, normalised). */
function unit(random: () => number): Float32Array {
  const values = Float32Array.from(
    { length: DIM },
    () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  )
  const length = Math.hypot(...values)
  return values.map((value) => value / length)
}

/** @returns share of the exact best 50 that int8 with exact rescoring finds */
function check(scanner: Scanner, items: number, queries: readonly Float32Array[]): number {
  let hits = 0
  for (const query of queries) {
    const exact = new Set(bestOf(plainScores(scanner.factors, items, query)))
    const candidates = scanner.scan(query, items, RESCORED).rows.slice()
    const scores = scanner.dots(candidates, query)
    for (const place of topK(scores, KEPT)) if (exact.has(candidates[place] ?? -1)) hits++
  }
  return hits / (queries.length * Math.min(KEPT, items))
}

async function measure(scanner: Scanner, items: number, queries: readonly Float32Array[]): Promise<Row> {
  const all = Uint32Array.from({ length: items }, (_, row) => row)
  const query = (round: number): Float32Array => queries[round % queries.length] ?? new Float32Array(DIM)
  const matrix =
    items <= MAX_ORT_ITEMS ? await ort.InferenceSession.create(graph(scanner.factors, items)) : undefined
  const narrow = Buffer.alloc(items * DIM, 1)
  const wide = Buffer.alloc(items * DIM * 4, 1)
  const int8 = await fastest({
    int8_us: (round) => scanner.scan(query(round), items, RESCORED).length,
    floor_int8_us: () => narrow.indexOf(2),
  })
  const f32 = await fastest({
    f32_us: (round) => bestOf(scanner.dots(all, query(round))).length,
    floor_f32_us: () => wide.indexOf(2),
  })
  const { js_us } = await fastest({
    js_us: (round) => bestOf(plainScores(scanner.factors, items, query(round))).length,
  })
  const graphed =
    matrix &&
    (await fastest({
      ort_us: async (round) => {
        const output = await matrix.run({ query: new ort.Tensor('float32', query(round), [1, DIM]) })
        return bestOf(output['scores']?.data as Float32Array).length
      },
    }))
  const row = { items, ...int8, ...f32, js_us, ort_us: graphed?.ort_us ?? null }
  await matrix?.release()
  return row
}

function plainScores(factors: Float32Array, items: number, query: Float32Array): Float32Array {
  const scores = new Float32Array(items)
  for (let row = 0; row < items; row++) {
    let sum = 0
    for (let c = 0; c < DIM; c++) sum += factors[row * DIM + c]! * query[c]!
    scores[row] = sum
  }
  return scores
}

function bestOf(scores: Float32Array): Uint32Array {
  return topK(scores, KEPT)
}

/** `scores = query · factorsᵀ`, the matrix inside the graph, transposed, as suits ORT best. */
function graph(factors: Float32Array, items: number): Uint8Array {
  const transposed = new Float32Array(items * DIM)
  for (let row = 0; row < items; row++)
    for (let c = 0; c < DIM; c++) transposed[c * items + row] = factors[row * DIM + c]!
  const { FLOAT } = onnx.TensorProto.DataType
  const value = (name: string, size: number) => ({
    name,
    type: { tensorType: { elemType: FLOAT, shape: { dim: [{ dimValue: 1 }, { dimValue: size }] } } },
  })
  const model = onnx.ModelProto.create({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'scan',
      node: [{ opType: 'MatMul', input: ['query', 'factors'], output: ['scores'] }],
      initializer: [
        { name: 'factors', dims: [DIM, items], dataType: FLOAT, rawData: new Uint8Array(transposed.buffer) },
      ],
      input: [value('query', DIM)],
      output: [value('scores', items)],
    },
  })
  return onnx.ModelProto.encode(model).finish()
}

/**
 * Works in turn, so that what else the machine does meets all of them alike.
 *
 * @returns microseconds of the fastest round of each
 */
async function fastest<Name extends string>(
  works: Readonly<Record<Name, (round: number) => number | Promise<number>>>,
): Promise<Record<Name, number>> {
  const named = Object.entries(works) as [Name, (round: number) => number | Promise<number>][]
  const best = Object.fromEntries(named.map(([name]) => [name, Infinity])) as Record<Name, number>
  let sum = 0
  const end = performance.now() + MIN_MS * named.length
  for (let round = 0; round < MIN_ROUNDS || performance.now() < end; round++) {
    for (const [name, work] of named) {
      for (let again = 0; again < IN_A_ROW; again++) {
        const started = performance.now()
        const result = work(round)
        // Only what is a promise is awaited: a turn of the event loop would count as much as a small scan.
        sum += typeof result === 'number' ? result : await result
        best[name] = Math.min(best[name], performance.now() - started)
      }
    }
  }
  if (!Number.isFinite(sum)) throw new Error('a round found nothing to count')
  for (const [name] of named) best[name] = Math.round(best[name] * 10_000) / 10
  return best
}
