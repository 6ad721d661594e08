import { CosmosError } from './errors.ts'
import type { CosmosFetch } from './request.ts'

/** What an answer says about Cosmos as a whole; anything else was about one request. */
export type CosmosTrouble = 'COSMOS_UNAVAILABLE' | 'COSMOS_KEY_REFUSED'

/** A request that was answered lately says enough. */
const KNOWN_FOR_MS = 10_000
const PROBE_TIMEOUT_MS = 1_000

/** Whether Cosmos answers, as far as requests that were made anyway tell; asks only when there were none lately. */
export class Reachability {
  readonly #now: () => number
  #knownAt = -Infinity
  #trouble: CosmosTrouble | undefined

  constructor(now: () => number) {
    this.#now = now
  }

  /** The same requests, listened to. */
  watch(cosmosFetch: CosmosFetch): CosmosFetch {
    return async (request) => {
      try {
        const answer = await cosmosFetch(request)
        this.#learn(undefined)
        return answer
      } catch (error) {
        this.#learn(troubleOf(error))
        throw error
      }
    }
  }

  /** @param probe - a request through {@link watch} that costs no RU */
  async trouble(probe: (timeoutMs: number) => Promise<unknown>): Promise<CosmosTrouble | undefined> {
    if (this.#now() - this.#knownAt > KNOWN_FOR_MS) await probe(PROBE_TIMEOUT_MS).catch(() => undefined)
    return this.#trouble
  }

  #learn(trouble: CosmosTrouble | undefined): void {
    this.#knownAt = this.#now()
    this.#trouble = trouble
  }
}

function troubleOf(error: unknown): CosmosTrouble | undefined {
  if (!(error instanceof CosmosError)) return undefined
  if (error.code === 'COSMOS_UNAVAILABLE') return 'COSMOS_UNAVAILABLE'
  return error.status === 401 ? 'COSMOS_KEY_REFUSED' : undefined
}
