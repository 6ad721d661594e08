import type { DurableObjectState } from '@cloudflare/workers-types'
import { DurableObject } from 'cloudflare:workers'
import type { AppendResult, Pointer } from './store.ts'

/** SQLite values in a Durable Object hold 2 MB at most. */
const PART_BYTES = 1_000_000
/** A response to another isolate holds 32 MiB at most. */
const MAX_READ_BYTES = 16_000_000

/**
 * The one place that says which epoch is active and which deltas follow it, in order. A Durable Object runs one request
 * at a time, so each method is atomic.
 */
export class ModelLog extends DurableObject {
  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env)
    this.#sql(
      'CREATE TABLE IF NOT EXISTS active (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER, activated TEXT)',
    )
    const columns = this.#sql("SELECT name FROM pragma_table_info('active')").map((row) => row['name'])
    if (!columns.includes('newest')) this.#sql('ALTER TABLE active ADD COLUMN newest INTEGER')
    this.#sql('CREATE TABLE IF NOT EXISTS epochs (epoch INTEGER PRIMARY KEY, jws TEXT NOT NULL)')
    this.#sql(
      'CREATE TABLE IF NOT EXISTS deltas (epoch INTEGER, delta INTEGER, part INTEGER, body BLOB, PRIMARY KEY (epoch, delta, part))',
    )
  }

  putManifest(epoch: number, jws: string): void {
    this.#sql('INSERT OR REPLACE INTO epochs (epoch, jws) VALUES (?, ?)', epoch, jws)
  }

  getManifest(epoch: number): string | undefined {
    const jws = this.#sql('SELECT jws FROM epochs WHERE epoch = ?', epoch)[0]?.['jws']
    return typeof jws === 'string' ? jws : undefined
  }

  deleteManifest(epoch: number): void {
    if (this.pointer()?.epoch === epoch) return
    this.#sql('DELETE FROM epochs WHERE epoch = ?', epoch)
    this.#sql('DELETE FROM deltas WHERE epoch = ?', epoch)
  }

  epochs(): number[] {
    return this.#sql('SELECT epoch FROM epochs ORDER BY epoch').map((row) => Number(row['epoch']))
  }

  pointer(): Pointer | undefined {
    const row = this.#sql('SELECT epoch, activated, COALESCE(newest, epoch) AS newest FROM active')[0]
    if (row === undefined) return undefined
    const epoch = Number(row['epoch'])
    const newest = this.#sql('SELECT MAX(delta) AS delta FROM deltas WHERE epoch = ?', epoch)[0]
    return {
      epoch,
      activated: String(row['activated']),
      newest: Number(row['newest']),
      delta: Number(newest?.['delta'] ?? 0),
    }
  }

  activate(epoch: number, at: string): boolean {
    const active = this.pointer()
    if (active !== undefined && active.newest >= epoch) return false
    this.point(epoch, at)
    // Isolates still on the epoch before may ask for its deltas, and an operator may go back to it; older ones are of no use.
    this.#sql('DELETE FROM deltas WHERE epoch NOT IN (?, ?)', epoch, active?.epoch ?? epoch)
    return true
  }

  point(epoch: number, at: string): void {
    const newest = Math.max(this.pointer()?.newest ?? 0, epoch)
    this.#sql(
      'INSERT OR REPLACE INTO active (one, epoch, activated, newest) VALUES (1, ?, ?, ?)',
      epoch,
      at,
      newest,
    )
  }

  appendDelta(epoch: number, delta: number, body: Uint8Array): AppendResult {
    const active = this.pointer()
    if (active?.epoch !== epoch) return 'other-epoch'
    if (delta <= active.delta) return 'exists'
    if (delta !== active.delta + 1) return 'gap'
    this.ctx.storage.transactionSync(() => {
      for (let part = 0; part * PART_BYTES < body.length; part++) {
        const bytes = body.slice(part * PART_BYTES, (part + 1) * PART_BYTES)
        this.#sql(
          'INSERT INTO deltas (epoch, delta, part, body) VALUES (?, ?, ?, ?)',
          epoch,
          delta,
          part,
          bytes.buffer,
        )
      }
    })
    return 'stored'
  }

  deltasAfter(epoch: number, after: number): Uint8Array[] {
    const bodies: Uint8Array[] = []
    let size = 0
    const found = this.#sql(
      'SELECT delta, SUM(LENGTH(body)) AS size FROM deltas WHERE epoch = ? AND delta > ? GROUP BY delta ORDER BY delta',
      epoch,
      after,
    )
    for (const row of found) {
      const bytes = Number(row['size'])
      if (size > 0 && size + bytes > MAX_READ_BYTES) break
      const body = new Uint8Array(bytes)
      let at = 0
      for (const part of this.#sql(
        'SELECT body FROM deltas WHERE epoch = ? AND delta = ? ORDER BY part',
        epoch,
        Number(row['delta']),
      )) {
        const blob = new Uint8Array(part['body'] as ArrayBuffer)
        body.set(blob, at)
        at += blob.length
      }
      bodies.push(body)
      size += bytes
    }
    return bodies
  }

  #sql(query: string, ...values: (string | number | ArrayBuffer)[]): Record<string, unknown>[] {
    return this.ctx.storage.sql.exec(query, ...values).toArray()
  }
}
