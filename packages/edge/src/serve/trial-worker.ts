import { parentPort, workerData } from 'node:worker_threads'
import { MAX_CANDIDATES } from '@attune/core'
import { ArtifactError } from '@attune/core/artifact'
import { loadOrt } from './ort-node.ts'
import { createOrtEngine } from './ort.ts'
import type { UntriedGraphs } from './trial.ts'

// A thread of its own, which can be ended in the middle of a graph: trial-node.ts.

export type TrialNote =
  { readonly ready: true } | { readonly done: true } | { readonly code: string; readonly message: string }

const say = (note: TrialNote): void => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(note)
}

/** 512 MB, four times an isolate of Workers: what wants more fails here instead of taking the process's memory. */
const MAX_PAGES = 8_192

/** Memories of WebAssembly in this thread grow no further. */
WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
  construct: (Memory, [{ maximum = MAX_PAGES, ...rest }]: [WebAssembly.MemoryDescriptor]) =>
    new Memory({ ...rest, maximum: Math.min(maximum, MAX_PAGES) }),
})

const { manifest, encoder, ranker } = workerData as UntriedGraphs
const { dim, historyLength: length, features, context } = manifest
const n = MAX_CANDIDATES
const some = (size: number): Float32Array => new Float32Array(size).fill(0.1)

try {
  const ort = await loadOrt()
  say({ ready: true })
  const engine = await createOrtEngine(ort, manifest, encoder, ranker)
  await engine.encode({
    history: some(length * dim),
    kind: new Int32Array(length),
    age: some(length),
    mask: new Float32Array(length).fill(1),
  })
  await engine.score({
    count: n,
    query: some(dim),
    candidates: some(n * dim),
    features: some(n * features.length),
    context: some(context.length),
  })
  say({ done: true })
} catch (error) {
  const code = error instanceof ArtifactError ? error.code : 'ARTIFACT_MALFORMED'
  const message = error instanceof Error ? error.message.slice(0, 300) : 'the graphs could not be run'
  say({ code, message })
}
