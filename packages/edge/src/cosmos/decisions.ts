import {
  DECISIONS_CONTAINER,
  type Decision,
  type DecisionDocument,
  type Random,
  type RankedItem,
  type RankResponse,
} from '@attune/core'
import type { Log } from '../log.ts'
import type { CosmosConfig } from '../config.ts'
import type { Metrics } from '../metrics.ts'
import type { Background } from '../models/models.ts'
import { Outbox } from '../telemetry/outbox.ts'
import { CosmosError } from './errors.ts'
import type { Regions } from './regions.ts'
import type { CosmosFetch } from './request.ts'

export interface DecisionsDeps {
  readonly cosmos: CosmosConfig
  readonly regions: Regions
  readonly fetch: CosmosFetch
  readonly metrics: Metrics
  readonly log: Log
  readonly random: Random
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Share of decisions kept, 0 to 1. */
  readonly sampled: number
  /** Days anything of a visitor is kept; shortens the container's own TTL, never lengthens it. */
  readonly retentionDays: number | undefined
}

interface Shown {
  readonly visitor: string
  readonly site: string
  readonly decision: Decision
}

/** A page asks for its slots within a moment; they become one document. */
const WAIT_MS = 500
const AT_ONCE = 200
const MAX_HELD = 2_000
/** Writes under way at once. */
const ABREAST = 8
const TIMEOUT_MS = 5_000
const DAY_S = 86_400
/** About 100 of the longest item ids: far below Cosmos's 2 MB. */
const MAX_DECISIONS = 20

/**
 * What was shown to whom, in container `decisions`: written behind responses, one document for all that a visitor was
 * shown within half a second. A decision that cannot be written is counted and lost: it is evidence, not state.
 */
export class Decisions {
  readonly #deps: DecisionsDeps
  readonly #link: string
  readonly #shown: Outbox<Shown>

  constructor(deps: DecisionsDeps) {
    this.#deps = deps
    this.#link = `dbs/${deps.cosmos.database}/colls/${DECISIONS_CONTAINER.id}`
    const { metrics, now } = deps
    this.#shown = new Outbox({
      send: (shown) => this.#write(shown),
      waitMs: WAIT_MS,
      full: AT_ONCE,
      most: MAX_HELD,
      now,
      failed: (_, decisions) => {
        metrics.count('attune_decisions_total', { outcome: 'lost' }, decisions)
      },
      dropped: (decisions) => {
        metrics.count('attune_decisions_total', { outcome: 'lost' }, decisions)
      },
    })
  }

  /**
   * Keeps what an answer showed, if it is one of the sampled.
   *
   * @param visitor - partition key
   */
  shown(visitor: string, site: string, answer: RankResponse, background: Background): void {
    const { sampled, random, now } = this.#deps
    if (sampled === 0 || random() >= sampled) return
    this.#shown.add({ visitor, site, decision: decisionOf(answer, now()) }, background)
  }

  /** This process ends: what is held is written now. */
  hurry(): void {
    this.#shown.hurry()
  }

  async #write(shown: readonly Shown[]): Promise<void> {
    const documents = documentsOf(shown, this.#deps.sampled)
    for (let first = 0; first < documents.length; first += ABREAST)
      await Promise.all(documents.slice(first, first + ABREAST).map((document) => this.#create(document)))
  }

  async #create(document: DecisionDocument): Promise<void> {
    const { regions, fetch: send, metrics, log, retentionDays = Infinity } = this.#deps
    const ttl = retentionDays * DAY_S
    const shorter = ttl < (DECISIONS_CONTAINER.defaultTtl ?? Infinity)
    const count = (outcome: string): void => {
      metrics.count('attune_decisions_total', { outcome }, document.decisions.length)
    }
    try {
      const { ru } = await send({
        endpoint: regions.write,
        verb: 'POST',
        type: 'docs',
        link: this.#link,
        path: `${this.#link}/docs`,
        partitionKey: document.visitor,
        headers: { 'content-type': 'application/json', prefer: 'return=minimal' },
        body: JSON.stringify(shorter ? { ...document, ttl } : document),
        timeoutMs: TIMEOUT_MS,
      })
      count('stored')
      metrics.count('attune_cosmos_calls_total', { operation: 'decisions' })
      metrics.count('attune_cosmos_request_units_total', { operation: 'decisions' }, ru)
    } catch (error) {
      count('lost')
      log('warn', 'decisions could not be stored', {
        code: error instanceof CosmosError ? error.code : 'INTERNAL',
        decisions: document.decisions.length,
      })
    }
  }
}

/** One document for each visitor, or a few for one who was shown very much. */
export function documentsOf(shown: readonly Shown[], sampled: number): DecisionDocument[] {
  const groups = new Map<string, Shown[]>()
  for (const one of shown) {
    const group = groups.get(one.visitor)
    if (group === undefined) groups.set(one.visitor, [one])
    else group.push(one)
  }
  return [...groups.values()].flatMap((group) => {
    const documents: DecisionDocument[] = []
    for (let first = 0; first < group.length; first += MAX_DECISIONS) {
      const part = group.slice(first, first + MAX_DECISIONS)
      const [{ visitor, site, decision }] = part as [Shown, ...Shown[]]
      documents.push({
        id: decision.id,
        visitor,
        site,
        sampled,
        decisions: part.map((one) => one.decision),
      })
    }
    return documents
  })
}

/** Four digits of a score are enough to tell places apart, and cost half the bytes. */
function decisionOf(answer: RankResponse, at: number): Decision {
  const { decision, slot, strategy, epoch, delta, fresh } = answer
  const items: readonly (RankedItem & { readonly propensity?: number })[] = answer.items
  const explored = items.some(({ propensity }) => propensity !== undefined)
  return {
    id: decision,
    slot,
    strategy,
    epoch,
    delta,
    fresh,
    at,
    items: items.map(({ id }) => id),
    scores: items.map(({ score }) => (score === null ? null : Number(score.toPrecision(4)))),
    ...(explored && { propensities: items.map(({ propensity }) => propensity ?? null) }),
  }
}
