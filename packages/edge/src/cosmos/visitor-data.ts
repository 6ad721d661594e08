import {
  DECISIONS_CONTAINER,
  EVENTS_CONTAINER,
  type BatchDocument,
  type Decision,
  type DecisionDocument,
} from '@attune/core'
import type { CosmosConfig } from '../config.ts'
import { CosmosError } from './errors.ts'
import { deleteDocument, queryAll, type Partition } from './partition.ts'
import type { Regions } from './regions.ts'
import type { CosmosFetch } from './request.ts'

/** Deletes under way at once. */
const ABREAST = 8
/** Passes over what is left: events may arrive while the first ones are being deleted. */
const MAX_PASSES = 5
/** Edges hold what they have just shown for half a second before they write it. */
const LATE_DECISIONS_MS = 1_500

/** Everything stored of one visitor, and its end. Reads and writes the write region: nothing may be overlooked. */
export class VisitorData {
  readonly #fetch: CosmosFetch
  readonly #regions: Regions
  readonly #database: string
  readonly #keepsDecisions: boolean

  /** @param keepsDecisions - edges of this deployment write decisions now, so some may be on their way */
  constructor(config: CosmosConfig, regions: Regions, cosmosFetch: CosmosFetch, keepsDecisions = false) {
    this.#fetch = cosmosFetch
    this.#regions = regions
    this.#database = `dbs/${config.database}`
    this.#keepsDecisions = keepsDecisions
  }

  /**
   * Every batch of a visitor, in the order received, without Cosmos's own properties.
   *
   * @param visitor - partition key
   * @throws {CosmosError}
   */
  async export(visitor: string): Promise<BatchDocument[]> {
    const { documents } = await this.#all(EVENTS_CONTAINER.id, visitor, 'SELECT * FROM c')
    return documents
      .map((document) =>
        Object.fromEntries(Object.entries(document).filter(([name]) => !name.startsWith('_'))),
      )
      .map((document) => document as unknown as BatchDocument)
      .toSorted((a, b) => a.received - b.received)
  }

  /** What is kept of what the visitor was shown, in order. @throws {CosmosError} */
  async decisions(visitor: string): Promise<Decision[]> {
    const { documents } = await this.#all(DECISIONS_CONTAINER.id, visitor, 'SELECT c.decisions FROM c')
    return documents
      .flatMap((document) => (document as unknown as Pick<DecisionDocument, 'decisions'>).decisions)
      .toSorted((a, b) => a.at - b.at)
  }

  /**
   * Deletes every batch of a visitor and everything kept of what it was shown, then looks again.
   *
   * @returns how many documents of each were deleted, and the session token of a read that found no batch
   * @throws {CosmosError}; `COSMOS_RETRY` when new documents keep arriving
   */
  async erase(visitor: string): Promise<{ deleted: number; decisions: number; session: string | undefined }> {
    const { deleted, session } = await this.#eraseFrom(EVENTS_CONTAINER.id, visitor)
    if (this.#keepsDecisions) await new Promise((resolve) => setTimeout(resolve, LATE_DECISIONS_MS))
    const { deleted: decisions } = await this.#eraseFrom(DECISIONS_CONTAINER.id, visitor)
    return { deleted, decisions, session }
  }

  async #eraseFrom(
    container: string,
    visitor: string,
  ): Promise<{ deleted: number; session: string | undefined }> {
    let deleted = 0
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      const { documents, session } = await this.#all(container, visitor, 'SELECT c.id FROM c')
      if (documents.length === 0) return { deleted, session }
      for (let first = 0; first < documents.length; first += ABREAST) {
        const gone = await Promise.all(
          documents
            .slice(first, first + ABREAST)
            .map(({ id }) => deleteDocument(this.#partition(container, visitor), String(id))),
        )
        deleted += gone.filter(Boolean).length
      }
    }
    throw new CosmosError('COSMOS_RETRY', `${container} of the visitor keep arriving while they are deleted`)
  }

  /** A container that a deployment does not have holds nothing. */
  async #all(
    container: string,
    visitor: string,
    query: string,
  ): Promise<{ documents: Record<string, unknown>[]; session: string | undefined }> {
    try {
      return await queryAll(this.#partition(container, visitor), query)
    } catch (error) {
      const absent = error instanceof CosmosError && error.code === 'COSMOS_NOT_FOUND'
      if (absent && container === DECISIONS_CONTAINER.id) return { documents: [], session: undefined }
      throw error
    }
  }

  #partition(container: string, key: string): Partition {
    return {
      fetch: this.#fetch,
      endpoint: this.#regions.write,
      link: `${this.#database}/colls/${container}`,
      key,
    }
  }
}
