import { normalEndpoint, type CosmosConfig } from '../config.ts'
import type { Log } from '../log.ts'
import { CosmosError } from './errors.ts'
import type { CosmosFetch, CosmosResponse } from './request.ts'

interface Location {
  readonly name: string
  readonly endpoint: string
}

const REFRESH_AFTER_MS = 5_000
const ACCOUNT_TIMEOUT_MS = 2_000

/**
 * Which regions there are and which takes writes. Starts from the configured endpoints; the account document, read
 * behind responses once something went wrong or a read region is configured, corrects it after a failover.
 */
export class Regions {
  readonly #config: CosmosConfig
  readonly #fetch: CosmosFetch
  readonly #now: () => number
  /** undefined: in no region that this edge may use. */
  #write: string | undefined
  #readable: readonly string[]
  #wanted: boolean
  #asked = -Infinity
  #unknown: readonly string[] = []
  readonly #log: Log

  constructor(config: CosmosConfig, cosmosFetch: CosmosFetch, now: () => number, log: Log) {
    this.#log = log
    this.#config = config
    this.#fetch = cosmosFetch
    this.#now = now
    this.#write = config.endpoints[0] ?? ''
    this.#readable = config.endpoints
    this.#wanted = config.readRegion !== undefined || config.regions !== undefined
  }

  /** Names of the settings that no region of the account has: misspelt, or the region was taken away. */
  get unknown(): readonly string[] {
    return this.#unknown
  }

  /** Whether the account takes writes where this edge may write, as far as is known. */
  get writable(): boolean {
    return this.#write !== undefined
  }

  /** @throws {CosmosError} `COSMOS_WRITE_FORBIDDEN` when the account takes writes only where this edge may not write */
  get write(): string {
    if (this.#write === undefined) {
      // Perhaps only until the account fails back.
      this.#wanted = true
      throw new CosmosError(
        'COSMOS_WRITE_FORBIDDEN',
        'the account takes writes in no region of COSMOS_REGIONS',
      )
    }
    return this.#write
  }

  /**
   * Endpoints in the order a read tries them: the nearest, the write region, the others. A single region is tried twice,
   * because its other replicas may be further.
   */
  get read(): readonly string[] {
    const order = [...new Set([this.#readable[0], this.#write, ...this.#readable])].filter(
      (endpoint) => endpoint !== undefined,
    )
    return order.length === 1 ? [...order, ...order] : order
  }

  /** Something answered as if the list were wrong: look at the account document when there is time. */
  suspect(): void {
    this.#wanted = true
  }

  /** Reads the account document if that was asked for and not done lately. Never throws. */
  async refresh(): Promise<void> {
    const now = this.#now()
    if (!this.#wanted || now - this.#asked < REFRESH_AFTER_MS) return
    this.#asked = now
    for (const endpoint of new Set([...this.#config.endpoints, ...this.#readable])) {
      try {
        this.#learn((await this.#account(endpoint, ACCOUNT_TIMEOUT_MS)).body)
        this.#wanted = false
        return
      } catch {
        // The next endpoint may know; if none does, the list stays as it was.
      }
    }
  }

  /** Asks the write region for the account document, which costs no RU. @throws {CosmosError} */
  async probe(timeoutMs: number): Promise<void> {
    await this.#account(this.write, timeoutMs)
  }

  #account(endpoint: string, timeoutMs: number): Promise<CosmosResponse> {
    return this.#fetch({ endpoint, verb: 'GET', type: '', link: '', path: '', timeoutMs })
  }

  #learn(account: unknown): void {
    const { writableLocations, readableLocations } = (account ?? {}) as Record<string, unknown>
    const writable = locations(writableLocations)
    const all = locations(readableLocations)
    const allowed = ({ name }: Location): boolean => this.#config.regions?.includes(name) ?? true
    if (writable.length > 0) this.#write = writable.find(allowed)?.endpoint
    if (all.length === 0) return
    this.#lookForUnknown(all.map(({ name }) => name))
    const readable = all.filter(allowed)
    const near = readable.filter(({ name }) => name === this.#config.readRegion)
    // Without a named region the operator's own order stands for what is near.
    const known = this.#config.endpoints.filter((endpoint) =>
      readable.some((location) => location.endpoint === endpoint),
    )
    this.#readable = [
      ...new Set([
        ...near.map(({ endpoint }) => endpoint),
        ...known,
        ...readable.map(({ endpoint }) => endpoint),
      ]),
    ]
  }

  #lookForUnknown(names: readonly string[]): void {
    const { regions = [], readRegion } = this.#config
    const said = readRegion === undefined ? regions : [...new Set([...regions, readRegion])]
    const unknown = said.filter((name) => !names.includes(name))
    if (unknown.length > 0 && unknown.join() !== this.#unknown.join())
      this.#log('warn', 'regions that the account does not have', { unknown, regions: names })
    this.#unknown = unknown
  }
}

function locations(input: unknown): Location[] {
  if (!Array.isArray(input)) return []
  return input.flatMap((entry: unknown) => {
    const { name, databaseAccountEndpoint: endpoint } = (entry ?? {}) as Record<string, unknown>
    if (typeof name !== 'string' || typeof endpoint !== 'string') return []
    return URL.canParse(endpoint) ? [{ name, endpoint: normalEndpoint(endpoint) }] : []
  })
}
