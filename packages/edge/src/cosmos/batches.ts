import {
  covers,
  EVENTS_CONTAINER,
  parseSessionToken,
  SessionTokenError,
  type BatchDocument,
  type TrackedEvent,
} from '@attune/core'
import type { CosmosConfig } from '../config.ts'
import { CosmosError, isTransient } from './errors.ts'
import type { Regions } from './regions.ts'
import type { CosmosFetch, CosmosResponse } from './request.ts'

export interface StoredBatch {
  /** Session token of the write. */
  readonly session: string
  /** It was there before; nothing was written. */
  readonly duplicate: boolean
  /** Not counted yet: written now, or by a try of this process whose answer was lost. */
  readonly isNew: boolean
  readonly ru: number
}

export interface StoredHistory {
  /** Newest batches first, events of a batch as they were sent. */
  readonly events: readonly TrackedEvent[]
  /** The read had seen everything the session token stands for. */
  readonly fresh: boolean
  /** Session token of the read. */
  readonly session: string | undefined
  readonly ru: number
  /** Requests made to Cosmos: 1 unless a region was behind or did not answer. */
  readonly calls: number
  /** Another region than the nearest answered. */
  readonly elsewhere: boolean
}

/** Newest batches a rank looks at; the encoder takes 16 steps. */
export const HISTORY_BATCHES = 16
/** Ids remembered of writes that may have happened; beyond it the one that came first is forgotten. */
const MAX_UNANSWERED = 1_000
const WRITE_TIMEOUT_MS = 3_000
const READ_TIMEOUT_MS = 1_500
const HISTORY_QUERY: string = JSON.stringify({
  query: `SELECT TOP ${HISTORY_BATCHES} c.events FROM c ORDER BY c.at DESC`,
  parameters: [],
})

/** Visitors' batches of events in Cosmos: one document per flush, one query per history. */
export class Batches {
  readonly #fetch: CosmosFetch
  readonly #regions: Regions
  readonly #link: string
  /** Batches that were sent to the store, which did not say what became of them. */
  readonly #unanswered = new Set<string>()

  constructor(config: CosmosConfig, regions: Regions, cosmosFetch: CosmosFetch) {
    this.#fetch = cosmosFetch
    this.#regions = regions
    this.#link = `dbs/${config.database}/colls/${EVENTS_CONTAINER.id}`
  }

  /**
   * Stores a batch, once: a second `create` of its id is a conflict, which means it is there.
   *
   * @param ttlS - seconds to keep it; undefined: the container's default
   * @throws {CosmosError} any code but `COSMOS_CONFLICT`
   */
  async create(batch: BatchDocument, ttlS?: number): Promise<StoredBatch> {
    const body = JSON.stringify(ttlS === undefined ? batch : { ...batch, ttl: ttlS })
    try {
      const answer = await this.#fetch({
        endpoint: this.#regions.write,
        verb: 'POST',
        type: 'docs',
        link: this.#link,
        path: `${this.#link}/docs`,
        partitionKey: batch.visitor,
        // The answer need not repeat the document.
        headers: { 'content-type': 'application/json', prefer: 'return=minimal' },
        body,
        timeoutMs: WRITE_TIMEOUT_MS,
      })
      this.#unanswered.delete(batch.id)
      return { session: required(answer.session), duplicate: false, isNew: true, ru: answer.ru }
    } catch (error) {
      if (error instanceof CosmosError && error.code === 'COSMOS_CONFLICT') {
        // Cosmos sends a token with 409; where something in between took it off, a read of the document has one.
        const read = error.session === undefined ? await this.#read(batch) : undefined
        const session = error.session ?? required(read?.session)
        const isNew = this.#unanswered.delete(batch.id)
        return { session, duplicate: true, isNew, ru: error.ru + (read?.ru ?? 0) }
      }
      if (isTransient(error) && error.code !== 'COSMOS_THROTTLED') {
        this.#regions.suspect()
        this.#unanswered.add(batch.id)
        if (this.#unanswered.size > MAX_UNANSWERED)
          this.#unanswered.delete(this.#unanswered.values().next().value ?? '')
      }
      throw error
    }
  }

  /**
   * A visitor's newest batches, at least as new as `session`, or said to be older. Every answer's own token is compared
   * with the one sent: Cosmos clients that drop the token on 404/1002 hand out stale data as if it were fresh.
   *
   * Never throws for a store that is down: nothing is known then, and `fresh` is false.
   *
   * @param visitor - partition key
   */
  async history(visitor: string, session: string | undefined): Promise<StoredHistory> {
    const want = session === undefined ? undefined : parseSessionToken(session)
    let known: CosmosResponse | undefined
    let behind = false
    let ru = 0
    let calls = 0
    const attempt = async (endpoint: string, token: string | undefined): Promise<CosmosError | undefined> => {
      calls++
      try {
        known = await this.#query(endpoint, visitor, token)
        ru += known.ru
        return undefined
      } catch (error) {
        if (!(error instanceof CosmosError)) throw error
        ru += error.ru
        return error
      }
    }
    for (const endpoint of this.#regions.read) {
      const error = await attempt(endpoint, session)
      if (error === undefined) {
        if (want === undefined || caughtUp(known?.session, want)) {
          const elsewhere = endpoint !== this.#regions.read[0]
          return { events: eventsOf(known), fresh: true, session: known?.session, ru, calls, elsewhere }
        }
        behind = true
      } else if (error.code === 'COSMOS_BEHIND') {
        behind = true
      } else if (error.code === 'COSMOS_THROTTLED' || !isTransient(error)) {
        // Another region shares the container's throughput or the mistake: asking it too would only add load.
        break
      }
    }
    this.#regions.suspect()
    // Everywhere behind: what is there is still better than nothing, as long as the answer says so.
    const nearest = this.#regions.read[0]
    if (behind && known === undefined && nearest !== undefined) await attempt(nearest, undefined)
    return { events: eventsOf(known), fresh: false, session: known?.session, ru, calls, elsewhere: false }
  }

  #read(batch: BatchDocument): Promise<CosmosResponse> {
    const link = `${this.#link}/docs/${batch.id}`
    return this.#fetch({
      endpoint: this.#regions.write,
      verb: 'GET',
      type: 'docs',
      link,
      path: link,
      partitionKey: batch.visitor,
      timeoutMs: READ_TIMEOUT_MS,
    })
  }

  #query(endpoint: string, visitor: string, session: string | undefined): Promise<CosmosResponse> {
    return this.#fetch({
      endpoint,
      verb: 'POST',
      type: 'docs',
      link: this.#link,
      path: `${this.#link}/docs`,
      partitionKey: visitor,
      ...(session !== undefined && { session }),
      headers: {
        'content-type': 'application/query+json',
        'x-ms-documentdb-isquery': 'True',
        'x-ms-max-item-count': String(HISTORY_BATCHES),
        'x-ms-consistency-level': 'Session',
      },
      body: HISTORY_QUERY,
      timeoutMs: READ_TIMEOUT_MS,
    })
  }
}

function caughtUp(session: string | undefined, want: ReturnType<typeof parseSessionToken>): boolean {
  if (session === undefined) return false
  try {
    return covers(parseSessionToken(session), want)
  } catch (error) {
    if (error instanceof SessionTokenError) return false
    throw error
  }
}

function eventsOf(answer: CosmosResponse | undefined): TrackedEvent[] {
  const documents: unknown = (answer?.body as { Documents?: unknown } | undefined)?.Documents
  if (!Array.isArray(documents)) return []
  // Written by this edge after parsing, so the shape holds; a foreign document without events counts as empty.
  return documents.flatMap((document: unknown) => {
    const events: unknown = (document as { events?: unknown } | null)?.events
    return Array.isArray(events) ? (events as TrackedEvent[]) : []
  })
}

/** A store that does not say how far it is cannot promise that a later read sees this write. */
function required(session: string | undefined): string {
  if (session !== undefined) return session
  throw new CosmosError('COSMOS_UNAVAILABLE', 'Cosmos answered a write without a session token')
}
