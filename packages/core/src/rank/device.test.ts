import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TrackedEvent } from '../event/event.ts'
import { toHistory } from '../event/history.ts'
import { buildRandomModel } from '../testing/model.ts'
import { seededRandom } from '../testing/random.ts'
import { keepRow, packDevice, packWeights, scoreOnDevice, unpackWeights } from './device.ts'
import { ServingModel } from './model.ts'
import { coreEngine, MAX_HISTORY_STEPS, rankHistory } from './pipeline.ts'
import { CandidateSet } from './retrieve.ts'
import { TypeScriptScanner } from './typescript-scanner.ts'

const NOW = 1_790_000_000_000
/** Half precision moves scores of these models by less. */
const TIE = 0.02

function world(items = 120) {
  const { manifest, data } = buildRandomModel(seededRandom(3), { items, neighbours: 30 })
  const model = new ServingModel(manifest, data, (dim, capacity) => new TypeScriptScanner(dim, capacity))
  if (model.weights === undefined) throw new Error('no weights')
  const device = unpackWeights(JSON.parse(JSON.stringify(packWeights(model.weights))))
  if (device === undefined) throw new Error('weights were not understood')
  return { model, weights: model.weights, device, scratch: new CandidateSet() }
}
const one = world()

/** What the edge answers for these events and candidates. */
async function onEdge(
  events: readonly TrackedEvent[],
  candidates: readonly number[],
  exclude: number[] = [],
) {
  const { model, weights, scratch } = one
  const history = toHistory(events, 2 * MAX_HISTORY_STEPS)
  const query = { history, candidates, exclude, k: candidates.length }
  const { rows, scores } = await rankHistory(model, query, coreEngine(weights), scratch)
  return { ids: rows.map((row) => model.ids[row] ?? ''), scores }
}

/** Best first; ties stay in the order given, as on the edge. */
const rankOnDevice = (...input: Parameters<typeof scoreOnDevice>) =>
  [...scoreOnDevice(...input)].map(([id, score]) => ({ id, score })).sort((a, b) => b.score - a.score)

/** The order, but for pairs whose scores are so near that half precision may turn them round. */
function expectSameOrder(
  received: readonly { id: string; score: number }[],
  expected: { ids: readonly string[]; scores: readonly number[] },
) {
  const scoreOf = new Map(expected.ids.map((id, place) => [id, expected.scores[place] ?? Number.NaN]))
  expect(received.map(({ id }) => id).toSorted()).toEqual(expected.ids.toSorted())
  for (const [place, { id, score }] of received.entries()) {
    expect(Math.abs(score - (scoreOf.get(id) ?? Number.NaN)), id).toBeLessThan(TIE)
    const before = received[place - 1]
    if (before) expect(scoreOf.get(id)).toBeLessThan((scoreOf.get(before.id) ?? Number.NaN) + TIE)
  }
}

const event = fc.record({
  id: fc.uuid(),
  kind: fc.constantFrom<TrackedEvent['kind'][]>(
    'click',
    'view',
    'add-to-cart',
    'purchase',
    'like',
    'impression',
    'custom:zoom',
  ),
  item: fc.integer({ min: 0, max: 124 }).map((row) => `item-${row}`), // five of them in no model
  at: fc.integer({ min: NOW - 3 * 3_600_000, max: NOW }),
})

test('whatever was done before and since: the order on the device is that of rankHistory, scores within half precision', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.integer({ min: 0, max: 119 }), { minLength: 2, maxLength: 40 }),
      fc.uniqueArray(event, { maxLength: 30, selector: ({ at }) => at }),
      fc.uniqueArray(fc.nat(), { maxLength: 6 }),
      async (candidates, before, clicks) => {
        const { model, device } = one
        const list = packDevice(model, 'digest', candidates, toHistory(before, 2 * MAX_HISTORY_STEPS))
        const since = clicks.map((click, index): TrackedEvent => ({
          id: `later-${index}`,
          kind: 'click',
          item: model.ids[candidates[click % candidates.length] ?? 0] ?? '',
          at: NOW + 1 + index,
        }))
        // As over the wire; events that the list was ranked from are told again.
        const wired = JSON.parse(JSON.stringify(list)) as typeof list
        const told = [...before.slice(-5), ...since]
        const expected = await onEdge([...before, ...since], candidates)
        expectSameOrder(rankOnDevice(wired, [], told, device), expected)
      },
    ),
    { numRuns: 150 },
  )
})

test('a disliked candidate is left out, a later like brings it back', async () => {
  const { model, device } = one
  const list = packDevice(model, 'digest', [1, 2, 3], [])
  const say = (kind: 'like' | 'dislike', at: number): TrackedEvent => ({ id: kind, kind, item: 'item-2', at })
  const ids = (events: TrackedEvent[]) => rankOnDevice(list, [], events, device).map(({ id }) => id)
  expect(ids([say('dislike', NOW)]).toSorted()).toEqual(['item-1', 'item-3'])
  expect(ids([say('dislike', NOW), say('like', NOW + 1)])).toHaveLength(3)
})

test('an item kept from an earlier list counts as if it were in this one, but for rules that start at it', async () => {
  const { model, device } = one
  // No rule leads from this item to the candidates, so nothing is lost.
  const far = 77
  const targets = new Set(model.srItems.subarray(far * model.neighbours, (far + 1) * model.neighbours))
  const candidates = Array.from({ length: 60 }, (_, row) => row).filter((row) => !targets.has(row))
  const kept = keepRow(packDevice(model, 'digest', [far], []), `item-${far}`)
  if (kept === undefined) throw new Error('not kept')
  const list = packDevice(model, 'digest', candidates, [])
  const click: TrackedEvent = { id: 'x', kind: 'click', item: `item-${far}`, at: NOW }
  const received = rankOnDevice(list, [kept], [click], device)
  expectSameOrder(received, await onEdge([click], candidates))
  const without = rankOnDevice(list, [], [click], device)
  expect(without.map(({ id }) => id)).not.toEqual(received.map(({ id }) => id))
})

test('weights of another ranker, or none, are not understood; those of this one come within half precision', () => {
  const packed = packWeights(one.weights)
  const other = { ...packed, ranker: { ...packed.ranker, mean: [1, 2, 3] } }
  for (const wrong of [other, { encoder: packed.encoder }, { code: 'WEIGHTS_UNKNOWN' }])
    expect(unpackWeights(wrong as typeof packed)).toBeUndefined()
  for (const part of ['encoder', 'ranker'] as const) {
    for (const [name, expected] of Object.entries(one.weights[part]) as [string, Float32Array | number][]) {
      const received = Reflect.get(one.device[part], name) as typeof expected
      for (const [at, value] of typeof expected === 'number' ? [[0, expected] as const] : expected.entries())
        expect(
          Math.abs((typeof received === 'number' ? received : (received[at] ?? Number.NaN)) - value),
          `${name} ${at}`,
        ).toBeLessThanOrEqual(Math.abs(value) / 2_048 + 2 ** -25)
    }
  }
})

test('a list of 50 takes 8.5 KB compressed, weights of d = 64 38 KB', () => {
  const { model } = one
  const rows = Array.from({ length: 50 }, (_, row) => row)
  const size = (value: unknown) => gzipSync(JSON.stringify(value)).length
  expect(size(packDevice(model, 'x'.repeat(64), rows, []))).toBeLessThan(8_500)
  expect(size(packWeights(one.weights))).toBeLessThan(38_000)
})
