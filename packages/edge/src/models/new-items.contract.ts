import type { RankRequest } from '@attune/core'
import { RANKER_INPUT, type StandardWeights } from '@attune/core/rank'
import { randomWeights, seededRandom } from '@attune/core/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Api } from '../testing/api.ts'
import { buildArtifact, buildDelta, type TestArtifact, type TestSigner } from '../testing/artifact.ts'
import { createLoneEdge, type LoneEdge, type StartEdge } from '../testing/worlds.ts'

const ITEMS = 300
const DIM = 64
const LENGTH = 16
const HIDDEN = 32

/** Weights by which a score is the cosine of the candidate to the last item: query = last row, score = cosine. */
function cosineWeights(): StandardWeights {
  const { encoder, ranker } = randomWeights(seededRandom(1), DIM, LENGTH, HIDDEN)
  // w3 [d, 2d] takes the pooled history and the last row: nothing of the first, the second as it is.
  const w3 = new Float32Array(2 * DIM * DIM)
  for (let c = 0; c < DIM; c++) w3[c * 2 * DIM + DIM + c] = 1
  return {
    encoder: { ...encoder, w3 },
    ranker: {
      ...ranker,
      mean: new Float32Array(RANKER_INPUT),
      inverseStd: new Float32Array(RANKER_INPUT).fill(1),
      linear: Float32Array.from({ length: RANKER_INPUT }, (_, input) => (input === 0 ? 1 : 0)),
      out: new Float32Array(HIDDEN),
    },
  }
}

/** A new item's factors come in a delta: whatever lies beside them finds the item, and the item finds it. */
export function describeNewItems(start: StartEdge): void {
  let lone: LoneEdge
  let signer: TestSigner
  let artifact: TestArtifact
  let api: Api

  beforeAll(async () => {
    lone = await createLoneEdge(start)
    ;({ api, signer } = lone)
    artifact = await buildArtifact(seededRandom(4), { items: ITEMS, epoch: 1, weights: cosineWeights() })
    expect((await api.pushArtifact(signer, artifact)).status).toBe(200)
  })

  afterAll(() => lone.close())

  const rowOf = (row: number): Float32Array => artifact.data.factors.slice(row * DIM, (row + 1) * DIM)
  const dot = (a: Float32Array, b: Float32Array): number =>
    a.reduce((sum, value, c) => sum + value * (b[c] ?? 0), 0)

  /** Of unit length, at cosine 0.8 to item 7: 0.8 of its row and 0.6 of a direction at right angles to it. */
  const beside7 = (): Float32Array => {
    const seven = rowOf(7)
    const nine = rowOf(9)
    const along = dot(seven, nine)
    const across = nine.map((value, c) => value - along * (seven[c] ?? 0))
    const length = Math.hypot(...across)
    return seven.map((value, c) => 0.8 * value + (0.6 * (across[c] ?? 0)) / length)
  }

  const list = async (request: Partial<RankRequest>): Promise<[id: string, score: number][]> => {
    const { status, body } = await api.rank({ history: 'recent', k: 5, ...request })
    expect(status).toBe(200)
    return body.items.map(({ id, score }) => [id, Math.round((score ?? NaN) * 1e4) / 1e4])
  }

  test('at cosine 0.8 to item-7 and nowhere near the others it is first beside item-7, at 0.8, and item-7 beside it', async () => {
    // 300 rows of random directions in 64 dimensions: none comes near 0.8.
    const others = Math.max(
      ...Array.from({ length: ITEMS }, (_, row) => (row === 7 ? 0 : dot(rowOf(row), rowOf(7)))),
    )
    expect(others).toBeLessThan(0.6)
    const before = await list({ strategy: 'similar', item: 'item-7' })
    expect(before[0]?.[1]).toBeCloseTo(others, 3)

    const content = { factors: { rows: Uint32Array.of(ITEMS), factors: beside7() } }
    const body = await buildDelta(signer, artifact.manifest, 1, content, { items: ['brand-new'] })
    expect((await api.push('PUT', '/v1/models/1/deltas/1', body)).status).toBe(200)

    expect(await list({ strategy: 'similar', item: 'item-7' })).toEqual([
      ['brand-new', 0.8],
      ...before.slice(0, 4),
    ])
    expect((await list({ strategy: 'similar', item: 'brand-new' }))[0]).toEqual(['item-7', 0.8])
    const recent = [{ id: crypto.randomUUID(), kind: 'click' as const, item: 'item-7', at: Date.now() }]
    expect((await list({ recent })).slice(0, 2)).toEqual([
      ['item-7', 1],
      ['brand-new', 0.8],
    ])
  })

  test('a later delta that turns its row away takes it out of the same list', async () => {
    const content = {
      factors: { rows: Uint32Array.of(ITEMS), factors: rowOf(7).map((value) => -value) },
    }
    const body = await buildDelta(signer, artifact.manifest, 2, content)
    expect((await api.push('PUT', '/v1/models/1/deltas/2', body)).status).toBe(200)
    const ids = (await list({ strategy: 'similar', item: 'item-7', k: 200 })).map(([id]) => id)
    expect(ids).not.toContain('brand-new')
  })
}
