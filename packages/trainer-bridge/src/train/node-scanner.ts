import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { WasmScanner, type Scanner, type ScanExports } from '@attune/core/rank'
import { TrainError } from './errors.ts'

/** The part of the WebAssembly interface used here; see kernels.ts. */
const wasm = Reflect.get(globalThis, 'WebAssembly') as {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown }
}

let compiled: object | undefined

/**
 * A scanner on core's int8 kernel, with memory of its own.
 *
 * @throws {TrainError} `TRAIN_KERNEL_MISSING`
 */
export function nodeScanner(dim: number, capacity: number): Scanner {
  return new WasmScanner(() => new wasm.Instance(scanModule(), {}).exports as ScanExports, dim, capacity)
}

function scanModule(): object {
  if (compiled !== undefined) return compiled
  try {
    const file = createRequire(import.meta.url).resolve('@attune/core/scan.wasm')
    return (compiled = new wasm.Module(readFileSync(file)))
  } catch (cause) {
    throw new TrainError(
      'TRAIN_KERNEL_MISSING',
      'core/wasm/scan.wasm: not built; run the script build:kernels',
      { cause },
    )
  }
}
