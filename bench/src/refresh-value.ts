import { parseArgs } from 'node:util'
import { deltaTensors, writeSafetensors, type DeltaHeader } from '@attune/core/artifact'
import { addQuery, emptyTotals, metrics, type RankingTotals } from '@attune/core/evaluate'
import { CandidateSet, coreEngine, rankHistory, type ServingModel } from '@attune/core/rank'
import {
  LiveModel,
  loadSessions,
  modelOf,
  nodeScanner,
  oldestVisits,
  servingModel,
  storedVisit,
  type Artifact,
  type StoredBatch,
  type TrainingData,
} from '@attune/trainer-bridge'
import { datasetOf, trainedOn } from './_train.ts'

const K = 20
/** Share of visits the model is trained on, and the share after which everything is measured. */
const TRAINED = 0.9
const MEASURED = 0.95
const VISITS_A_DELTA = 20
const SECOND_MS = 1_000

/**
 * `npm run bench -- refresh-value --data DIR [--limit VISITS]`: a model trained on the oldest 90 % of visits plays the rest
 * in order, as it is and refreshed by deltas as a bridge makes them. Measured is the newest 5 %, so that a model can be
 * trained anew between: on the oldest 95 %, which is everything before what is measured. All three rank the same prefixes.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({ args, options: { data: { type: 'string' }, limit: { type: 'string' } } })
  const { data } = values
  if (data === undefined) throw new Error('refresh-value: --data DIR is missing; DIR has train.txt.gz')
  const all = await loadSessions(data, values.limit === undefined ? Infinity : Number(values.limit))
  const visits = all.offsets.length - 1
  const [from, measured] = [Math.round(visits * TRAINED), Math.round(visits * MEASURED)]
  const trained = await trainedOn(oldestVisits(all, from))
  const retrained = await trainedOn(oldestVisits(all, measured))
  const none = await play(all, trained.artifact, [measured, visits], undefined)
  const refresh = await play(all, trained.artifact, [measured, visits], from)
  const retrain = await play(all, retrained.artifact, [measured, visits], undefined)
  const [a, b, c] = [none, refresh, retrain].map((totals) => metrics(totals))
  return {
    bench: 'refresh-value',
    dataset: datasetOf(data),
    prefixes: a?.queries,
    hr20_none: round(a?.hr),
    hr20_refresh: round(b?.hr),
    hr20_retrain: round(c?.hr),
    mrr20_none: round(a?.mrr),
    mrr20_refresh: round(b?.mrr),
    mrr20_retrain: round(c?.mrr),
    held: refresh.held,
    gap_closed: round(((b?.hr ?? 0) - (a?.hr ?? 0)) / ((c?.hr ?? 0) - (a?.hr ?? 0))),
  }
}

/** Plays visits `from` to the end in order; those at `measure` are counted. */
async function play(
  all: TrainingData,
  artifact: Artifact,
  [first, end]: readonly [number, number],
  refreshFrom: number | undefined,
): Promise<RankingTotals & { held: number }> {
  const { ids, offsets, rows } = all
  const base = modelOf(artifact)
  const model = servingModel(
    { ...base, factors: base.factors.slice(), tables: structuredClone(base.tables) },
    nodeScanner,
  )
  const live = new LiveModel(base)
  const totals = emptyTotals()
  const scratch = new CandidateSet()
  let waiting: StoredBatch[] = []
  let held = 0
  for (let visit = refreshFrom ?? first; visit < end; visit++) {
    const items = Array.from(
      rows.subarray(offsets[visit] ?? 0, offsets[visit + 1] ?? 0),
      (row) => ids[row] ?? '',
    )
    const at = visit * SECOND_MS
    if (visit >= first) await rankVisit(model, items, at, totals, scratch)
    if (refreshFrom === undefined) continue
    waiting.push(storedVisit(all, visit))
    if (waiting.length === VISITS_A_DELTA) {
      if (advance(live, model, waiting, at)) held++
      waiting = []
    }
    if (visit % 1_000 === 0)
      console.error(`visit ${visit} of ${end}, HR@20 so far ${metrics(totals).hr.toFixed(4)}`)
  }
  return { ...totals, held }
}

async function rankVisit(
  model: ServingModel,
  items: readonly string[],
  at: number,
  totals: RankingTotals,
  scratch: CandidateSet,
): Promise<void> {
  if (model.weights === undefined) throw new Error('refresh-value: the model has no weights')
  const engine = coreEngine(model.weights)
  const history = items.map((item, step) => ({ item, kind: 'click' as const, at: at + step }))
  for (let length = 1; length < items.length; length++) {
    const { rows } = await rankHistory(model, { history: history.slice(0, length), k: K }, engine, scratch)
    addQuery(
      totals,
      rows.map((row) => model.ids[row] ?? ''),
      items[length] ?? '',
      K,
    )
  }
}

/** One micro-batch through the bridge's own model, and its delta into the edge's. @returns whether the guard held rows */
function advance(live: LiveModel, model: ServingModel, batches: readonly StoredBatch[], at: number): boolean {
  const seq = live.seq + 1
  const change = live.apply({
    seq,
    at,
    pages: [{ range: '-FF', continuation: null, through: null, batches }],
  })
  const { dim, neighbours } = live.base
  const tensors = writeSafetensors(deltaTensors(change.content, dim, neighbours))
  const header: DeltaHeader = {
    format: 1,
    epoch: model.epoch,
    delta: seq,
    through: null,
    created: new Date(at).toISOString(),
    sha256: '',
    bytes: tensors.length,
    items: change.items,
  }
  model.apply(header, tensors)
  return change.guard?.held === true
}

function round(value: number | undefined): number {
  return Number((value ?? Number.NaN).toFixed(4))
}
