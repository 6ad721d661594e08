// AssemblyScript, compiled by scripts/build-kernels.ts to wasm/train.wasm and wasm/train-relaxed.wasm.
// All pointers lie in one shared memory that src/train lays out (memory-layout.ts); nothing is allocated here.
export { adamDense, adamRows, catchUpRows, normaliseRows } from './adam'
export { multiply, multiplyTransposed } from './blocks'
export { countAbove, transpose64 } from './evaluate'
export { trainTile } from './encoder'
export { rankSample } from './ranker'
