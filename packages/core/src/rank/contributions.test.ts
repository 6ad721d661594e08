import { expect, test } from 'vitest'
import { buildRandomModel, seededRandom } from '../testing/index.ts'
import { contributions, CONTRIBUTION_NAMES } from './contributions.ts'
import { coreEngine, rankerInput, toRows } from './pipeline.ts'
import { CandidateSet } from './retrieve.ts'
import { TypeScriptScanner } from './typescript-scanner.ts'
import { score } from './score.ts'
import { ServingModel } from './model.ts'
import type { RankerWeights } from './weights.ts'

test('two inputs and two hidden units of which one is on, worked by hand', () => {
  // d = 1, f = 0, c = 0: z = [cos, cos − best]. cos of the first candidate: 0.5, best 1.
  const input = {
    count: 2,
    query: Float32Array.of(1),
    candidates: Float32Array.of(0.5, 1),
    features: new Float32Array(0),
    context: new Float32Array(0),
  }
  const weights: RankerWeights = {
    mean: Float32Array.of(0, 0),
    inverseStd: Float32Array.of(1, 1),
    linear: Float32Array.of(2, 4),
    // on: 1·0.5 + 0·(−0.5) + 0.25 > 0; off: −1·0.5 − 1
    hidden: Float32Array.of(1, 0, -1, 0),
    hiddenBias: Float32Array.of(0.25, -1),
    out: Float32Array.of(8, 16),
  }
  // parts: (2 + 8·1)·0.5 = 5 and 4·(−0.5) = −2; rest 8·0.25 = 2; score 5 − 2 + 2 = 5
  const apart = contributions(input, weights, 0)
  expect([...apart.parts]).toEqual([5, -2])
  expect([apart.rest, apart.score]).toEqual([2, 5])
  expect(score(input, weights)[0]).toBe(5)
})

test('of every candidate of a random model the parts add up to the score the ranker gives', async () => {
  const { manifest, data } = buildRandomModel(seededRandom(5), { items: 120, neighbours: 10, epoch: 1 })
  const model = new ServingModel(manifest, data, (dim, capacity) => new TypeScriptScanner(dim, capacity))
  const { weights } = model
  if (weights === undefined) throw new Error('a random model has weights')
  const history = ['item-3', 'item-17', 'item-3'].map((item, index) => ({
    item,
    kind: 'click' as const,
    at: 1e12 + index * 1_000,
  }))
  const engine = coreEngine(weights)
  const input = await rankerInput(model, toRows(model, history), engine, undefined, [], new CandidateSet())
  const scores = await engine.score(input)
  expect(input.count).toBeGreaterThan(20)
  for (let place = 0; place < input.count; place++) {
    const apart = contributions(input, weights.ranker, place)
    expect(apart.parts).toHaveLength(CONTRIBUTION_NAMES.length)
    expect(apart.score).toBeCloseTo(scores[place] ?? NaN, 3)
  }
})
