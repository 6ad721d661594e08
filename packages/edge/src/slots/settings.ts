import { SETTINGS_CONTAINER } from '@attune/core'
import type { SlotRules } from '@attune/core/rules'
import type { CosmosConfig } from '../config.ts'
import { CosmosError } from '../cosmos/errors.ts'
import type { Regions } from '../cosmos/regions.ts'
import type { CosmosFetch, CosmosRequest, CosmosResponse } from '../cosmos/request.ts'
import type { Metrics } from '../metrics.ts'

/** Rules of all slots of a site, and the version of the document they are in. */
export interface StoredSlots {
  readonly slots: Readonly<Record<string, SlotRules>>
  /** undefined: there is no document yet */
  readonly etag: string | undefined
}

const DOCUMENT = 'slots'
const TIMEOUT_MS = 3_000

/** One document a site: read with one point read, which costs 1 RU and hardly any bytes while nothing changes. */
export class Settings {
  readonly #fetch: CosmosFetch
  readonly #regions: Regions
  readonly #link: string
  readonly #metrics: Metrics

  constructor(config: CosmosConfig, regions: Regions, cosmosFetch: CosmosFetch, metrics: Metrics) {
    this.#fetch = cosmosFetch
    this.#regions = regions
    this.#metrics = metrics
    this.#link = `dbs/${config.database}/colls/${SETTINGS_CONTAINER.id}`
  }

  /**
   * @param known - the version held; undefined is then answered when it is still the one
   * @throws {CosmosError}
   */
  async read(site: string, known?: string): Promise<StoredSlots | undefined> {
    const link = `${this.#link}/docs/${DOCUMENT}`
    try {
      const answer = await this.#charged({
        ...this.#request(site),
        verb: 'GET',
        link,
        path: link,
        headers: known === undefined ? {} : { 'if-none-match': known },
      })
      if (answer.status === 304) return undefined
      const { slots, _etag: etag } = answer.body as StoredSlots & { readonly _etag: string }
      return { slots, etag }
    } catch (error) {
      if (error instanceof CosmosError && error.code === 'COSMOS_NOT_FOUND')
        return { slots: {}, etag: undefined }
      throw error
    }
  }

  /**
   * @param next - with the version it was made from
   * @returns undefined when somebody else was first
   * @throws {CosmosError}
   */
  async write(site: string, next: StoredSlots, now: number): Promise<StoredSlots | undefined> {
    try {
      const answer = await this.#charged({
        ...this.#request(site),
        verb: 'POST',
        link: this.#link,
        path: `${this.#link}/docs`,
        headers: {
          'content-type': 'application/json',
          ...(next.etag !== undefined && { 'x-ms-documentdb-is-upsert': 'True', 'if-match': next.etag }),
        },
        body: JSON.stringify({ id: DOCUMENT, site, slots: next.slots, updated: now }),
      })
      const { _etag: etag } = answer.body as { readonly _etag: string }
      return { slots: next.slots, etag }
    } catch (error) {
      const lost = error instanceof CosmosError && (error.status === 409 || error.status === 412)
      if (lost) return undefined
      throw error
    }
  }

  /** A document that is not there costs what one that is does. */
  async #charged(request: CosmosRequest): Promise<CosmosResponse> {
    const charge = (ru: number): void => {
      this.#metrics.count('attune_cosmos_calls_total', { operation: 'settings' })
      this.#metrics.count('attune_cosmos_request_units_total', { operation: 'settings' }, ru)
    }
    try {
      const answer = await this.#fetch(request)
      charge(answer.ru)
      return answer
    } catch (error) {
      if (error instanceof CosmosError) charge(error.ru)
      throw error
    }
  }

  #request(site: string): Pick<CosmosRequest, 'endpoint' | 'type' | 'partitionKey' | 'timeoutMs'> {
    return { endpoint: this.#regions.write, type: 'docs', partitionKey: site, timeoutMs: TIMEOUT_MS }
  }
}
