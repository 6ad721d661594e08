import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Container, PkRange } from './catalog.ts'

export const CREATED = 0
export const REPLACED = 1
export const DELETED = 2
export const EXPIRED = 3

/** Documents of a range have keys from `range · KEYS_PER_RANGE`. */
export const KEYS_PER_RANGE: number = 2 ** 32

/** An item as stored; `body` is the whole JSON text with its system properties. */
export interface StoredItem {
  readonly key: number
  readonly epk: string
  readonly id: string
  readonly range: number
  readonly lsn: number
  readonly etag: string
  readonly ts: number
  readonly expires: number | null
  readonly op: number
  /** LSN of the version before this one; 0 for the first. */
  readonly previous: number
  readonly pk: string
  readonly body: string
}

/** What a point read gives back. */
export type ReadItem = Pick<StoredItem, 'lsn' | 'etag' | 'expires' | 'body'>

/** One row of a scan: enough to answer a query or a feed. */
export interface ScannedItem {
  readonly key: number
  readonly epk: string
  readonly lsn: number
  readonly body: string
}

/** One operation of an all-versions change feed. */
export interface LoggedOperation {
  readonly lsn: number
  readonly op: number
  readonly ts: number
  readonly epk: string
  readonly id: string
  readonly pk: string
  /** The version written; for deletes the version deleted. */
  readonly body: string
  readonly previous: number
}

/** What part of a container a scan covers. */
export interface Scope {
  readonly container: Container
  readonly range: PkRange
  /** One logical partition. */
  readonly epk?: string | undefined
  /** A stretch of keys: the feed range of a client, or a prefix of a hierarchical key. */
  readonly minEpk?: string | undefined
  readonly maxEpk?: string | undefined
}

const COLUMNS = 'key, epk, id, range, lsn, etag, ts, expires, op, previous, pk, body'
const LIVE = '(expires IS NULL OR expires > ?)'

/** Items and their former versions in SQLite; every statement prepared once. */
export class ItemStore {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #get: StatementSync
  readonly #read: StatementSync
  readonly #insert: StatementSync
  readonly #update: StatementSync
  readonly #delete: StatementSync
  readonly #advance: StatementSync
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #rollback: StatementSync
  readonly #keep: StatementSync
  #depth = 0

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#get = db.prepare(`SELECT ${COLUMNS} FROM items WHERE container = ? AND epk = ? AND id = ?`)
    this.#read = db.prepare(
      'SELECT lsn, etag, expires, body FROM items WHERE container = ? AND epk = ? AND id = ?',
    )
    this.#insert = db.prepare('INSERT INTO items VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    this.#update = db.prepare(
      'UPDATE items SET lsn = ?, etag = ?, ts = ?, expires = ?, op = 1, previous = ?, body = ? WHERE key = ?',
    )
    this.#delete = db.prepare('DELETE FROM items WHERE key = ?')
    this.#advance = db.prepare('UPDATE ranges SET lsn = ?, docs = ? WHERE num = ?')
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
    this.#rollback = db.prepare('ROLLBACK')
    this.#keep = db.prepare(
      `INSERT INTO history(key, container, epk, id, range, lsn, end_lsn, end_op, end_ts, ts, op, previous, pk, body)
       VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
  }

  prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) this.#statements.set(sql, (statement = this.#db.prepare(sql)))
    return statement
  }

  /** All of it or nothing of it; inside another transaction, part of that one. */
  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return work()
    this.#depth++
    this.#begin.run()
    try {
      const result = work()
      this.#commit.run()
      return result
    } catch (error) {
      this.#rollback.run()
      throw error
    } finally {
      this.#depth--
    }
  }

  /** A point inside a transaction to go back to. */
  savepoint(): { release(): void; rollback(): void } {
    this.prepared('SAVEPOINT step').run()
    return {
      release: () => void this.prepared('RELEASE step').run(),
      rollback: () => {
        this.prepared('ROLLBACK TO step').run()
        this.prepared('RELEASE step').run()
      },
    }
  }

  get(container: Container, epk: string, id: string): StoredItem | undefined {
    return this.#get.get(container.num, epk, id) as StoredItem | undefined
  }

  /** The current version, only what an answer needs of it. */
  read(container: Container, epk: string, id: string): ReadItem | undefined {
    return this.#read.get(container.num, epk, id) as ReadItem | undefined
  }

  /** The version that was current when the range stood at `lsn`, for a region that is behind. */
  getAsOf(container: Container, epk: string, id: string, lsn: number): StoredItem | undefined {
    const current = this.get(container, epk, id)
    if (current !== undefined && current.lsn <= lsn) return current
    return this.prepared(
      `SELECT key, epk, id, range, lsn, '' AS etag, ts, NULL AS expires, op, previous, pk, body FROM history
       WHERE container = ? AND epk = ? AND id = ? AND lsn <= ? AND end_lsn > ? ORDER BY end_lsn DESC LIMIT 1`,
    ).get(container.num, epk, id, lsn, lsn) as StoredItem | undefined
  }

  insert(container: Container, item: StoredItem): void {
    this.#insert.run(
      item.key,
      container.num,
      item.epk,
      item.id,
      item.range,
      item.lsn,
      item.etag,
      item.ts,
      item.expires,
      item.op,
      item.previous,
      item.pk,
      item.body,
    )
  }

  replace(container: Container, old: StoredItem, item: StoredItem): void {
    this.#remember(container, old, item.lsn, REPLACED, item.ts)
    this.#update.run(item.lsn, item.etag, item.ts, item.expires, old.lsn, item.body, old.key)
  }

  remove(
    container: Container,
    old: StoredItem,
    lsn: number,
    op: typeof DELETED | typeof EXPIRED,
    ts: number,
  ): void {
    this.#remember(container, old, lsn, op, ts)
    this.#delete.run(old.key)
  }

  #remember(container: Container, old: StoredItem, endLsn: number, endOp: number, endTs: number): void {
    this.#keep.run(
      old.key,
      container.num,
      old.epk,
      old.id,
      old.range,
      old.lsn,
      endLsn,
      endOp,
      endTs,
      old.ts,
      old.op,
      old.previous,
      old.pk,
      old.body,
    )
  }

  /** Writes down how far a range has come. */
  advance(container: Container, range: PkRange): void {
    this.#advance.run(range.lsn, container.nextDocument - 1, range.num)
  }

  /**
   * Up to `limit` items of a scope in document order, after `after`; where `asOf` is given, as they were when the
   * range stood there.
   */
  scan(scope: Scope, now: number, after: number, limit: number, asOf?: number): ScannedItem[] {
    const { where, values } = scopeWhere(scope)
    if (asOf === undefined) {
      const order = scope.epk === undefined ? 'ORDER BY key LIMIT ?' : ''
      const sql = `SELECT key, epk, lsn, body FROM items WHERE ${where} AND key > ? AND ${LIVE} ${order}`
      const bound = [...values, after, now]
      if (scope.epk === undefined) return this.prepared(sql).all(...bound, limit) as unknown as ScannedItem[]
      const rows = this.prepared(sql).all(...bound) as unknown as ScannedItem[]
      rows.sort((a, b) => a.key - b.key)
      return rows.length > limit ? rows.slice(0, limit) : rows
    }
    return this.prepared(
      `SELECT key, epk, lsn, body FROM items WHERE ${where} AND lsn <= ? AND key > ? AND ${LIVE}
       UNION ALL
       SELECT key, epk, lsn, body FROM history WHERE ${where.replace(BY_KEY, BY_RANGE)} AND lsn <= ? AND end_lsn > ? AND key > ?
       ORDER BY key LIMIT ?`,
    ).all(
      ...values,
      asOf,
      after,
      now,
      ...(scope.epk === undefined ? [scope.range.num, ...values.slice(2)] : values),
      asOf,
      asOf,
      after,
      limit,
    ) as unknown as ScannedItem[]
  }

  /** Latest-version change feed: items of a scope changed after `lsn`, oldest change first, whole LSNs only. */
  changes(scope: Scope, now: number, lsn: number, upTo: number, since: number, limit: number): ScannedItem[] {
    const { where, values } = feedWhere(scope)
    const sql = `SELECT key, epk, lsn, body FROM items
      WHERE ${where} AND lsn > ? AND lsn <= ? AND ts >= ? AND ${LIVE} ORDER BY lsn, key LIMIT ?`
    const rows = this.prepared(sql).all(...values, lsn, upTo, since, now, limit) as unknown as ScannedItem[]
    const last = rows.at(-1)
    if (rows.length < limit || last === undefined) return rows
    // A transactional batch is one LSN: the page ends where an LSN ends.
    const rest = this.prepared(sql).all(
      ...values,
      last.lsn - 1,
      last.lsn,
      since,
      now,
      -1,
    ) as unknown as ScannedItem[]
    return [...rows.filter((row) => row.lsn < last.lsn), ...rest]
  }

  /** The same for a region that is behind: each item as the region knows it. */
  changesAsOf(scope: Scope, lsn: number, upTo: number, since: number, limit: number): ScannedItem[] {
    const { where, values } = feedWhere(scope)
    const sql = `
      SELECT key, epk, lsn, body FROM items WHERE ${where} AND lsn > ? AND lsn <= ? AND ts >= ?
      UNION ALL
      SELECT key, epk, lsn, body FROM history WHERE ${where} AND lsn > ? AND lsn <= ? AND ts >= ? AND end_lsn > ?
      ORDER BY lsn, key LIMIT ?`
    const read = (from: number, to: number, most: number): ScannedItem[] =>
      this.prepared(sql).all(
        ...values,
        from,
        to,
        since,
        ...values,
        from,
        to,
        since,
        upTo,
        most,
      ) as unknown as ScannedItem[]
    const rows = read(lsn, upTo, limit)
    const last = rows.at(-1)
    if (rows.length < limit || last === undefined) return rows
    return [...rows.filter((row) => row.lsn < last.lsn), ...read(last.lsn - 1, last.lsn, -1)]
  }

  /** All-versions change feed: every create, replace and delete after `lsn`. */
  operations(scope: Scope, lsn: number, upTo: number, limit: number): LoggedOperation[] {
    const { where, values } = feedWhere(scope)
    const sql = `
      SELECT lsn, op, ts, epk, id, pk, body, previous, key FROM items WHERE ${where} AND lsn > ? AND lsn <= ?
      UNION ALL
      SELECT lsn, op, ts, epk, id, pk, body, previous, key FROM history WHERE ${where} AND lsn > ? AND lsn <= ?
      UNION ALL
      SELECT end_lsn AS lsn, end_op AS op, end_ts AS ts, epk, id, pk, body, lsn AS previous, key FROM history
        WHERE ${where} AND end_op >= 2 AND end_lsn > ? AND end_lsn <= ?
      ORDER BY lsn, key LIMIT ?`
    const read = (from: number, to: number, most: number): LoggedOperation[] => {
      const bound = [...values, from, to]
      return this.prepared(sql).all(...bound, ...bound, ...bound, most) as unknown as LoggedOperation[]
    }
    const rows = read(lsn, upTo, limit)
    const last = rows.at(-1)
    if (rows.length < limit || last === undefined) return rows
    return [...rows.filter((row) => row.lsn < last.lsn), ...read(last.lsn - 1, last.lsn, -1)]
  }

  /** The version that a replace or delete at `lsn` put an end to. */
  versionBefore(container: Container, epk: string, id: string, lsn: number): string | undefined {
    const row = this.prepared(
      'SELECT body FROM history WHERE container = ? AND epk = ? AND id = ? AND end_lsn = ? ORDER BY num DESC LIMIT 1',
    ).get(container.num, epk, id, lsn)
    return row === undefined ? undefined : String(row['body'])
  }

  expired(now: number, limit: number): (StoredItem & { container: number })[] {
    return this.prepared(
      `SELECT ${COLUMNS}, container FROM items WHERE expires IS NOT NULL AND expires <= ? ORDER BY expires LIMIT ?`,
    ).all(now, limit) as unknown as (StoredItem & { container: number })[]
  }

  /** Forgets former versions that ended before `ts`. They are numbered as they ended: the old ones come first. */
  prune(ts: number): void {
    const [oldest] = this.prepared('SELECT num, end_ts FROM history ORDER BY num LIMIT 1').all()
    if (oldest === undefined || Number(oldest['end_ts']) >= ts) return
    const kept = this.prepared('SELECT num FROM history WHERE end_ts >= ? ORDER BY num LIMIT 1').get(ts)
    this.prepared('DELETE FROM history WHERE num < ?').run(Number(kept?.['num'] ?? Number.MAX_SAFE_INTEGER))
  }

  count(range: PkRange): { items: number; bytes: number } {
    const row = this.prepared(
      'SELECT count(*) AS items, coalesce(sum(length(body)), 0) AS bytes FROM items WHERE key >= ? AND key < ?',
    ).get(range.num * KEYS_PER_RANGE, (range.num + 1) * KEYS_PER_RANGE)
    return { items: Number(row?.['items'] ?? 0), bytes: Number(row?.['bytes'] ?? 0) }
  }
}

const BY_KEY = 'key >= ? AND key < ?'
const BY_RANGE = 'range = ?'

function scopeWhere(scope: Scope): { where: string; values: (string | number)[] } {
  if (scope.epk !== undefined) {
    return { where: 'container = ? AND epk = ?', values: [scope.container.num, scope.epk] }
  }
  const values: (string | number)[] = [
    scope.range.num * KEYS_PER_RANGE,
    (scope.range.num + 1) * KEYS_PER_RANGE,
  ]
  return narrowed(scope, BY_KEY, values)
}

function feedWhere(scope: Scope): { where: string; values: (string | number)[] } {
  if (scope.epk !== undefined) {
    return { where: 'container = ? AND epk = ?', values: [scope.container.num, scope.epk] }
  }
  return narrowed(scope, BY_RANGE, [scope.range.num])
}

function narrowed(
  scope: Scope,
  where: string,
  values: (string | number)[],
): { where: string; values: (string | number)[] } {
  if (scope.minEpk !== undefined && scope.minEpk !== '') {
    where += ' AND epk >= ?'
    values.push(scope.minEpk)
  }
  if (scope.maxEpk !== undefined && scope.maxEpk !== 'FF') {
    where += ' AND epk < ?'
    values.push(scope.maxEpk)
  }
  return { where, values }
}
