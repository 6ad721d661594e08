import type { OrtModule } from './ort.ts'

let loaded: Promise<OrtModule> | undefined

/** onnxruntime-web on Node: reads and compiles its own wasm. */
export function loadOrt(): Promise<OrtModule> {
  return (loaded ??= import('onnxruntime-web').then((ort) => {
    ort.env.wasm.numThreads = 1
    ort.env.wasm.proxy = false
    return ort
  }))
}
