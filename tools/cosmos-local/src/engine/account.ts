import type { DatabaseSync } from 'node:sqlite'
import { ProtocolError, readSessionNotAvailable } from '../errors.ts'
import { effectivePartitionKey } from '../partition/epk.ts'
import type { PartitionKey } from '../partition/key.ts'
import { formatSessionToken, requiredLsn } from '../session-token.ts'
import { Catalog, rangeOf, type Container, type PkRange } from '../store/catalog.ts'
import { ItemStore } from '../store/items.ts'
import type { Region, Replication } from './replication.ts'

export type ConsistencyLevel = 'Strong' | 'BoundedStaleness' | 'Session' | 'ConsistentPrefix' | 'Eventual'

const STRENGTH: readonly string[] = ['Eventual', 'ConsistentPrefix', 'Session', 'BoundedStaleness', 'Strong']

export interface AccountOptions {
  readonly consistency: ConsistencyLevel
  readonly clock: () => number
  /** A planted bug for the checker's own test: reads never look at session tokens. */
  readonly ignoreSessionTokens: boolean
}

/** One account: what is stored, where it has arrived, and how to read and write it. */
export class Account {
  readonly catalog: Catalog
  readonly items: ItemStore
  readonly replication: Replication
  readonly options: AccountOptions
  readonly db: DatabaseSync

  constructor(db: DatabaseSync, replication: Replication, options: AccountOptions) {
    this.db = db
    this.catalog = new Catalog(db)
    this.items = new ItemStore(db)
    this.replication = replication
    this.options = options
  }

  /** The region and version of the last failover, which outlive a restart. */
  restoreTopology(): void {
    const row = this.db.prepare("SELECT value FROM settings WHERE name = 'topology'").get()
    if (row === undefined) return
    const [version, name] = JSON.parse(String(row['value'])) as [number, string]
    const region = this.replication.regions.find((one) => one.name === name)
    if (region !== undefined) this.replication.writeRegion = region
    this.replication.version = version
  }

  /** Another region takes the writes. */
  failOver(to: Region): void {
    const version = this.replication.version + 1
    this.db
      .prepare("INSERT OR REPLACE INTO settings VALUES('topology', ?)")
      .run(JSON.stringify([version, to.name]))
    this.replication.failOver(to)
  }

  nowMs(): number {
    return this.options.clock()
  }

  nowS(): number {
    return Math.floor(this.options.clock() / 1000)
  }

  epkOf(container: Container, key: PartitionKey): string {
    return effectivePartitionKey(key, container.key)
  }

  rangeOf(container: Container, epk: string): PkRange {
    return rangeOf(container, epk)
  }

  sessionToken(range: PkRange, lsn: number): string {
    return formatSessionToken(range, lsn, {
      regions: this.replication.regions.length,
      version: this.replication.version,
      writeRegion: this.replication.writeRegion.id,
    })
  }

  /** Gives `work` the next LSN of a range and commits what it wrote, all or nothing. */
  write<T>(container: Container, range: PkRange, work: (lsn: number) => T): T {
    const before = range.lsn
    const lsn = before + 1
    try {
      const result = this.items.transaction(() => {
        const written = work(lsn)
        range.lsn = lsn
        this.items.advance(container, range)
        return written
      })
      this.replication.send(range, lsn)
      return result
    } catch (error) {
      range.lsn = before
      throw error
    }
  }

  /** The level a request reads at: the account's, or a weaker one that it asks for. */
  consistencyOf(header: string | undefined): ConsistencyLevel {
    const own = this.options.consistency
    if (header === undefined || header === '') return own
    const asked = STRENGTH.indexOf(header)
    if (asked < 0 || asked > STRENGTH.indexOf(own)) {
      throw new ProtocolError(
        400,
        `ConsistencyLevel ${header} specified in the request is invalid when service is configured with consistency level ${own}.`,
      )
    }
    return header as ConsistencyLevel
  }

  /**
   * Where a region reads a range: undefined for everything there is, else the LSN that has arrived.
   * @throws {ProtocolError} 404/1002 when the region has not reached the request's session token
   */
  readPosition(
    region: Region,
    range: PkRange,
    token: string | undefined,
    level: ConsistencyLevel,
  ): number | undefined {
    if (level === 'Strong') return undefined
    const position = this.replication.position(region, range)
    if (this.options.ignoreSessionTokens || level === 'Eventual' || level === 'ConsistentPrefix')
      return position
    if (requiredLsn(token, range) > (position ?? range.lsn)) throw readSessionNotAvailable()
    return position
  }
}
