import {
  disliked,
  formatSessionToken,
  MAX_DEVICE_CANDIDATES,
  mergeSessionTokens,
  parseSessionToken,
  toHistory,
  uuidv7,
  type DeviceList,
  type EngineName,
  type HistoryItem,
  type Random,
  type RankResponse,
  type Strategy,
  type TrackedEvent,
} from '@attune/core'
import { MAX_HISTORY_STEPS, packDevice, type Ranked } from '@attune/core/rank'
import type { Batches, StoredHistory } from '../cosmos/batches.ts'
import { EdgeError } from '../error.ts'
import type { ParsedRankRequest } from '../routes/parse-rank.ts'
import type { Fallback, Metrics } from '../metrics.ts'
import type { RequestTrace } from '../telemetry/trace.ts'
import { NO_RULES, type Slot } from '../slots/compile.ts'
import type { Epoch } from './current.ts'
import { describeItems, makeList } from './list.ts'

export interface RankDeps {
  readonly batches: Batches
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Milliseconds of a clock that only goes forward. */
  readonly elapsed: () => number
  readonly random: Random
  readonly diagnostics: boolean
  readonly metrics: Metrics
  /** ONNX Runtime is part of this build. */
  readonly hasOrt: boolean
}

/** A request whose strategy is settled. */
type Asked = ParsedRankRequest & { readonly strategy: Strategy }

const NOTHING_READ: StoredHistory = {
  events: [],
  fresh: true,
  session: undefined,
  ru: 0,
  calls: 0,
  elsewhere: false,
}

/**
 * Answers a rank request on one epoch: history (at most one Cosmos call while its region keeps up) → list.
 *
 * @param visitor - partition key; undefined: nobody is known and nothing is read
 */
export async function rank(
  deps: RankDeps,
  epoch: Epoch,
  asked: ParsedRankRequest,
  visitor: string | undefined,
  trace: RequestTrace,
  slot: Slot = NO_RULES,
): Promise<RankResponse> {
  const started = deps.elapsed()
  const request = { ...asked, strategy: strategyOf(asked, slot) }
  // Lists that are the same for everybody need no history, and cost no RU.
  const reads = visitor !== undefined && request.history === 'full' && followsVisitor(request)
  if (reads) trace.enter('history')
  const stored = reads ? await deps.batches.history(visitor, request.session) : NOTHING_READ
  const read = deps.elapsed()

  trace.enter('retrieve')
  const engine = epoch.engine
  if (engine === undefined)
    throw new EdgeError('MODEL_MISSING', `epoch ${epoch.model.epoch} is still being prepared`)
  const { model } = epoch
  const events: readonly TrackedEvent[] =
    request.recent.length === 0 ? stored.events : [...request.recent, ...stored.events]
  const history = historyFor(request, events, deps.now())
  const steps = history.filter((step) => model.rowOf(step.item) !== undefined).slice(-MAX_HISTORY_STEPS)
  const item = request.item === undefined ? undefined : model.rowOf(request.item)
  const filter = epoch.filters.of(
    [slot.filter, request.filter],
    item === undefined ? undefined : model.attributesOf(item),
  )
  const { rows: candidates, unknown } = candidateRows(epoch, request)
  const exclude = excludedRows(epoch, request, events, slot)
  const ranked = await makeList(epoch, {
    request,
    slot,
    filter: filter?.rows,
    steps,
    candidates,
    exclude,
    random: deps.random,
    onRetrieved: () => {
      trace.enter('rank')
    },
  })
  trace.enter('rules')
  const items = describeItems(model, ranked)
  for (const id of unknown.slice(0, Math.max(0, request.k - items.length)))
    if (filter?.test(undefined) ?? true) items.push({ id, score: null })
  const query = { ...(candidates !== undefined && { candidates }), exclude }
  const device = deviceList(epoch, request, history, query, ranked)
  const done = deps.elapsed()
  record(deps, stored, ranked.engine, read - started, done - read)
  trace.note({
    'attune.epoch': model.epoch,
    'attune.delta': ranked.delta,
    'attune.strategy': request.strategy,
    'attune.engine': ranked.engine,
    'attune.fresh': stored.fresh,
    'attune.ru': stored.ru,
    'attune.candidates': ranked.considered,
  })
  const session = newest(request.session, stored.session)
  return {
    decision: uuidv7(deps.now(), deps.random),
    slot: request.slot,
    strategy: request.strategy,
    epoch: model.epoch,
    delta: ranked.delta,
    fresh: stored.fresh,
    ...(session !== undefined && { session }),
    items,
    ...(device && { device }),
    ...(deps.diagnostics && {
      diagnostics: {
        historyMs: round(read - started),
        rankMs: round(done - read),
        ru: round(stored.ru),
        engine: ranked.engine,
        candidates: ranked.considered,
        events: events.length,
      },
    }),
  }
}

function record(
  { metrics, hasOrt }: Pick<RankDeps, 'metrics' | 'hasOrt'>,
  stored: StoredHistory,
  engine: EngineName,
  historyMs: number,
  rankMs: number,
): void {
  metrics.count('attune_rank_engine_total', { engine })
  metrics.time('attune_rank_seconds', rankMs)
  const fellBack = (to: Fallback): void => {
    metrics.count('attune_fallbacks_total', { to })
  }
  if (engine === 'core' && hasOrt) fellBack('core-engine')
  if (stored.elsewhere) fellBack('other-region')
  if (!stored.fresh) {
    fellBack('stale-history')
    metrics.count('attune_rank_stale_total')
  }
  if (stored.calls === 0) return
  metrics.time('attune_history_seconds', historyMs)
  metrics.count('attune_cosmos_calls_total', { operation: 'history' }, stored.calls)
  metrics.count('attune_cosmos_request_units_total', { operation: 'history' }, stored.ru)
}

/** What the request asks for, else what the slot is for; `similar` without an item has nothing to be similar to. */
function strategyOf({ strategy, item }: ParsedRankRequest, slot: Slot): Strategy {
  const chosen = strategy ?? slot.rules.strategy ?? 'for-you'
  return chosen === 'similar' && item === undefined ? 'for-you' : chosen
}

/** Whether the list depends on what the visitor did. */
function followsVisitor({ strategy, item }: Asked): boolean {
  return (
    strategy === 'for-you' || strategy === 'recent' || (strategy === 'bought-together' && item === undefined)
  )
}

/** `similar` starts from its item alone: "more like this" says what it says. */
function historyFor(request: Asked, events: readonly TrackedEvent[], now: number): HistoryItem[] {
  if (request.strategy === 'similar')
    return request.item === undefined ? [] : [{ item: request.item, kind: 'click', at: now }]
  return toHistory(events, 2 * MAX_HISTORY_STEPS)
}

function candidateRows(
  { model }: Epoch,
  { candidates, exclude }: ParsedRankRequest,
): { rows: number[] | undefined; unknown: string[] } {
  if (candidates === undefined) return { rows: undefined, unknown: [] }
  const rows: number[] = []
  const unknown = new Set<string>()
  for (const id of candidates) {
    const row = model.rowOf(id)
    if (row !== undefined) rows.push(row)
    else if (!exclude.includes(id)) unknown.add(id)
  }
  return { rows, unknown: [...unknown] }
}

function excludedRows(
  { model }: Epoch,
  request: Asked,
  events: readonly TrackedEvent[],
  slot: Slot,
): number[] {
  const ids = [...request.exclude, ...disliked(events), ...(slot.rules.exclude ?? [])]
  if (request.strategy !== 'for-you' && request.strategy !== 'recent' && request.item !== undefined)
    ids.push(request.item)
  return ids.flatMap((id) => model.rowOf(id) ?? [])
}

/**
 * What the page may order by itself: the candidates, as the ranker saw them, or where those are too many the list. Lists
 * that do not follow the visitor, and bring-your-own models, have none.
 */
function deviceList(
  { model }: Epoch,
  { device, strategy }: Asked,
  history: readonly HistoryItem[],
  { candidates, exclude }: { readonly candidates?: readonly number[]; readonly exclude: readonly number[] },
  ranked: Ranked,
): DeviceList | undefined {
  const weights = model.weights && model.manifest.files.weights?.sha256
  if (!device || strategy !== 'for-you' || weights === undefined) return undefined
  const unwanted = new Set(exclude)
  const given = [...new Set(candidates)].filter((row) => !unwanted.has(row))
  const fits = candidates !== undefined && given.length <= MAX_DEVICE_CANDIDATES
  return packDevice(model, weights, fits ? given : ranked.rows, history)
}

/** What the page should send next: everything it has seen and everything this read has. */
function newest(sent: string | undefined, read: string | undefined): string | undefined {
  if (sent === undefined || read === undefined) return read ?? sent
  return sent === read
    ? sent
    : formatSessionToken(mergeSessionTokens(parseSessionToken(sent), parseSessionToken(read)))
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000
}
