import {
  formatSessionToken,
  ITEMS_CONTAINER,
  mergeSessionTokens,
  parseSessionToken,
  type ItemDocument,
} from '@attune/core'
import { base64url } from '../base64url.ts'
import type { CosmosConfig } from '../config.ts'
import { CosmosError, isTransient } from './errors.ts'
import type { Regions } from './regions.ts'
import type { CosmosFetch } from './request.ts'

export interface Upserted {
  /** Documents written. */
  readonly stored: readonly ItemDocument[]
  /** Documents that were not, because of `error`. */
  readonly left: readonly ItemDocument[]
  /** What stopped it; transient. */
  readonly error: CosmosError | undefined
  /** Session token over everything written. */
  readonly session: string | undefined
  readonly ru: number
}

const WRITE_TIMEOUT_MS = 5_000
const READ_TIMEOUT_MS = 3_000
/** Writes under way at once: as many connections as a Worker may have. */
const ABREAST = 6

/** The document id of an item: Cosmos refuses `/`, `\`, `?` and `#` in ids. */
export function itemDocumentId(item: string): string {
  return base64url(new TextEncoder().encode(item))
}

/** The catalogue in Cosmos: one document an item, in a partition of its own. */
export class Catalogue {
  readonly #fetch: CosmosFetch
  readonly #regions: Regions
  readonly #link: string

  constructor(config: CosmosConfig, regions: Regions, cosmosFetch: CosmosFetch) {
    this.#fetch = cosmosFetch
    this.#regions = regions
    this.#link = `dbs/${config.database}/colls/${ITEMS_CONTAINER.id}`
  }

  /**
   * Writes each document in full, so that a repeated call leaves the same state. Items are partitions of their own, which
   * no transaction spans: when Cosmos throttles or fails, nothing more is begun and the rest is named.
   *
   * @throws {CosmosError} `COSMOS_REFUSED`, `COSMOS_NOT_FOUND`
   */
  async upsert(documents: readonly ItemDocument[]): Promise<Upserted> {
    const stored: ItemDocument[] = []
    const left: ItemDocument[] = []
    let next = 0
    let error: CosmosError | undefined
    let session: string | undefined
    let ru = 0
    const work = async (): Promise<void> => {
      for (let document = documents[next++]; document !== undefined; document = documents[next++]) {
        if (error !== undefined) {
          left.push(document)
          continue
        }
        try {
          const answer = await this.#write(document)
          stored.push(document)
          ru += answer.ru
          session = merged(session, answer.session)
        } catch (cause) {
          if (!isTransient(cause)) throw cause
          error ??= cause
          ru += cause.ru
          left.push(document)
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(ABREAST, documents.length) }, work))
    if (error !== undefined && error.code !== 'COSMOS_THROTTLED') this.#regions.suspect()
    return { stored, left, error, session, ru }
  }

  /**
   * An item as it is stored; undefined: never heard of, or deleted long ago.
   *
   * @throws {CosmosError}
   */
  async read(item: string): Promise<{ document: ItemDocument; etag: string } | undefined> {
    const link = `${this.#link}/docs/${itemDocumentId(item)}`
    try {
      const answer = await this.#fetch({
        endpoint: this.#regions.write,
        verb: 'GET',
        type: 'docs',
        link,
        path: link,
        partitionKey: item,
        timeoutMs: READ_TIMEOUT_MS,
      })
      const document = answer.body as ItemDocument & { readonly _etag: string }
      return { document, etag: document._etag }
    } catch (error) {
      if (error instanceof CosmosError && error.code === 'COSMOS_NOT_FOUND') return undefined
      throw error
    }
  }

  #write(document: ItemDocument): Promise<{ ru: number; session: string | undefined }> {
    return this.#fetch({
      endpoint: this.#regions.write,
      verb: 'POST',
      type: 'docs',
      link: this.#link,
      path: `${this.#link}/docs`,
      partitionKey: document.item,
      headers: {
        'content-type': 'application/json',
        'x-ms-documentdb-is-upsert': 'True',
        prefer: 'return=minimal',
      },
      body: JSON.stringify(document),
      timeoutMs: WRITE_TIMEOUT_MS,
    })
  }
}

function merged(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return formatSessionToken(mergeSessionTokens(parseSessionToken(one), parseSessionToken(other)))
}
