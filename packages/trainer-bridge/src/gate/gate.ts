import { NO_ITEM } from '@attune/core/artifact'
import { seededRandom } from '@attune/core/testing'
import { BridgeError } from '../error.ts'
import { sliceVisits, type TrainingData } from '../train/data.ts'
import { evaluateModel } from '../train/evaluate.ts'
import { prefixesOf } from '../train/train-ranker.ts'
import type { TrainedModel } from '../train/trained-model.ts'
import { bootstrap, meanOf } from './bootstrap.ts'
import type { HeldOut } from './held-out.ts'
import { BOUNDS, judge, type Finding, type GateMetric } from './judge.ts'

/** Which epoch a report speaks of. */
export interface Against {
  readonly epoch: number
  /** ISO 8601, from its manifest: what tells a model from another when its number was raised. */
  readonly created: string
}

/** What a new epoch is worth beside the serving one; kept in its manifest under `gate`. */
export interface GateReport {
  /** `first`: nothing was serving. */
  readonly verdict: 'passed' | 'failed' | 'overridden' | 'first'
  readonly against: Against | null
  /** Held-out visits looked at, and the prefixes in them. */
  readonly visits: number
  readonly prefixes: number
  /** Of the intervals. */
  readonly confidence: number
  readonly findings: readonly Finding[]
  /** The serving epoch was trained on these visits, which favours it: there were too few newer ones. */
  readonly seen?: true
  /** Why a failing epoch was let out, as its operator said. */
  readonly override?: { readonly why: string; readonly at: string }
}

export interface GateOptions {
  readonly bounds?: Partial<Record<GateMetric, number>>
  readonly threads?: number
  /** Newest prefixes looked at; 10,000. About 2 ms each and thread. */
  readonly prefixes?: number
  /** Told now and then how far it is, from 0 to 1. */
  readonly onProgress?: (share: number) => void
}

const K = 20
const MAX_PREFIXES = 10_000
const MIN_VISITS = 10
const CONFIDENCE = 0.95
const RESAMPLES = 1_000
/** Counting different items is dearer than a mean. */
const COVERAGE_RESAMPLES = 200

/**
 * Ranks the same held-out visits with both models, through the served path, and compares.
 *
 * Popularity is the share of the candidate's catalogue that is clicked less, mean over the items of a list: the same
 * yardstick for both. Repeatable: the resampling is seeded.
 *
 * @param heldOut - visits the candidate was not trained on
 * @throws {BridgeError} `GATE_DATA_TOO_SMALL`
 */
export async function compareModels(
  candidate: TrainedModel,
  serving: TrainedModel,
  against: Against,
  { visits, seen }: HeldOut,
  options: GateOptions = {},
): Promise<GateReport> {
  const { chosen, visitOf } = newestVisits(visits, options.prefixes ?? MAX_PREFIXES)
  const count = chosen.offsets.length - 1
  if (count < MIN_VISITS) {
    throw new BridgeError(
      'GATE_DATA_TOO_SMALL',
      `gate: expected at least ${MIN_VISITS} held-out visits of two clicks or more, received ${count}`,
    )
  }
  const prefixes = prefixesOf(chosen, Infinity)
  const evaluation = { k: K, keepLists: true, ...(options.threads && { threads: options.threads }) }
  const percentile = popularityOf(candidate)
  const rank = async (model: TrainedModel, done: number) => {
    const { lists, hr, mrr } = await evaluateModel(model, prefixes, {
      ...evaluation,
      onProgress: (ranked, all) => options.onProgress?.((done + ranked / all) / 2),
    })
    return { hr, mrr, ...measure(model, lists, prefixes.targets, percentile) }
  }
  const [ours, theirs] = [await rank(candidate, 0), await rank(serving, 1)]

  const counts = new Float64Array(count)
  for (const visit of visitOf) counts[visit] = counts[visit]! + 1
  const paired = (a: Float64Array, b: Float64Array) => {
    const sums = new Float64Array(count)
    visitOf.forEach((visit, prefix) => (sums[visit] = sums[visit]! + a[prefix]! - b[prefix]!))
    return bootstrap(count, meanOf(sums, counts), {
      resamples: RESAMPLES,
      confidence: CONFIDENCE,
      random: seededRandom(1),
    })
  }
  const mean = (values: Float64Array) =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
  const bounds = { ...BOUNDS, ...options.bounds }
  const covered = { ours: distinctOf(ours.lists, visitOf), theirs: distinctOf(theirs.lists, visitOf) }
  const every = Uint32Array.from(counts, (_, visit) => visit)
  const coverage = bootstrap(count, (some) => covered.ours(some) / Math.max(1, covered.theirs(some)) - 1, {
    resamples: COVERAGE_RESAMPLES,
    confidence: CONFIDENCE,
    random: seededRandom(1),
  })
  const findings = [
    judge('hr20', of(ours.hr, theirs.hr), paired(ours.hits, theirs.hits), bounds.hr20, 'higher'),
    judge(
      'mrr20',
      of(ours.mrr, theirs.mrr),
      paired(ours.reciprocal, theirs.reciprocal),
      bounds.mrr20,
      'higher',
    ),
    judge(
      'coverage',
      of(covered.ours(every) / candidate.ids.length, covered.theirs(every) / serving.ids.length),
      coverage,
      bounds.coverage,
      'higher',
    ),
    judge(
      'popularity',
      of(mean(ours.popularity), mean(theirs.popularity)),
      paired(ours.popularity, theirs.popularity),
      bounds.popularity,
      'lower',
    ),
  ]
  return {
    verdict: findings.every(({ ok }) => ok) ? 'passed' : 'failed',
    against: { epoch: against.epoch, created: against.created },
    visits: count,
    prefixes: prefixes.targets.length,
    confidence: CONFIDENCE,
    findings,
    ...(seen && { seen }),
  }
}

const of = (candidate: number, serving: number) => ({ candidate, serving })

/** Whole visits from the newest back, of two clicks or more, until there are enough prefixes. */
function newestVisits(data: TrainingData, limit: number): { chosen: TrainingData; visitOf: Uint32Array } {
  const { offsets } = data
  let from = offsets.length - 1
  let prefixes = 0
  while (from > 0 && prefixes < limit) {
    from--
    prefixes += Math.max(0, offsets[from + 1]! - offsets[from]! - 1)
  }
  const slice = sliceVisits(data, from, offsets.length - 1)
  const kept = Array.from(slice.offsets.subarray(0, -1), (_, visit) => visit).filter(
    (visit) => slice.offsets[visit + 1]! - slice.offsets[visit]! > 1,
  )
  const at = kept.flatMap((visit) => {
    const [begin, end] = [slice.offsets[visit]!, slice.offsets[visit + 1]!]
    return Array.from({ length: end - begin }, (_, step) => begin + step)
  })
  const ends = [0]
  for (const visit of kept) ends.push(ends.at(-1)! + slice.offsets[visit + 1]! - slice.offsets[visit]!)
  return {
    chosen: {
      ids: data.ids,
      offsets: Uint32Array.from(ends),
      rows: Uint32Array.from(at, (place) => slice.rows[place]!),
      ...(slice.kinds && { kinds: Uint8Array.from(at, (place) => slice.kinds![place]!) }),
      ...(slice.times && { times: Float64Array.from(at, (place) => slice.times![place]!) }),
    },
    visitOf: Uint32Array.from(
      kept.flatMap((visit, index) =>
        Array.from({ length: slice.offsets[visit + 1]! - slice.offsets[visit]! - 1 }, () => index),
      ),
    ),
  }
}

/** Item → share of the catalogue that is clicked less; 0 for one the model does not know. */
function popularityOf({ ids, tables }: TrainedModel): (id: string) => number {
  const sorted = tables.popularity.slice().sort()
  const below = (value: number) => {
    let [low, high] = [0, sorted.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (sorted[middle]! < value) low = middle + 1
      else high = middle
    }
    return low / sorted.length
  }
  const shares = new Map(ids.map((id, row) => [id, below(tables.popularity[row]!)]))
  return (id) => shares.get(id) ?? 0
}

/** What each prefix's list is worth. */
function measure(
  { ids }: TrainedModel,
  lists: Uint32Array,
  targets: readonly string[],
  percentile: (id: string) => number,
) {
  const hits = new Float64Array(targets.length)
  const reciprocal = new Float64Array(targets.length)
  const popularity = new Float64Array(targets.length)
  for (const [prefix, target] of targets.entries()) {
    const list = lists.subarray(prefix * K, (prefix + 1) * K)
    let shown = 0
    for (let place = 0; place < K && list[place] !== NO_ITEM; place++) {
      const id = ids[list[place]!] ?? ''
      shown++
      popularity[prefix] = popularity[prefix]! + percentile(id)
      if (id !== target) continue
      hits[prefix] = 1
      reciprocal[prefix] = 1 / (place + 1)
    }
    popularity[prefix] = popularity[prefix]! / Math.max(1, shown)
  }
  return { lists, hits, reciprocal, popularity }
}

/** How many different items the lists of some visits show. */
function distinctOf(lists: Uint32Array, visitOf: Uint32Array): (chosen: Uint32Array) => number {
  const firstOf: number[] = []
  visitOf.forEach((visit, prefix) => (firstOf[visit] ??= prefix))
  firstOf.push(visitOf.length)
  let stamps = new Uint32Array(1_024)
  let stamp = 0
  return (chosen) => {
    stamp++
    let distinct = 0
    for (const visit of chosen) {
      for (let at = firstOf[visit]! * K; at < firstOf[visit + 1]! * K; at++) {
        const row = lists[at]!
        if (row === NO_ITEM) continue
        if (row >= stamps.length) {
          const larger = new Uint32Array(2 * row)
          larger.set(stamps)
          stamps = larger
        }
        if (stamps[row] !== stamp) {
          stamps[row] = stamp
          distinct++
        }
      }
    }
    return distinct
  }
}
