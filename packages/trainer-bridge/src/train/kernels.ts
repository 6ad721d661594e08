import { readFile } from 'node:fs/promises'
import { TrainError } from './errors.ts'

/** Compiled code; workers can be sent it. */
export type WasmModule = object
/** Memory that all threads share. */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer
}

/** The part of the WebAssembly interface used here: Node's types do not declare it, and the DOM's bring the DOM along. */
const wasm = Reflect.get(globalThis, 'WebAssembly') as {
  validate(bytes: Uint8Array): boolean
  compile(bytes: Uint8Array): Promise<WasmModule>
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: unknown }
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => WasmMemory
}

const PAGE_BYTES = 65_536

/** Zeroed memory of a fixed size. */
export function makeMemory(bytes: number): WasmMemory {
  const pages = Math.ceil(bytes / PAGE_BYTES)
  return new wasm.Memory({ initial: pages, maximum: pages, shared: true })
}

/** What train.wasm exports; pointers are byte offsets into the shared memory. See kernels/. */
export interface TrainKernels {
  multiply(
    a: number,
    lda: number,
    b: number,
    ldb: number,
    c: number,
    ldc: number,
    m: number,
    k: number,
    add: number,
  ): void
  // prettier-ignore
  multiplyTransposed(a: number, lda: number, b: number, ldb: number, c: number, ldc: number, m: number, k: number): void
  transpose64(matrix: number, stride: number, out: number, outStride: number): void
  countAbove(factors: number, count: number, queries: number, thresholds: number, counts: number): void
  normaliseRows(raw: number, unit: number, inverse: number, from: number, to: number): void
  // prettier-ignore
  catchUpRows(rows: number, decays: number, slots: number, from: number, to: number, raw: number, m: number, v: number,
    unit: number, inverse: number, negatives: number, transposed: number): void
  // prettier-ignore
  adamRows(rows: number, slots: number, starts: number, pointers: number, from: number, to: number, raw: number, m: number,
    v: number, unit: number, inverse: number, negativeGradients: number, shards: number, shardStride: number,
    rate: number, epsilon: number, scratch: number): void
  // prettier-ignore
  adamDense(x: number, m: number, v: number, gradient: number, parts: number, partStride: number, bytes: number,
    rate: number, epsilon: number): void
  // prettier-ignore
  rankSample(z: number, n: number, inputs: number, target: number, hidden: number, bias: number, out: number, linear: number,
    dHidden: number, dBias: number, dOut: number, dLinear: number, coefficient: number, scratch: number): number
  trainTile(tile: number, inverseTemperature: number, coefficient: number): void
}

/**
 * The compiled kernels: with fused multiply-add where this host has relaxed SIMD, else without. The two round
 * differently, so runs repeat exactly only on hosts that agree on this.
 *
 * @throws {TrainError} `TRAIN_KERNEL_MISSING`
 */
export async function loadKernels(options: { readonly relaxed?: boolean } = {}): Promise<WasmModule> {
  for (const name of options.relaxed === false ? ['train'] : ['train-relaxed', 'train']) {
    const url = new URL(`../../wasm/${name}.wasm`, import.meta.url)
    let bytes: Uint8Array<ArrayBuffer>
    try {
      bytes = new Uint8Array(await readFile(url))
    } catch (cause) {
      throw new TrainError(
        'TRAIN_KERNEL_MISSING',
        `wasm/${name}.wasm: not built; run the script build:kernels`,
        { cause },
      )
    }
    if (wasm.validate(bytes)) return wasm.compile(bytes)
  }
  throw new TrainError('TRAIN_KERNEL_MISSING', 'wasm/train.wasm: this host has no wasm SIMD with threads')
}

/** One thread's instance on the memory all threads share. */
export function instantiateKernels(module: WasmModule, memory: WasmMemory): TrainKernels {
  return new wasm.Instance(module, { env: { memory } }).exports as TrainKernels
}
