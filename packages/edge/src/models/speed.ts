import { ArtifactError, type Golden } from '@attune/core/artifact'
import { CandidateSet, rankHistory, type RankEngine, type ServingModel } from '@attune/core/rank'
import type { ModelStore } from './store.ts'

/** The fastest of so many rounds is what a model is held to: a busy machine is not the model's fault. */
const ROUNDS = 5
/** Lists a round: more than the time of a call to the outside varies. */
const LISTS = 8
const LIST_LENGTH = 20

/**
 * Times whole lists of a model that is about to serve. The clock of a Worker stands still between two calls to the
 * outside, so it is read after one, and the time of such a call is taken off.
 *
 * @throws {ArtifactError} `ARTIFACT_TOO_SLOW`
 * @see https://developers.cloudflare.com/workers/reference/security-model/#step-1-disallow-timers-and-multi-threading
 */
export async function checkSpeed(
  limits: { readonly store: ModelStore; readonly elapsed: () => number; readonly maxRankMs: number },
  model: ServingModel,
  golden: Golden,
  engine: RankEngine,
): Promise<void> {
  const { store, elapsed, maxRankMs } = limits
  const scratch = new CandidateSet()
  const items = golden.rank[0]?.history.map(({ item }) => item) ?? model.ids.slice(0, 1)
  const history = items.map((item) => ({ item, kind: 'click' as const, at: 0 }))
  const time = async (work: () => Promise<unknown>): Promise<number> => {
    await store.pointer()
    const started = elapsed()
    await work()
    await store.pointer()
    return elapsed() - started
  }
  const lists = async (): Promise<void> => {
    for (let list = 0; list < LISTS; list++)
      await rankHistory(model, { history, k: LIST_LENGTH }, engine, scratch)
  }
  let call = Infinity
  for (let round = 0; round < ROUNDS; round++) call = Math.min(call, await time(() => Promise.resolve()))
  let fastest = Infinity
  for (let round = 0; round < ROUNDS && fastest > maxRankMs; round++)
    fastest = Math.min(fastest, Math.max(0, (await time(lists)) - call) / LISTS)
  if (fastest <= maxRankMs) return
  throw new ArtifactError(
    'ARTIFACT_TOO_SLOW',
    `epoch ${model.epoch}: expected a list within ${maxRankMs} ms, received one after ${fastest.toFixed(1)} ms`,
  )
}
