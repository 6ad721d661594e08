import { expect, test } from 'vitest'
import { encode } from './encode.ts'
import { score } from './score.ts'

// d = 2, L = 2: small enough to follow with a pencil.
const weights = {
  dim: 2,
  historyLength: 2,
  position: Float32Array.of(0, 0, 0, 1),
  w1: Float32Array.of(1, 0, 0, 1),
  w2: Float32Array.of(0, 0, 0, 0),
  bias: Float32Array.of(0, 0),
  v: Float32Array.of(2, 0),
  w3: Float32Array.of(1, 0, 0, 0, 0, 1, 1, 0),
  strength: Float32Array.of(1, 1, 1, 1, 1, 1),
  decay: 0,
}

test('one step e = (1, 0): query worked by hand', () => {
  // x = (1, 1); a = 2·sigmoid(1); pooled = a·(1, 1); h = (a, a + 1)
  const a = 2 / (1 + Math.exp(-1))
  const length = Math.hypot(a, a + 1)
  const query = encode(
    {
      history: Float32Array.of(0, 0, 1, 0),
      kind: Int32Array.of(0, 0),
      age: Float32Array.of(0, 0),
      mask: Float32Array.of(0, 1),
    },
    weights,
  )
  expect(query[0]).toBeCloseTo(a / length, 6)
  expect(query[1]).toBeCloseTo((a + 1) / length, 6)
})

test('an older step fades with its age and counts by its kind, worked by hand', () => {
  // older: x = (0, 1), a = 2·sigmoid(0) = 1, weight 0.5·e^(−ln2·1) = 0.25; newest as above
  const a = 2 / (1 + Math.exp(-1))
  const pooled = [a, 0.25 + a] as const
  const h = [pooled[0], pooled[1] + 1] as const
  const query = encode(
    {
      history: Float32Array.of(0, 1, 1, 0),
      kind: Int32Array.of(2, 0),
      age: Float32Array.of(1, 0),
      mask: Float32Array.of(1, 1),
    },
    { ...weights, strength: Float32Array.of(1, 1, 0.5, 1, 1, 1), decay: Math.LN2 },
  )
  const length = Math.hypot(...h)
  expect(query[0]).toBeCloseTo(h[0] / length, 6)
  expect(query[1]).toBeCloseTo(h[1] / length, 6)
})

test('two candidates, one feature, one of context, one hidden unit: scores worked by hand', () => {
  // query (1, 0): cosines 1 and 0; z_0 = [1, 0, (3−1)·2, 5], z_1 = [0, −1, (1−1)·2, 5]
  // linear: 1·z0 + 10·z1 + 0.1·z2 + 0·z3; hidden relu(z2 − 1)·100
  const scores = score(
    {
      count: 2,
      query: Float32Array.of(1, 0),
      candidates: Float32Array.of(1, 0, 0, 1),
      features: Float32Array.of(3, 1),
      context: Float32Array.of(5),
    },
    {
      mean: Float32Array.of(0, 0, 1, 0),
      inverseStd: Float32Array.of(1, 1, 2, 1),
      linear: Float32Array.of(1, 10, 0.1, 0),
      hidden: Float32Array.of(0, 0, 1, 0),
      hiddenBias: Float32Array.of(-1),
      out: Float32Array.of(100),
    },
  )
  expect(scores[0]).toBeCloseTo(1 + 0.4 + 300, 4)
  expect(scores[1]).toBeCloseTo(-10, 5)
})
