import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { WasmScanner, type ScanExports, type Scanner } from '@attune/core/rank'

/** Loads core's SIMD kernel; makes scanners with memory of their own. */
export async function loadScanner(): Promise<(dim: number, capacity: number) => Scanner> {
  const path = fileURLToPath(import.meta.resolve('@attune/core/scan.wasm'))
  const module = await WebAssembly.compile(await readFile(path))
  const instantiate = () =>
    new WebAssembly.Instance(module, { env: { abort: () => undefined } }).exports as unknown as ScanExports
  return (dim, capacity) => new WasmScanner(instantiate, dim, capacity)
}
