import type { DatabaseSync } from 'node:sqlite'
import type { JsonObject } from '../json.ts'
import type { PartitionKeyDefinition } from '../partition/key.ts'
import { containerRid, databaseRid } from './rid.ts'

export interface Database {
  readonly num: number
  readonly id: string
  readonly rid: string
  readonly etag: string
  readonly ts: number
  readonly containers: Map<string, Container>
}

/** One physical partition: a stretch of effective partition keys with a log sequence number of its own. */
export interface PkRange {
  /** Unique in the whole account; the upper half of its items' keys. */
  readonly num: number
  /** Unique in its container: what SDKs call the range. */
  readonly id: string
  readonly min: string
  readonly max: string
  /** Every range that this one came from, oldest first. */
  readonly parents: readonly string[]
  lsn: number
}

export interface Container {
  readonly num: number
  readonly ordinal: number
  readonly id: string
  readonly rid: string
  readonly database: Database
  etag: string
  ts: number
  definition: JsonObject
  readonly key: PartitionKeyDefinition
  /** Seconds; -1: items may expire but do not by themselves; undefined: TTL is off. */
  defaultTtl: number | undefined
  readonly uniqueKeys: readonly (readonly string[])[]
  /** The part of the write charge that goes by indexed paths: 1 where all are indexed. */
  indexedPaths: number | 'all'
  /** Live ranges in the order of their keys. */
  ranges: PkRange[]
  nextRange: number
  nextDocument: number
}

export interface Offer {
  readonly num: number
  /** Rid of the database or container. */
  readonly resource: string
  etag: string
  ts: number
  content: JsonObject
}

/** Databases, containers, ranges and offers: held in memory, kept in SQLite. */
export class Catalog {
  readonly databases: Map<string, Database> = new Map<string, Database>()
  readonly containersByRid: Map<string, Container> = new Map<string, Container>()
  readonly databasesByRid: Map<string, Database> = new Map<string, Database>()
  readonly offers: Map<string, Offer> = new Map<string, Offer>()
  nextDatabase = 1
  nextContainer = 1
  nextRangeNum = 1
  nextOffer = 1
  readonly #db: DatabaseSync

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#load()
  }

  #load(): void {
    const byNum = new Map<number, Database>()
    for (const row of this.#db.prepare('SELECT num, id, etag, ts FROM databases ORDER BY num').all()) {
      const num = Number(row['num'])
      const database: Database = {
        num,
        id: String(row['id']),
        rid: databaseRid(num),
        etag: String(row['etag']),
        ts: Number(row['ts']),
        containers: new Map(),
      }
      byNum.set(num, database)
      this.#hold(database)
    }
    for (const row of this.#db.prepare('SELECT * FROM containers ORDER BY num').all()) {
      const database = byNum.get(Number(row['db']))
      if (database === undefined) continue
      const definition = JSON.parse(String(row['definition'])) as JsonObject
      const container = describe(database, Number(row['num']), Number(row['ordinal']), definition)
      container.etag = String(row['etag'])
      container.ts = Number(row['ts'])
      this.#loadRanges(container)
      this.#holdContainer(container)
    }
    for (const row of this.#db.prepare('SELECT * FROM offers ORDER BY num').all()) {
      const offer: Offer = {
        num: Number(row['num']),
        resource: String(row['resource']),
        etag: String(row['etag']),
        ts: Number(row['ts']),
        content: JSON.parse(String(row['content'])) as JsonObject,
      }
      this.offers.set(offer.resource, offer)
      this.nextOffer = offer.num + 1
    }
  }

  #loadRanges(container: Container): void {
    const rows = this.#db.prepare('SELECT * FROM ranges WHERE container = ? ORDER BY low').all(container.num)
    for (const row of rows) {
      const num = Number(row['num'])
      this.nextRangeNum = Math.max(this.nextRangeNum, num + 1)
      container.nextRange = Math.max(container.nextRange, Number(row['id']) + 1)
      container.nextDocument = Math.max(container.nextDocument, Number(row['docs']) + 1)
      if (Number(row['live']) !== 1) continue
      container.ranges.push({
        num,
        id: String(row['id']),
        min: String(row['low']),
        max: String(row['high']),
        parents: JSON.parse(String(row['parents'])) as string[],
        lsn: Number(row['lsn']),
      })
    }
  }

  #hold(database: Database): void {
    this.databases.set(database.id, database)
    this.databasesByRid.set(database.rid, database)
    this.nextDatabase = Math.max(this.nextDatabase, database.num + 1)
  }

  #holdContainer(container: Container): void {
    container.database.containers.set(container.id, container)
    this.containersByRid.set(container.rid, container)
    this.nextContainer = Math.max(this.nextContainer, container.num + 1)
  }

  addDatabase(id: string, etag: string, ts: number): Database {
    const num = this.nextDatabase++
    const database: Database = { num, id, rid: databaseRid(num), etag, ts, containers: new Map() }
    this.#db.prepare('INSERT INTO databases VALUES(?, ?, ?, ?)').run(num, id, etag, ts)
    this.#hold(database)
    return database
  }

  removeDatabase(database: Database): void {
    for (const container of database.containers.values()) this.removeContainer(container)
    this.#db.prepare('DELETE FROM databases WHERE num = ?').run(database.num)
    this.databases.delete(database.id)
    this.databasesByRid.delete(database.rid)
    this.removeOffer(database.rid)
  }

  addContainer(database: Database, definition: JsonObject, etag: string, ts: number): Container {
    const num = this.nextContainer++
    const container = describe(database, num, num, definition)
    container.etag = etag
    container.ts = ts
    this.#db
      .prepare('INSERT INTO containers VALUES(?, ?, ?, ?, ?, ?, ?)')
      .run(num, database.num, num, container.id, etag, ts, JSON.stringify(definition))
    this.#holdContainer(container)
    return container
  }

  changeContainer(container: Container, definition: JsonObject, etag: string, ts: number): void {
    const described = describe(container.database, container.num, container.ordinal, definition)
    container.definition = definition
    container.defaultTtl = described.defaultTtl
    container.indexedPaths = described.indexedPaths
    container.etag = etag
    container.ts = ts
    this.#db
      .prepare('UPDATE containers SET etag = ?, ts = ?, definition = ? WHERE num = ?')
      .run(etag, ts, JSON.stringify(definition), container.num)
  }

  removeContainer(container: Container): void {
    this.#db.prepare('DELETE FROM containers WHERE num = ?').run(container.num)
    for (const table of ['ranges', 'items', 'history', 'unique_values']) {
      this.#db.prepare(`DELETE FROM ${table} WHERE container = ?`).run(container.num)
    }
    container.database.containers.delete(container.id)
    this.containersByRid.delete(container.rid)
    this.removeOffer(container.rid)
  }

  addRange(
    container: Container,
    range: { min: string; max: string; parents: readonly string[]; lsn: number },
  ): PkRange {
    const added: PkRange = { num: this.nextRangeNum++, id: String(container.nextRange++), ...range }
    this.#db
      .prepare('INSERT INTO ranges VALUES(?, ?, ?, ?, ?, ?, 1, ?, ?)')
      .run(
        added.num,
        container.num,
        added.id,
        added.min,
        added.max,
        JSON.stringify(added.parents),
        added.lsn,
        container.nextDocument,
      )
    container.ranges = [...container.ranges, added].sort((a, b) => (a.min < b.min ? -1 : 1))
    return added
  }

  retireRange(container: Container, range: PkRange): void {
    this.#db.prepare('UPDATE ranges SET live = 0 WHERE num = ?').run(range.num)
    container.ranges = container.ranges.filter((other) => other !== range)
  }

  setOffer(resource: string, content: JsonObject, etag: string, ts: number): Offer {
    const known = this.offers.get(resource)
    const offer: Offer = { num: known?.num ?? this.nextOffer++, resource, etag, ts, content }
    this.offers.set(resource, offer)
    this.#db
      .prepare('INSERT OR REPLACE INTO offers VALUES(?, ?, ?, ?, ?)')
      .run(offer.num, resource, etag, ts, JSON.stringify(content))
    return offer
  }

  removeOffer(resource: string): void {
    this.offers.delete(resource)
    this.#db.prepare('DELETE FROM offers WHERE resource = ?').run(resource)
  }
}

function describe(database: Database, num: number, ordinal: number, definition: JsonObject): Container {
  const key = definition['partitionKey'] as JsonObject
  const unique = (definition['uniqueKeyPolicy'] as { uniqueKeys?: { paths?: string[] }[] } | undefined)
    ?.uniqueKeys
  const ttl = definition['defaultTtl']
  return {
    num,
    ordinal,
    id: String(definition['id']),
    rid: containerRid(database.num, ordinal),
    database,
    etag: '',
    ts: 0,
    definition,
    key: {
      paths: key['paths'] as string[],
      kind: key['kind'] === 'MultiHash' ? 'MultiHash' : 'Hash',
      version: key['version'] === 2 ? 2 : 1,
    },
    defaultTtl: typeof ttl === 'number' ? ttl : undefined,
    uniqueKeys: unique?.map((one) => one.paths ?? []) ?? [],
    indexedPaths: countIndexedPaths(definition['indexingPolicy'] as JsonObject | undefined),
    ranges: [],
    nextRange: 0,
    nextDocument: 1,
  }
}

function countIndexedPaths(policy: JsonObject | undefined): number | 'all' {
  if (policy === undefined) return 'all'
  if (policy['indexingMode'] === 'none') return 0
  const included = Array.isArray(policy['includedPaths'])
    ? (policy['includedPaths'] as { path?: string }[])
    : []
  return included.some(({ path }) => path === '/*' || path === '/') ? 'all' : included.length
}

/** The live range that holds a key. */
export function rangeOf(container: Container, epk: string): PkRange {
  const ranges = container.ranges
  let low = 0
  let high = ranges.length - 1
  while (low < high) {
    const mid = (low + high + 1) >> 1
    if (epk >= (ranges[mid]?.min ?? '')) low = mid
    else high = mid - 1
  }
  const range = ranges[low]
  if (range === undefined) throw new Error(`container ${container.id} has no range for ${epk}`)
  return range
}
