import { EVENTS_CONTAINER, type BatchDocument } from '@attune/core'
import type { CosmosConfig } from '../config.ts'
import { CosmosError } from './errors.ts'
import type { Regions } from './regions.ts'
import type { CosmosFetch, CosmosResponse } from './request.ts'

const TIMEOUT_MS = 5_000
const PAGE = 100
/** Deletes under way at once. */
const ABREAST = 8
/** Passes over what is left: events may arrive while the first ones are being deleted. */
const MAX_PASSES = 5

/** Everything stored of one visitor, and its end. Reads and writes the write region: nothing may be overlooked. */
export class VisitorData {
  readonly #fetch: CosmosFetch
  readonly #regions: Regions
  readonly #link: string

  constructor(config: CosmosConfig, regions: Regions, cosmosFetch: CosmosFetch) {
    this.#fetch = cosmosFetch
    this.#regions = regions
    this.#link = `dbs/${config.database}/colls/${EVENTS_CONTAINER.id}`
  }

  /**
   * Every batch of a visitor, in the order received, without Cosmos's own properties.
   *
   * @param visitor - partition key
   * @throws {CosmosError}
   */
  async export(visitor: string): Promise<BatchDocument[]> {
    const { documents } = await this.#all(visitor, 'SELECT * FROM c')
    return documents
      .map((document) =>
        Object.fromEntries(Object.entries(document).filter(([name]) => !name.startsWith('_'))),
      )
      .map((document) => document as unknown as BatchDocument)
      .toSorted((a, b) => a.received - b.received)
  }

  /**
   * Deletes every batch of a visitor, then looks again.
   *
   * @returns how many were deleted, and the session token of a read that found none
   * @throws {CosmosError}; `COSMOS_RETRY` when new batches keep arriving
   */
  async erase(visitor: string): Promise<{ deleted: number; session: string | undefined }> {
    let deleted = 0
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      const { documents, session } = await this.#all(visitor, 'SELECT c.id FROM c')
      if (documents.length === 0) return { deleted, session }
      for (let first = 0; first < documents.length; first += ABREAST) {
        const gone = await Promise.all(
          documents.slice(first, first + ABREAST).map(({ id }) => this.#delete(visitor, String(id))),
        )
        deleted += gone.filter(Boolean).length
      }
    }
    throw new CosmosError('COSMOS_RETRY', 'batches of the visitor keep arriving while they are deleted')
  }

  async #all(
    visitor: string,
    query: string,
  ): Promise<{ documents: Record<string, unknown>[]; session: string | undefined }> {
    const documents: Record<string, unknown>[] = []
    let page: CosmosResponse | undefined
    do {
      page = await this.#fetch({
        endpoint: this.#regions.write,
        verb: 'POST',
        type: 'docs',
        link: this.#link,
        path: `${this.#link}/docs`,
        partitionKey: visitor,
        headers: {
          'content-type': 'application/query+json',
          'x-ms-documentdb-isquery': 'True',
          'x-ms-max-item-count': String(PAGE),
          ...(page?.continuation !== undefined && { 'x-ms-continuation': page.continuation }),
        },
        body: JSON.stringify({ query, parameters: [] }),
        timeoutMs: TIMEOUT_MS,
      })
      const found = (page.body as { Documents?: unknown } | undefined)?.Documents
      if (Array.isArray(found)) documents.push(...(found as Record<string, unknown>[]))
    } while (page.continuation !== undefined)
    return { documents, session: page.session }
  }

  /** @returns false when it was gone already */
  async #delete(visitor: string, id: string): Promise<boolean> {
    const link = `${this.#link}/docs/${id}`
    try {
      await this.#fetch({
        endpoint: this.#regions.write,
        verb: 'DELETE',
        type: 'docs',
        link,
        path: link,
        partitionKey: visitor,
        timeoutMs: TIMEOUT_MS,
      })
      return true
    } catch (error) {
      if (error instanceof CosmosError && error.code === 'COSMOS_NOT_FOUND') return false
      throw error
    }
  }
}
