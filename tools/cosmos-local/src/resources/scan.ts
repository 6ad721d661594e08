import { CONSISTENCY, SESSION_TOKEN, type Exchange } from '../protocol/exchange.ts'
import type { Container, PkRange } from '../store/catalog.ts'
import { KEYS_PER_RANGE, type ScannedItem } from '../store/items.ts'
import { nextRange, type Continuation, type Pending } from './continuation.ts'
import type { Target } from './ranges.ts'

const ROWS_AT_A_TIME = 200

/** Goes over the documents of a target in order, range by range, remembering how far it came. */
export class Scan {
  /** What is left to read after the documents visited so far. */
  readonly pending: Pending[]
  /** The LSN at which each range was read. */
  readonly positions: Map<PkRange, number> = new Map<PkRange, number>()
  documents = 0
  bytes = 0
  readonly #exchange: Exchange
  readonly #container: Container
  readonly #target: Target

  constructor(exchange: Exchange, container: Container, target: Target, continuation: Continuation) {
    this.#exchange = exchange
    this.#container = container
    this.#target = target
    this.pending = continuation.pending
  }

  /** Visits documents until `visit` answers false: that document counts as not yet read. */
  run(visit: (item: ScannedItem) => boolean): void {
    const { account, region } = this.#exchange
    const level = account.consistencyOf(this.#exchange.header(CONSISTENCY))
    const now = account.nowS()
    for (
      let next = nextRange(this.#container, this.pending);
      next !== undefined;
      next = nextRange(this.#container, this.pending)
    ) {
      const { range, stretch } = next
      const asOf = account.readPosition(region, range, this.#exchange.header(SESSION_TOKEN), level)
      this.positions.set(range, asOf ?? range.lsn)
      const base = range.num * KEYS_PER_RANGE
      const scope = { container: this.#container, range, epk: this.#target.epk, ...bounds(stretch, range) }
      for (;;) {
        const limit = scope.epk === undefined ? ROWS_AT_A_TIME : Number.MAX_SAFE_INTEGER
        const rows = account.items.scan(scope, now, base + stretch.document, limit, asOf)
        for (const row of rows) {
          this.documents++
          this.bytes += row.body.length
          if (!visit(row)) return
          stretch.document = row.key - base
        }
        if (rows.length < limit) break
      }
      this.pending.shift()
    }
  }

  /** The session tokens of all ranges read, joined. */
  sessionToken(): string {
    const { account } = this.#exchange
    return [...this.positions].map(([range, lsn]) => account.sessionToken(range, lsn)).join(',')
  }
}

/** Only what the range itself does not say already. */
function bounds(
  stretch: Pending,
  range: PkRange,
): { minEpk: string | undefined; maxEpk: string | undefined } {
  return {
    minEpk: stretch.min > range.min ? stretch.min : undefined,
    maxEpk: stretch.max < range.max ? stretch.max : undefined,
  }
}
