import { parentPort, workerData } from 'node:worker_threads'
import { encode } from '@attune/core/rank'
import type { TrainingData } from './data.ts'
import { EncoderPass, type PassOptions } from './encoder-pass.ts'
import { instantiateKernels, type WasmMemory, type WasmModule } from './kernels.ts'
import { SHARDS, type MemoryLayout } from './memory-layout.ts'
import { Planner, type PlanInput } from './plan.ts'
import { adamSchedule } from './schedule.ts'
import { meet } from './threads.ts'
import { DIM, encoderWeights, WEIGHTS } from './weight-layout.ts'

/** Fields of the shared control block; 0 and 1 belong to `meet`. */
export const CONTROL = {
  next: 2,
  abort: 3,
  stop: 4,
  count: 5,
  rows: 6,
  negativeBlocks: 7,
  length: 8,
} as const

/** What a worker of the encoder's training is started with. */
export interface EncoderWorkerData {
  readonly module: WasmModule
  readonly memory: WasmMemory
  readonly layout: MemoryLayout
  readonly control: Int32Array
  readonly thread: number
  readonly rates: Float64Array
  readonly options: PassOptions
  /** Only thread 0 plans. */
  readonly plan:
    | { readonly data: TrainingData; readonly examples: PlanInput['examples']; readonly seed: number }
    | undefined
  readonly batches: number
  readonly historyLength: number
}

export type EncoderTask =
  | { readonly type: 'iteration'; readonly iteration: number }
  | { readonly type: 'evaluate'; readonly data: TrainingData; readonly examples: PlanInput['examples'] }

export interface IterationAnswer {
  readonly aborted: boolean
  /** Mean loss; NaN from threads that do not plan. */
  readonly loss: number
}

export interface EvaluateAnswer {
  readonly queries: number
  readonly hits: number
  readonly reciprocalRanks: number
}

/** Rows handed out at a time: small enough to even out, large enough not to fight over the counter. */
const CHUNK = 512
const NOTE_EVERY_MS = 500

if (parentPort !== null) work(parentPort, workerData as EncoderWorkerData)

function work(port: NonNullable<typeof parentPort>, input: EncoderWorkerData): void {
  const { memory, layout, control, thread, plan, batches } = input
  const kernels = instantiateKernels(input.module, memory)
  const pass = new EncoderPass(kernels, memory, layout, thread, input.options)
  const schedule = adamSchedule(input.rates)
  const planner = plan && new Planner({ ...plan, layout, memory, schedule })
  const probabilities = new Float32Array(memory.buffer, layout.probabilities, layout.batch)

  /** Work handed out piece by piece; who is faster does more, and where results go does not depend on who. */
  const share = (pieces: number, size: number, run: (from: number, to: number) => void) => {
    for (;;) {
      const from = Atomics.add(control, CONTROL.next, 1) * size
      if (from >= pieces) break
      run(from, Math.min(pieces, from + size))
    }
    meet(control, layout.threads)
    if (thread === 0) Atomics.store(control, CONTROL.next, 0)
    meet(control, layout.threads)
  }

  const iteration = (number: number): IterationAnswer => {
    planner?.startIteration(number)
    let total = 0
    let examples = 0
    let noted = performance.now()
    for (let batch = 0; batch < batches; batch++) {
      const step = number * batches + batch + 1
      if (planner !== undefined) {
        const planned = planner.plan(batch, step)
        control.set([planned.count, planned.rows, planned.negativeBlocks], CONTROL.count)
        Atomics.store(control, CONTROL.stop, Atomics.load(control, CONTROL.abort))
        pass.transposeWeights()
      }
      meet(control, layout.threads)
      if (Atomics.load(control, CONTROL.stop) === 1) return { aborted: true, loss: NaN }
      const count = control[CONTROL.count]!
      const rows = control[CONTROL.rows]!
      const blocks = control[CONTROL.negativeBlocks]!
      share(rows, CHUNK, (from, to) => pass.catchUp(from, to))
      share(SHARDS, 1, (shard) => pass.shard(shard, count, blocks))
      if (thread === 0) pass.updateWeights(step, schedule)
      share(rows, CHUNK, (from, to) => pass.updateRows(from, to, step, schedule))
      if (planner === undefined) continue
      for (let index = 0; index < count; index++) total -= Math.log(probabilities[index]!)
      examples += count
      if (performance.now() - noted > NOTE_EVERY_MS) {
        noted = performance.now()
        port.postMessage({ note: { iteration: number, batch: batch + 1, loss: total / examples } })
      }
    }
    // Rows that no batch touched lately still owe what dense Adam would have done.
    if (planner !== undefined) {
      for (let from = 0; from < layout.items;) {
        const rows = planner.planFlush(from, (number + 1) * batches)
        pass.catchUp(0, rows)
        from += rows
      }
    }
    meet(control, layout.threads)
    return { aborted: false, loss: planner === undefined ? NaN : total / examples }
  }

  const evaluate = ({ data, examples }: Extract<EncoderTask, { type: 'evaluate' }>): EvaluateAnswer => {
    const block = new Float32Array(memory.buffer, layout.weights, WEIGHTS.length).slice()
    const weights = encoderWeights(block, input.historyLength, () => true)
    const unit = new Float32Array(memory.buffer, layout.unit, layout.items * DIM)
    const at = layout.scratch + thread * layout.scratchStride
    const queries = new Float32Array(memory.buffer, at, DIM * 64)
    const thresholds = new Float32Array(memory.buffer, queries.byteOffset + queries.byteLength, 64)
    const above = new Int32Array(memory.buffer, thresholds.byteOffset + 256, 64)
    const answer = { queries: 0, hits: 0, reciprocalRanks: 0 }
    for (let from = thread * 64; from < examples.target.length; from += layout.threads * 64) {
      const size = Math.min(64, examples.target.length - from)
      queries.fill(0)
      thresholds.fill(Infinity)
      above.fill(0)
      for (let index = 0; index < size; index++) {
        const target = examples.target[from + index]!
        const start = Math.max(examples.start[from + index]!, target - input.historyLength)
        const query = encode(encoderSteps(data, start, target, unit, input.historyLength), weights)
        const row = data.rows[target]!
        let score = 0
        for (let c = 0; c < DIM; c++) {
          queries[c * 64 + index] = query[c]!
          score += query[c]! * unit[row * DIM + c]!
        }
        // The kernel adds in another order; its own rounding must not put the target above itself.
        thresholds[index] = score + 1e-6
      }
      kernels.countAbove(
        layout.unit,
        layout.items,
        queries.byteOffset,
        thresholds.byteOffset,
        above.byteOffset,
      )
      for (let index = 0; index < size; index++) {
        answer.queries++
        if (above[index]! >= 20) continue
        answer.hits++
        answer.reciprocalRanks += 1 / (above[index]! + 1)
      }
    }
    return answer
  }

  port.on('message', (task: EncoderTask) => {
    port.postMessage({ answer: task.type === 'iteration' ? iteration(task.iteration) : evaluate(task) })
  })
}

/** Steps `start` to `end` of the data as the encoder's input, right aligned. */
function encoderSteps(data: TrainingData, start: number, end: number, unit: Float32Array, length: number) {
  const input = {
    history: new Float32Array(length * DIM),
    kind: new Int32Array(length),
    age: new Float32Array(length),
    mask: new Float32Array(length),
  }
  for (let at = start; at < end; at++) {
    const place = length - (end - at)
    const row = data.rows[at]! * DIM
    input.history.set(unit.subarray(row, row + DIM), place * DIM)
    input.kind[place] = data.kinds?.[at] ?? 0
    input.age[place] =
      data.times === undefined ? 0 : Math.max(0, (data.times[end - 1]! - data.times[at]!) / 3_600_000)
    input.mask[place] = 1
  }
  return input
}
