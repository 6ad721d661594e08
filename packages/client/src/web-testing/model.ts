import type { RankRequest, RankResponse, TrackedEvent } from '@attune/core'
import { toHistory } from '@attune/core'
import {
  CandidateSet,
  coreEngine,
  packDevice,
  packWeights,
  rankHistory,
  ServingModel,
  TypeScriptScanner,
} from '@attune/core/rank'
import { buildRandomModel, seededRandom } from '@attune/core/testing'
import { ranked, type WireServer } from './wire-server.ts'

export interface ModelServer {
  /** What the edge would answer. */
  answer(request: RankRequest): Promise<RankResponse>
  /** The order the edge would put these in after these events. */
  order(candidates: readonly string[], events: readonly TrackedEvent[]): Promise<string[]>
  /** Another epoch: everything it knows is different. */
  retrain(epoch: number): void
  readonly digest: () => string
}

/** Makes a wire server rank with core on a model of 60 items, `item-0` … `item-59`, as an edge does. */
export function serveModel(server: WireServer): ModelServer {
  const scratch = new CandidateSet()
  let model: ServingModel
  const digest = (): string => String(model.epoch).padStart(64, '0')
  const retrain = (epoch: number): void => {
    const { manifest, data } = buildRandomModel(seededRandom(epoch), { items: 60, epoch })
    model = new ServingModel(manifest, data, (dim, capacity) => new TypeScriptScanner(dim, capacity))
    if (model.weights === undefined) throw new Error('no weights')
    server.files.set(`/v1/weights/${digest()}`, {
      type: 'application/json',
      text: JSON.stringify(packWeights(model.weights)),
    })
  }
  retrain(1)
  const rank = async (candidates: readonly string[], events: readonly TrackedEvent[]) => {
    if (model.weights === undefined) throw new Error('no weights')
    const rows = candidates.flatMap((id) => model.rowOf(id) ?? [])
    const history = toHistory(events, 100)
    const query = { history, candidates: rows, k: rows.length }
    const list = await rankHistory(model, query, coreEngine(model.weights), scratch)
    return {
      rows,
      history,
      items: list.rows.map((row, at) => ({ id: model.ids[row] ?? '', score: list.scores[at] ?? 0 })),
    }
  }
  const answer = async (request: RankRequest): Promise<RankResponse> => {
    const {
      candidates = Array.from({ length: 8 }, (_, row) => `item-${row * 7}`),
      recent = [],
      device,
    } = request
    const { rows, history, items } = await rank(candidates, recent)
    return {
      ...ranked(request),
      epoch: model.epoch,
      items,
      ...(device && { device: packDevice(model, digest(), rows, history) }),
    }
  }
  server.rank = answer
  return {
    answer,
    order: async (candidates, events) => (await rank(candidates, events)).items.map(({ id }) => id),
    retrain,
    digest,
  }
}
