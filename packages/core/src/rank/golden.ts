import { ArtifactError } from '../artifact/errors.ts'
import { GOLDEN_TOLERANCE, type Golden } from '../artifact/golden.ts'
import { HISTORY_KINDS } from '../event/history.ts'
import type { ServingModel } from './model.ts'
import { encoderInput, rankHistory, type RankEngine } from './pipeline.ts'
import type { CandidateSet } from './retrieve.ts'

const HOUR_MS = 3_600_000

/**
 * Runs an epoch's golden vectors through the engine and the whole ranking.
 *
 * @throws {ArtifactError} `ARTIFACT_GOLDEN_MISMATCH` at the first difference above 1e-4 (relative above 1) or another top list
 */
export async function checkGolden(
  model: ServingModel,
  golden: Golden,
  engine: RankEngine,
  scratch: CandidateSet,
): Promise<void> {
  for (const [index, vector] of golden.encoder.entries()) {
    const query = await engine.encode(
      encoderInput(model, rowsOf(model, vector.items, vector.kinds, vector.ages)),
    )
    compare(`golden.encoder[${index}].query`, vector.query, query)
  }
  for (const [index, vector] of golden.ranker.entries()) {
    const zeros = vector.items.map(() => 0)
    const query = await engine.encode(encoderInput(model, rowsOf(model, vector.items, zeros, zeros)))
    const rows = vector.candidates.map((id) => rowOf(model, id))
    const candidates = new Float32Array(rows.length * model.dim)
    rows.forEach((row, place) =>
      candidates.set(model.factors.subarray(row * model.dim, (row + 1) * model.dim), place * model.dim),
    )
    const scores = await engine.score({
      count: rows.length,
      query,
      candidates,
      features: Float32Array.from(vector.features.flat()),
      context: Float32Array.from(vector.context),
    })
    compare(`golden.ranker[${index}].scores`, vector.scores, scores)
  }
  for (const [index, vector] of golden.rank.entries()) {
    const now = 1e12
    const history = vector.history.map(({ item, kind, age }) => ({
      item,
      kind: HISTORY_KINDS[kind] ?? 'click',
      at: now - age * HOUR_MS,
    }))
    const ranked = await rankHistory(model, { history, k: vector.top.length }, engine, scratch)
    const received = ranked.rows.map((row) => model.ids[row])
    const differs = vector.top.findIndex((id, place) => id !== received[place])
    if (differs >= 0) {
      throw mismatch(`golden.rank[${index}].top[${differs}]`, vector.top[differs], received[differs])
    }
  }
}

function rowsOf(
  model: ServingModel,
  items: readonly string[],
  kinds: readonly number[],
  ages: readonly number[],
) {
  return { rows: items.map((id) => rowOf(model, id)), kinds, ages, visitStart: 0 }
}

function rowOf(model: ServingModel, id: string): number {
  const row = model.rowOf(id)
  if (row === undefined) throw mismatch('golden', 'items of the artifact', JSON.stringify(id))
  return row
}

function compare(path: string, expected: readonly number[], received: Float32Array): void {
  if (expected.length !== received.length)
    throw mismatch(path, `${expected.length} numbers`, `${received.length}`)
  expected.forEach((value, index) => {
    const other = received[index]!
    if (!(Math.abs(value - other) <= GOLDEN_TOLERANCE * Math.max(1, Math.abs(value)))) {
      throw mismatch(`${path}[${index}]`, value, other)
    }
  })
}

function mismatch(path: string, expected: unknown, received: unknown): ArtifactError {
  return new ArtifactError(
    'ARTIFACT_GOLDEN_MISMATCH',
    `${path}: expected ${String(expected)}, received ${String(received)}`,
  )
}
