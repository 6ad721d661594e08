import type { Container } from '../store/catalog.ts'

/**
 * Published request charges (RU) of point reads and writes by item size, session consistency.
 * https://learn.microsoft.com/azure/cosmos-db/key-value-store-cost
 */
const READ: readonly (readonly [kb: number, ru: number])[] = [
  [1, 1],
  [2, 1.04],
  [4, 1.14],
  [8, 1.33],
  [16, 1.67],
  [64, 4.76],
]
const WRITE: readonly (readonly [kb: number, ru: number])[] = [
  [1, 4.95],
  [2, 6.29],
  [4, 6.67],
  [8, 7.04],
  [16, 9.52],
  [64, 22.67],
]

/** Straight lines between the published sizes, the last one continued. */
function byTable(table: typeof READ, bytes: number): number {
  const kb = bytes / 1024
  const first = table[0] ?? [1, 1]
  if (kb <= first[0]) return first[1]
  for (let i = 1; i < table.length; i++) {
    const [lowKb, lowRu] = table[i - 1] ?? first
    const [highKb, highRu] = table[i] ?? first
    if (kb <= highKb || i === table.length - 1)
      return lowRu + ((kb - lowKb) / (highKb - lowKb)) * (highRu - lowRu)
  }
  return first[1]
}

export const round = (ru: number): number => Math.round(ru * 100) / 100

/** Published. Strong and bounded-staleness reads cost twice as much. */
export function readCharge(bytes: number, strong = false): number {
  return round(byTable(READ, bytes) * (strong ? 2 : 1))
}

/** Share of a write that goes into the index of a small item: modelled. */
const INDEX_SHARE = 0.45
const TYPICAL_PATHS = 10

/** Published where every path is indexed; modelled where fewer are. */
export function writeCharge(bytes: number, container: Container): number {
  const full = byTable(WRITE, bytes)
  if (container.indexedPaths === 'all') return round(full)
  const indexed = Math.min(1, container.indexedPaths / TYPICAL_PATHS)
  return round(full * (1 - INDEX_SHARE * (1 - indexed)))
}

/** Modelled: a patch costs its write and a little for the read before it. */
export function patchCharge(bytes: number, container: Container): number {
  return round(writeCharge(bytes, container) + 0.4 * readCharge(bytes))
}

/** Modelled: a start, what is read of documents, and what is given back. */
export function queryCharge(documentsRead: number, bytesRead: number, bytesReturned: number): number {
  return round(2.28 + 0.03 * documentsRead + (0.12 * bytesRead) / 1024 + (0.06 * bytesReturned) / 1024)
}

/** Modelled: a page of a feed. */
export function feedCharge(bytesReturned: number): number {
  return round(1 + (0.35 * bytesReturned) / 1024)
}

/** Charge of reading or writing a database, container or offer: modelled. */
export const METADATA_CHARGE = 1
/** What Azure charges for a point read that finds nothing. */
export const MISS_CHARGE = 1
