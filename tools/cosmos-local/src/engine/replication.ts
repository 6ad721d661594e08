import type { Container, PkRange } from '../store/catalog.ts'

/** How long a write takes to reach a region: between `minMs` and `maxMs`, in order. */
export interface Lag {
  readonly minMs: number
  readonly maxMs: number
}

export interface Region {
  readonly name: string
  /** The number in session tokens. */
  readonly id: number
  port: number
  tlsPort: number
  lag: Lag
  paused: boolean
  /** A region that answers nothing but 503. */
  down: boolean
  /** What has not arrived here yet, by range number. */
  readonly behind: Map<number, Behind>
}

interface Behind {
  applied: number
  /** LSNs on their way, with the time each arrives. */
  readonly coming: { lsn: number; due: number }[]
}

export const NO_LAG: Lag = { minMs: 0, maxMs: 0 }

export function makeRegion(name: string, id: number): Region {
  return { name, id, port: 0, tlsPort: 0, lag: NO_LAG, paused: false, down: false, behind: new Map() }
}

/**
 * Which write has reached which region. One store holds every version; a region that is behind reads it as it was
 * at the LSN that has arrived there.
 */
export class Replication {
  readonly regions: readonly Region[]
  writeRegion: Region
  /** Counts failovers; the version in session tokens. */
  version = 1
  readonly #clock: () => number
  readonly #random: () => number

  constructor(regions: readonly Region[], writeRegion: Region, clock: () => number, random: () => number) {
    this.regions = regions
    this.writeRegion = writeRegion
    this.#clock = clock
    this.#random = random
  }

  /** Sends a committed write on its way to the other regions. */
  send(range: PkRange, lsn: number): void {
    if (this.regions.length === 1) return
    for (const region of this.regions) {
      if (region === this.writeRegion) continue
      const known = region.behind.get(range.num)
      if (known === undefined && !region.paused && region.lag.maxMs === 0) continue
      const behind = known ?? { applied: lsn - 1, coming: [] }
      if (known === undefined) region.behind.set(range.num, behind)
      const { minMs, maxMs } = region.lag
      const due = this.#clock() + minMs + this.#random() * (maxMs - minMs)
      // Replication is in order: nothing arrives before what was sent earlier.
      behind.coming.push({ lsn, due: Math.max(due, behind.coming.at(-1)?.due ?? 0) })
    }
  }

  /** How far a region has come in a range; undefined: it has everything. */
  position(region: Region, range: PkRange): number | undefined {
    const behind = region.behind.get(range.num)
    if (behind === undefined) return undefined
    if (!region.paused) {
      const now = this.#clock()
      let arrived = 0
      while (arrived < behind.coming.length && (behind.coming[arrived]?.due ?? 0) <= now) arrived++
      const last = behind.coming[arrived - 1]
      if (last !== undefined) {
        behind.applied = last.lsn
        behind.coming.splice(0, arrived)
      }
      if (behind.coming.length === 0) {
        region.behind.delete(range.num)
        return undefined
      }
    }
    return behind.applied
  }

  /** Milliseconds until every region has a range's writes; Infinity while one of them is paused. */
  msUntilEverywhere(range: PkRange): number {
    let wait = 0
    for (const region of this.regions) {
      if (this.position(region, range) === undefined) continue
      if (region.paused) return Infinity
      wait = Math.max(wait, (region.behind.get(range.num)?.coming.at(-1)?.due ?? 0) - this.#clock())
    }
    return wait
  }

  /** Another region takes the writes, after everything acknowledged has reached it: nothing is lost. */
  failOver(to: Region): void {
    to.behind.clear()
    to.paused = false
    this.writeRegion = to
    this.version++
  }

  /** The children of a split are as far in every region as their parent was. */
  split(parent: PkRange, children: readonly PkRange[]): void {
    for (const region of this.regions) {
      const behind = region.behind.get(parent.num)
      if (behind === undefined) continue
      region.behind.delete(parent.num)
      for (const child of children) {
        region.behind.set(child.num, {
          applied: behind.applied,
          coming: behind.coming.map((one) => ({ ...one })),
        })
      }
    }
  }

  /** A merge waits for replication: the ranges' numbers mean nothing in the merged one. */
  settle(ranges: readonly PkRange[]): void {
    for (const region of this.regions) for (const range of ranges) region.behind.delete(range.num)
  }

  forget(container: Container): void {
    this.settle(container.ranges)
  }
}
