import * as ort from 'onnxruntime-web/wasm'
import ortWasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm'
import type { OrtModule } from './ort.ts'

/** The shortest valid wasm module: magic and version. Stands for the real one, which workerd has already compiled. */
const MARKER = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00)

let ready = false

/**
 * onnxruntime-web in workerd, which refuses to compile wasm from bytes: ORT is given a marker for its wasm binary, and
 * `WebAssembly.instantiate` answers that marker with an instance of the statically imported module.
 */
export function loadOrt(): Promise<OrtModule> {
  if (!ready) {
    ort.env.wasm.numThreads = 1
    ort.env.wasm.proxy = false
    ort.env.wasm.wasmBinary = MARKER.slice().buffer
    const original = WebAssembly.instantiate.bind(WebAssembly)
    const instantiate = (
      source: WebAssembly.Module | BufferSource,
      imports?: WebAssembly.Imports,
    ): Promise<unknown> => {
      if (!isMarker(source)) return original(source as BufferSource, imports)
      return Promise.resolve({ module: ortWasm, instance: new WebAssembly.Instance(ortWasm, imports) })
    }
    Object.defineProperty(WebAssembly, 'instantiate', {
      value: instantiate,
      writable: true,
      configurable: true,
    })
    ready = true
  }
  return Promise.resolve(ort)
}

/** The glue copies the bytes, so contents are compared. */
function isMarker(source: unknown): boolean {
  const bytes =
    source instanceof ArrayBuffer ? new Uint8Array(source) : source instanceof Uint8Array ? source : undefined
  return bytes?.length === MARKER.length && MARKER.every((byte, index) => bytes[index] === byte)
}
