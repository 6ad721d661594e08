import { parentPort, workerData } from 'node:worker_threads'
import { HISTORY_KINDS, VISIT_GAP_MS, type HistoryItem } from '@attune/core'
import { NO_ITEM } from '@attune/core/artifact'
import { addQuery, emptyTotals, type RankingTotals } from '@attune/core/evaluate'
import {
  CandidateSet,
  coreEngine,
  encoderInput,
  nearest,
  rankHistory,
  toRows,
  type StandardWeights,
} from '@attune/core/rank'
import type { TrainingData } from './data.ts'
import type { TestPrefixes } from './load-sessions.ts'
import { instantiateKernels, type WasmMemory, type WasmModule } from './kernels.ts'
import { webEngine, type OnnxFiles } from './ort-engine.ts'
import { fitRanker, type FitOptions, type Standardisation } from './ranker-fit.ts'
import { prepareSample, sampleViews, type SampleLayout } from './ranker-samples.ts'
import { openShared, type SharedModel } from './shared-model.ts'

/** What a worker that ranks with a model is started with. */
export interface RankingWorkerData {
  readonly model: SharedModel
  readonly thread: number
  readonly threads: number
}

/** Places in the data of one example; E of them. */
export interface Examples {
  readonly start: Uint32Array
  readonly target: Uint32Array
}

export interface PrepareTask {
  readonly type: 'prepare'
  /** Only the encoder's are used. */
  readonly weights: StandardWeights
  readonly data: TrainingData
  readonly examples: Examples
  readonly memory: WasmMemory
  readonly layout: SampleLayout
}

export interface FitTask {
  readonly type: 'fit'
  readonly module: WasmModule
  readonly memory: WasmMemory
  readonly layout: SampleLayout
  readonly samples: Uint32Array
  readonly scale: Standardisation
  readonly options: FitOptions
}

export interface EvaluateTask {
  readonly type: 'evaluate'
  readonly weights: StandardWeights
  readonly prefixes: TestPrefixes
  readonly k: number
  /** Rank with ONNX Runtime instead of core's TypeScript. */
  readonly onnx: OnnxFiles | undefined
  /** Send the lists back, not only what they are worth. */
  readonly keepLists: boolean
}

export interface EvaluateTotals {
  readonly ranked: RankingTotals
  readonly encoderOnly: RankingTotals
  readonly candidates: number
  /** What each prefix took, milliseconds. */
  readonly durations: Float32Array
  /** Of this thread's prefixes, `[P, k]` rows of the model, `NO_ITEM` where a list ends early; empty unless asked for. */
  readonly lists: Uint32Array
}

export type RankingTask = PrepareTask | FitTask | EvaluateTask

/** Said between answers: so many more prefixes are ranked. */
export interface RankingNote {
  readonly ranked: number
}

const TOLD_EVERY = 250

if (parentPort !== null) work(parentPort, workerData as RankingWorkerData)

function work(
  port: NonNullable<typeof parentPort>,
  { model: shared, thread, threads }: RankingWorkerData,
): void {
  const model = openShared(shared)
  const scratch = new CandidateSet()
  const note = (what: RankingNote): void => port.postMessage({ note: what })

  const prepare = async ({ weights, data, examples, memory, layout }: PrepareTask): Promise<null> => {
    const views = sampleViews(memory, layout)
    const engine = coreEngine(weights)
    for (let index = thread; index < layout.samples; index += threads) {
      const example = { start: examples.start[index]!, target: examples.target[index]! }
      await prepareSample(model, engine, data, example, index, views, scratch)
    }
    return null
  }

  const evaluate = async ({
    weights,
    prefixes,
    k,
    onnx,
    keepLists,
  }: EvaluateTask): Promise<EvaluateTotals> => {
    const engine = onnx === undefined ? coreEngine(weights) : await webEngine(onnx)
    const durations: number[] = []
    const ranked = emptyTotals()
    const encoderOnly = emptyTotals()
    let candidates = 0
    let told = 0
    const mine = Math.max(0, Math.ceil((prefixes.targets.length - thread) / threads))
    const lists = new Uint32Array(keepLists ? mine * k : 0).fill(NO_ITEM)
    for (let index = thread; index < prefixes.targets.length; index += threads) {
      const history = steps(prefixes, index)
      const target = model.rowOf(prefixes.targets[index] ?? '') ?? -1
      const started = performance.now()
      const list = await rankHistory(model, { history, k }, engine, scratch)
      durations.push(performance.now() - started)
      addQuery(ranked, list.rows, target, k)
      candidates += list.considered
      if (++told % TOLD_EVERY === 0) note({ ranked: TOLD_EVERY })
      if (keepLists) lists.set(list.rows, ((index - thread) / threads) * k)
      const rows = toRows(model, history)
      if (rows.rows.length === 0) addQuery(encoderOnly, [], target, k)
      else {
        const query = await engine.encode(encoderInput(model, rows))
        addQuery(encoderOnly, Array.from(nearest(model, query).subarray(0, k)), target, k)
      }
    }
    return { ranked, encoderOnly, candidates, durations: Float32Array.from(durations), lists }
  }

  port.on('message', (task: RankingTask) => {
    const answer =
      task.type === 'prepare'
        ? prepare(task)
        : task.type === 'evaluate'
          ? evaluate(task)
          : Promise.resolve(
              thread > 0
                ? null
                : fitRanker(
                    instantiateKernels(task.module, task.memory),
                    task.memory,
                    task.layout,
                    task.samples,
                    task.scale,
                    task.options,
                  ),
            )
    answer.then(
      (result) => port.postMessage({ answer: result }),
      (error: unknown) => {
        // Uncaught on purpose: the crew hears it as the worker's error.
        setImmediate(() => {
          throw error
        })
      },
    )
  })
}

/** A prefix as the edge would see it: clicks of one visit, a second apart unless their times are known. */
function steps({ histories, kinds, times }: TestPrefixes, index: number): HistoryItem[] {
  const items = histories[index] ?? []
  return items.map((item, step) => ({
    item,
    kind: HISTORY_KINDS[kinds?.[index]?.[step] ?? 0] ?? 'click',
    at: times?.[index]?.[step] ?? Math.min(step * 1_000, VISIT_GAP_MS - 1),
  }))
}
