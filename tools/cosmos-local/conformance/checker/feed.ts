import { request } from './client.ts'
import { CONTAINER, type Cluster } from './cluster.ts'
import type { History } from './history.ts'

interface Place {
  readonly min: string
  readonly max: string
  readonly etag: string | undefined
}

interface Range {
  readonly id: string
  readonly minInclusive: string
  readonly maxExclusive: string
}

interface Item {
  readonly id: string
  readonly pk: string
  readonly n: number
}

/**
 * Reads the change feed from the beginning to the end of the run, range by range, through splits, merges, failovers
 * and kills, as a consumer would: a place is only moved once its page has been taken in.
 */
export class FeedReader {
  /** Newest value of each register in the feed. */
  readonly newest: Map<string, number> = new Map<string, number>()
  /** All-versions feeds: every value. */
  readonly all: Map<string, Set<number>> = new Map<string, Set<number>>()
  #places: Place[] = [{ min: '', max: 'FF', etag: undefined }]
  readonly #cluster: Cluster
  readonly #history: History
  readonly #versions: boolean

  constructor(cluster: Cluster, history: History, versions: boolean) {
    this.#cluster = cluster
    this.#history = history
    this.#versions = versions
    // All versions cannot be read from the beginning: from LSN 0 of a container that is still empty.
    if (versions) this.#places = [{ min: '', max: 'FF', etag: '"0"' }]
  }

  /** One pass over every range; true when none had anything new. */
  async pass(region: number): Promise<boolean> {
    const listed = await request(this.#cluster, region, 'GET', `${CONTAINER}/pkranges`, {})
    if (listed?.status !== 200) return false
    const ranges = (listed.json as { PartitionKeyRanges: Range[] }).PartitionKeyRanges
    this.#places = this.#places.flatMap((place) =>
      ranges
        .filter((range) => range.minInclusive < place.max && place.min < range.maxExclusive)
        .map((range) => ({
          min: place.min > range.minInclusive ? place.min : range.minInclusive,
          max: place.max < range.maxExclusive ? place.max : range.maxExclusive,
          etag: place.etag,
        })),
    )
    let quiet = true
    for (const [i, place] of this.#places.entries()) {
      const range = ranges.find((one) => one.minInclusive <= place.min && place.max <= one.maxExclusive)
      if (range === undefined) return false
      const etag = await this.#page(region, range.id, place)
      if (etag === undefined) return false
      if (etag.more) quiet = false
      this.#places[i] = { ...place, etag: etag.etag }
    }
    return quiet
  }

  async #page(
    region: number,
    range: string,
    place: Place,
  ): Promise<{ etag: string; more: boolean } | undefined> {
    const answer = await request(this.#cluster, region, 'GET', `${CONTAINER}/docs`, {
      'a-im': this.#versions ? 'Full-Fidelity Feed' : 'Incremental Feed',
      'x-ms-max-item-count': '50',
      'x-ms-documentdb-partitionkeyrangeid': range,
      'x-ms-start-epk': place.min,
      'x-ms-end-epk': place.max,
      ...(place.etag === undefined ? {} : { 'if-none-match': place.etag }),
    })
    if (answer === undefined || answer.etag === null) return undefined
    if (answer.status === 304) return { etag: answer.etag, more: false }
    if (answer.status !== 200) return undefined
    for (const one of (answer.json as { Documents: (Item & { current?: Item })[] }).Documents) {
      this.#take(this.#versions ? (one.current ?? one) : one)
    }
    return { etag: answer.etag, more: true }
  }

  #take(item: Item): void {
    const register = `${item.pk}/${item.id}`
    const before = this.newest.get(register) ?? 0
    if (item.n <= before) {
      this.#history.violate(
        'feed-order',
        `${register}: ${item.n} after ${before}${this.#versions ? ', all versions' : ''}`,
      )
    }
    this.newest.set(register, Math.max(before, item.n))
    const seen = this.all.get(register)
    if (seen === undefined) this.all.set(register, new Set([item.n]))
    else seen.add(item.n)
  }
}
