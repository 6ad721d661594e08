import { mkdirSync, readFileSync, writeFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CosmosLocalError } from '../errors.ts'

/** Version of the data folder's layout; a newer one is refused. */
export const FOLDER_VERSION = 1

const SCHEMA = `
CREATE TABLE IF NOT EXISTS databases(
  num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, etag TEXT NOT NULL, ts INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS containers(
  num INTEGER PRIMARY KEY, db INTEGER NOT NULL, ordinal INTEGER NOT NULL, id TEXT NOT NULL,
  etag TEXT NOT NULL, ts INTEGER NOT NULL, definition TEXT NOT NULL, UNIQUE(db, id)
);
CREATE TABLE IF NOT EXISTS ranges(
  num INTEGER PRIMARY KEY, container INTEGER NOT NULL, id TEXT NOT NULL, low TEXT NOT NULL, high TEXT NOT NULL,
  parents TEXT NOT NULL, live INTEGER NOT NULL, lsn INTEGER NOT NULL, docs INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS offers(
  num INTEGER PRIMARY KEY, resource TEXT NOT NULL UNIQUE, etag TEXT NOT NULL, ts INTEGER NOT NULL, content TEXT NOT NULL
);
-- key = range · 2^32 + document number: a physical range is one stretch of the table
CREATE TABLE IF NOT EXISTS items(
  key INTEGER PRIMARY KEY, container INTEGER NOT NULL, epk TEXT NOT NULL, id TEXT NOT NULL, range INTEGER NOT NULL,
  lsn INTEGER NOT NULL, etag TEXT NOT NULL, ts INTEGER NOT NULL, expires INTEGER, op INTEGER NOT NULL,
  previous INTEGER NOT NULL, pk TEXT NOT NULL, body TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS items_by_id ON items(container, epk, id);
CREATE INDEX IF NOT EXISTS items_by_lsn ON items(range, lsn);
CREATE INDEX IF NOT EXISTS items_by_expiry ON items(expires) WHERE expires IS NOT NULL;
-- what an item was before it was replaced or deleted: for regions that lag, and for all-versions change feeds
CREATE TABLE IF NOT EXISTS history(
  num INTEGER PRIMARY KEY, key INTEGER NOT NULL, container INTEGER NOT NULL, epk TEXT NOT NULL, id TEXT NOT NULL,
  range INTEGER NOT NULL, lsn INTEGER NOT NULL, end_lsn INTEGER NOT NULL, end_op INTEGER NOT NULL,
  end_ts INTEGER NOT NULL, ts INTEGER NOT NULL, op INTEGER NOT NULL, previous INTEGER NOT NULL,
  pk TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS history_by_lsn ON history(range, lsn);
CREATE INDEX IF NOT EXISTS history_by_end ON history(range, end_lsn);
CREATE INDEX IF NOT EXISTS history_by_id ON history(container, epk, id);
CREATE TABLE IF NOT EXISTS unique_values(
  container INTEGER NOT NULL, epk TEXT NOT NULL, value TEXT NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY(container, epk, value)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
`

export interface OpenOptions {
  /** Absent: everything in memory, gone when closed. */
  readonly folder: string | undefined
  /**
   * `normal`: an acknowledged write survives the death of the process (`kill -9`); `full`: also the loss of power,
   * at the price of one disk flush for each write.
   */
  readonly synchronous: 'normal' | 'full'
}

/** Opens the data folder, made when absent, or a database in memory. */
export function openDatabase(options: OpenOptions): DatabaseSync {
  if (options.folder !== undefined) checkVersion(options.folder)
  const db = new DatabaseSync(
    options.folder === undefined ? ':memory:' : join(options.folder, 'cosmos.sqlite'),
  )
  try {
    db.exec(`
      PRAGMA busy_timeout = 2000;
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${options.synchronous === 'full' ? 'FULL' : 'NORMAL'};
      PRAGMA wal_autocheckpoint = 4000;
      PRAGMA cache_size = -65536;
      PRAGMA temp_store = MEMORY;
    `)
    db.exec('BEGIN IMMEDIATE')
    db.exec(SCHEMA)
    db.exec('COMMIT')
  } catch (cause) {
    db.close()
    if (cause instanceof Error && /locked|busy/i.test(cause.message)) {
      throw new CosmosLocalError(
        'COSMOS_FOLDER_IN_USE',
        `${options.folder ?? 'memory'}: another process has this data folder open; stop it or choose another folder`,
        { cause },
      )
    }
    throw cause
  }
  return db
}

function checkVersion(folder: string): void {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'version.json')
  if (!existsSync(file)) {
    writeFileSync(file, `${JSON.stringify({ cosmosLocal: FOLDER_VERSION })}\n`)
    return
  }
  const found: unknown = JSON.parse(readFileSync(file, 'utf8'))
  const version =
    typeof found === 'object' && found !== null && 'cosmosLocal' in found ? found.cosmosLocal : undefined
  if (typeof version !== 'number' || version > FOLDER_VERSION) {
    throw new CosmosLocalError(
      'COSMOS_FOLDER_VERSION',
      `${folder}: expected a data folder of version ${FOLDER_VERSION} or older, found ${String(version)}`,
    )
  }
}
