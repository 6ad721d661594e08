import { middle } from '../partition/epk.ts'
import type { Container, PkRange } from '../store/catalog.ts'
import { KEYS_PER_RANGE } from '../store/items.ts'
import type { Account } from './account.ts'

const TABLES = ['items', 'history'] as const

/** Cuts a range in two. Its children go on from its LSN, so every token and continuation stays good. */
export function splitRange(account: Account, container: Container, range: PkRange): [PkRange, PkRange] {
  const cut = middle(range.min, range.max, container.key)
  if (!(range.min < cut && cut < range.max)) throw new RangeError(`range ${range.id} is too small to split`)
  const parents = [...range.parents, range.id]
  const children = account.items.transaction((): [PkRange, PkRange] => {
    account.catalog.retireRange(container, range)
    const low = account.catalog.addRange(container, { min: range.min, max: cut, parents, lsn: range.lsn })
    const high = account.catalog.addRange(container, { min: cut, max: range.max, parents, lsn: range.lsn })
    for (const table of TABLES) {
      account.db.prepare(move(table, 'AND epk >= ?')).run(...moved(range, high), cut)
      account.db.prepare(move(table, '')).run(...moved(range, low))
    }
    return [low, high]
  })
  account.replication.split(range, children)
  return children
}

/** Joins two neighbours. Writes reach every region first: their numbers have no meaning in the joined range. */
export function mergeRanges(account: Account, container: Container, left: PkRange, right: PkRange): PkRange {
  if (left.max !== right.min) throw new RangeError(`ranges ${left.id} and ${right.id} are not neighbours`)
  const merged = account.items.transaction(() => {
    account.catalog.retireRange(container, left)
    account.catalog.retireRange(container, right)
    const joined = account.catalog.addRange(container, {
      min: left.min,
      max: right.max,
      parents: [...left.parents, left.id, ...right.parents, right.id],
      lsn: Math.max(left.lsn, right.lsn),
    })
    for (const table of TABLES) {
      for (const part of [left, right]) account.db.prepare(move(table, '')).run(...moved(part, joined))
    }
    return joined
  })
  account.replication.settle([left, right])
  return merged
}

const move = (table: (typeof TABLES)[number], more: string): string =>
  `UPDATE ${table} SET range = ?, key = ? + (key % ${KEYS_PER_RANGE}) WHERE range = ? ${more}`

const moved = (from: PkRange, to: PkRange): [number, number, number] => [
  to.num,
  to.num * KEYS_PER_RANGE,
  from.num,
]
