import { METADATA_CHARGE } from '../engine/charges.ts'
import { rangeGone } from '../errors.ts'
import { MAX_EPK, MIN_EPK } from '../partition/epk.ts'
import { keyOfHeader, type PartitionKey } from '../partition/key.ts'
import { CHARGE, PARTITION_KEY, RANGE_ID, type Exchange, type Reply } from '../protocol/exchange.ts'
import type { Container, PkRange } from '../store/catalog.ts'
import { rangeRid } from '../store/rid.ts'
import { findContainer } from './containers.ts'

/** `pkranges`: the physical partitions. Clients poll it as a change feed, so an unchanged list is a 304. */
export function readRanges(exchange: Exchange): Reply {
  const container = findContainer(exchange)
  const etag = `"${container.nextRange}-${container.ranges.length}"`
  const headers = {
    etag,
    [CHARGE]: METADATA_CHARGE,
    'x-ms-item-count': container.ranges.length,
    'x-ms-content-path': container.rid,
  }
  if (exchange.header('if-none-match') === etag) return { status: 304, headers }
  const ranges = container.ranges.map((range) => {
    const rid = rangeRid(container.database.num, container.ordinal, range.num)
    return {
      _rid: rid,
      id: range.id,
      _etag: etag,
      minInclusive: range.min,
      maxExclusive: range.max,
      ridPrefix: Number(range.id),
      _self: `dbs/${container.database.rid}/colls/${container.rid}/pkranges/${rid}/`,
      throughputFraction: 1 / container.ranges.length,
      status: 'online',
      parents: range.parents,
      ownedArchivalPKRangeIds: [],
      _ts: container.ts,
      lsn: range.lsn,
    }
  })
  return {
    status: 200,
    headers,
    body: JSON.stringify({ _rid: container.rid, PartitionKeyRanges: ranges, _count: ranges.length }),
  }
}

/** What part of a container a query or feed is about. */
export interface Target {
  readonly min: string
  readonly max: string
  /** Set for one logical partition. */
  readonly epk: string | undefined
  readonly key: PartitionKey | undefined
  /** The client chose a range or key; otherwise the whole container is meant. */
  readonly chosen: boolean
}

const later = (a: string, b: string): string => (a > b ? a : b)
const earlier = (a: string, b: string): string => (a < b ? a : b)

/** @throws {ProtocolError} 410/1002 when the range named has been split or merged */
export function targetOf(exchange: Exchange, container: Container): Target {
  const key = keyOfHeader(exchange.header(PARTITION_KEY))
  if (key !== undefined && key.length > 0) {
    const epk = exchange.account.epkOf(container, key)
    if (key.length < container.key.paths.length) {
      return { min: epk, max: `${epk}FF`, epk: undefined, key, chosen: true }
    }
    return { min: epk, max: `${epk}FF`, epk, key, chosen: true }
  }
  const startEpk = exchange.header('x-ms-start-epk')
  const endEpk = exchange.header('x-ms-end-epk')
  const named = exchange.header(RANGE_ID)?.split(',').at(-1)
  let min = MIN_EPK
  let max = MAX_EPK
  if (named !== undefined && named !== '') {
    const range = container.ranges.find((one) => one.id === named)
    if (range === undefined) throw rangeGone()
    min = range.min
    max = range.max
  }
  if (startEpk !== undefined) min = later(min, startEpk.toUpperCase())
  if (endEpk !== undefined) max = earlier(max, endEpk.toUpperCase())
  const chosen = named !== undefined || startEpk !== undefined || endEpk !== undefined
  return { min, max, epk: undefined, key: undefined, chosen }
}

/** Live ranges that hold some of `[min, max)`. */
export function overlapping(container: Container, min: string, max: string): PkRange[] {
  return container.ranges.filter((range) => range.min < max && min < range.max)
}
