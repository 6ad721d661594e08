import { buildArtifact } from './testing/artifact.ts'
import { seededRandom, buildRandomModel } from '@attune/core/testing'
import * as R from '@attune/core/rank'
import { loadOrt } from './serve/ort-node.ts'
import { createOrtEngine } from './serve/ort.ts'
import { encoderGraph, rankerGraph } from './testing/graphs.ts'
import { readFileSync } from 'node:fs'
const N = 43000
const { manifest, data } = buildRandomModel(seededRandom(1), { items: N, neighbours: 100 })
const mod = new WebAssembly.Module(readFileSync('/work/main/packages/core/wasm/scan.wasm'))
const model = new R.ServingModel(
  manifest,
  data,
  (d, c) =>
    new R.WasmScanner(() => new WebAssembly.Instance(mod, { env: { abort() {} } }).exports as any, d, c),
)
const w = R.readWeights(data.weights!, 64, 16)
const core = R.coreEngine(w)
const ort = await createOrtEngine(
  await loadOrt(),
  manifest,
  encoderGraph(w),
  rankerGraph(w, R.FEATURES, R.CONTEXT),
)
const scratch = new R.CandidateSet()
const rnd = seededRandom(5)
const hist = Array.from({ length: 50 }, (_, i) =>
  Array.from({ length: 1 + (i % 5) }, (_, s) => ({
    item: 'item-' + Math.floor(rnd() * N),
    kind: 'click' as const,
    at: 1e12 + s * 1e4,
  })),
)
async function time(name: string, f: (i: number) => any, n = 1500) {
  for (let i = 0; i < n / 2; i++) await f(i)
  const c = process.cpuUsage()
  const t = performance.now()
  for (let i = 0; i < n; i++) await f(i)
  const u = process.cpuUsage(c)
  console.log(
    name.padEnd(34),
    (((performance.now() - t) / n) * 1000).toFixed(0),
    'us wall',
    ((u.user + u.system) / n).toFixed(0),
    'us cpu',
  )
}
const h = (i: number) => hist[i % 50]!
await time('rankHistory ort', (i) => R.rankHistory(model, { history: h(i), k: 20 }, ort, scratch))
await time('rankHistory core', (i) => R.rankHistory(model, { history: h(i), k: 20 }, core, scratch))
await time('toRows', (i) => R.toRows(model, h(i)))
await time('encode ort', (i) => ort.encode(R.encoderInput(model, R.toRows(model, h(i)))))
await time('encode core', (i) => core.encode(R.encoderInput(model, R.toRows(model, h(i)))))
const qs = await Promise.all(hist.map((x) => core.encode(R.encoderInput(model, R.toRows(model, x)))))
await time('scan', (i) => model.scanner.scan(qs[i % 50]!, model.items, 256))
await time('nearest', (i) => R.nearest(model, qs[i % 50]!))
await time('retrieve', (i) => {
  scratch.reset(model.items)
  R.retrieve(model, R.toRows(model, h(i)), qs[i % 50]!, scratch)
})
const ins = await Promise.all(
  hist.map((x) => R.rankerInput(model, R.toRows(model, x), core, undefined, [], scratch)),
)
console.log('candidates', ins.reduce((s, x) => s + x.count, 0) / 50)
await time('rankerInput(core)', (i) =>
  R.rankerInput(model, R.toRows(model, h(i)), core, undefined, [], scratch),
)
await time('score ort', (i) => ort.score(ins[i % 50]!))
await time('score core', (i) => core.score(ins[i % 50]!))
const s0 = await core.score(ins[4]!)
await time('topK', () => R.topK(s0, 20))
const out = new Float32Array(1000 * R.FEATURES)
await time('features', (i) => {
  const x = ins[i % 50]!
  scratch.reset(model.items)
  for (const r of x.rows) scratch.add(r)
  R.computeFeatures(model, R.toRows(model, h(i)), x.rows, scratch.placeOf, out)
})
const ranked = await Promise.all(hist.map((x) => R.rankHistory(model, { history: x, k: 20 }, core, scratch)))
await time('explain x20', (i) => {
  const r = R.toRows(model, h(i))
  for (const row of ranked[i % 50]!.rows) R.explain(model, r, row)
})
process.exit(0)
