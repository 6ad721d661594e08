import { CodedError, SETTINGS_CONTAINER } from '@attune/core'
import type { CosmosConfig, Quota, Quotas as QuotaSettings } from '../config.ts'
import { CosmosError } from './errors.ts'
import { createDocument, type Partition } from './partition.ts'
import type { Regions } from './regions.ts'
import type { CosmosFetch } from './request.ts'

export type QuotaErrorCode = 'QUOTA_EXCEEDED'

/** A site has used up what it may ask in a day or month. */
export class QuotaError extends CodedError<QuotaErrorCode> {
  override readonly name = 'QuotaError'
  readonly limit: number
  /** Whole seconds until the period ends. */
  readonly retryAfterS: number

  constructor(site: string, period: 'day' | 'month', limit: number, retryAfterS: number) {
    super(
      'QUOTA_EXCEEDED',
      `site ${site}: expected at most ${limit} requests a ${period}; the next begins in ${retryAfterS} s`,
    )
    this.limit = limit
    this.retryAfterS = retryAfterS
  }
}

interface Count {
  /** `2026-11`, and the day's number in it. */
  month: string
  day: string
  /** As far as the store had told, over all processes. */
  ofMonth: number
  ofDay: number
  /** Let through and not yet told. */
  untold: number
  toldAt: number
  /** A telling under way, since when. */
  tellingSince: number | undefined
}

export interface QuotasDeps {
  readonly quotas: QuotaSettings
  readonly cosmos: CosmosConfig
  readonly regions: Regions
  readonly fetch: CosmosFetch
  /** Milliseconds since 1970. */
  readonly now: () => number
}

const TELL_AFTER_MS = 5_000
/** Told after a thousandth of the quota, or so many. */
const TOLD_PART = 0.001
const MOST_UNTOLD = 1_000
const TIMEOUT_MS = 5_000
/** In workerd an abandoned request's promise may not settle: after so long another tells. */
const PATIENCE_MS = 15_000

/**
 * Requests of a site by day and month (UTC), over all processes of a deployment: counted in memory and told to one
 * document of container `settings` behind responses, about 10 RU each time. No request waits; each process may let
 * through up to a thousandth of the quota (at most 1,000 requests) or 5 s more than there was. While Cosmos does not answer, what was
 * known of it counts; a telling whose answer was lost may count twice.
 */
export class Quotas {
  readonly #deps: QuotasDeps
  readonly #counts = new Map<string, Count>()

  constructor(deps: QuotasDeps) {
    this.#deps = deps
  }

  /** @throws {QuotaError} `QUOTA_EXCEEDED` */
  take(site: string): void {
    const quota = this.#deps.quotas[site]
    if (quota === undefined) return
    const now = this.#deps.now()
    const count = this.#countOf(site, now)
    const { perDay = Infinity, perMonth = Infinity } = quota
    if (count.ofMonth + count.untold >= perMonth)
      throw new QuotaError(site, 'month', perMonth, secondsUntil(nextMonth(now), now))
    if (count.ofDay + count.untold >= perDay)
      throw new QuotaError(site, 'day', perDay, secondsUntil(nextDay(now), now))
    count.untold++
  }

  /** Tells what is to be told. For after a response. Never throws. */
  async settle(): Promise<void> {
    const { quotas, now } = this.#deps
    const at = now()
    const due = [...this.#counts].filter(
      ([site, { untold, toldAt, tellingSince }]) =>
        untold > 0 &&
        (untold >= tellAfter(quotas[site] ?? {}) || at - toldAt >= TELL_AFTER_MS) &&
        (tellingSince === undefined || at - tellingSince > PATIENCE_MS),
    )
    await Promise.all(due.map(([site, count]) => this.#tell(site, count, at)))
  }

  async #tell(site: string, count: Count, at: number): Promise<void> {
    const requests = count.untold
    const { month, day } = count
    count.untold = 0
    count.tellingSince = at
    count.toldAt = at
    // Until the answer is there they count as used, so that nothing is let through twice.
    count.ofMonth += requests
    count.ofDay += requests
    try {
      const stored = await this.#add(site, month, day, requests)
      count.ofMonth = Math.max(count.ofMonth, Number(stored['month'] ?? 0))
      if (count.day === day) count.ofDay = Math.max(count.ofDay, Number(stored[`day${day}`] ?? 0))
    } catch (error) {
      if (!(error instanceof CosmosError)) throw error
      count.untold += requests
      count.ofMonth -= requests
      count.ofDay -= requests
    } finally {
      count.tellingSince = undefined
    }
  }

  async #add(site: string, month: string, day: string, requests: number): Promise<Record<string, unknown>> {
    const { cosmos, regions, fetch } = this.#deps
    const container = `dbs/${cosmos.database}/colls/${SETTINGS_CONTAINER.id}`
    const partition: Partition = { fetch, endpoint: regions.write, link: container, key: `quota:${site}` }
    const link = `${container}/docs/${month}`
    const patch = async (): Promise<Record<string, unknown>> => {
      const operations = ['month', `day${day}`].map((name) => ({
        op: 'incr',
        path: `/${name}`,
        value: requests,
      }))
      const answer = await fetch({
        endpoint: partition.endpoint,
        verb: 'PATCH',
        type: 'docs',
        link,
        path: link,
        partitionKey: partition.key,
        headers: { 'content-type': 'application/json_patch+json' },
        body: JSON.stringify({ operations }),
        timeoutMs: TIMEOUT_MS,
      })
      return answer.body as Record<string, unknown>
    }
    try {
      return await patch()
    } catch (error) {
      if (!(error instanceof CosmosError && error.code === 'COSMOS_NOT_FOUND')) throw error
    }
    const first = { id: month, site: partition.key, month: requests, [`day${day}`]: requests }
    return (await createDocument(partition, first)) ? first : patch()
  }

  #countOf(site: string, now: number): Count {
    const date = new Date(now).toISOString()
    const [month, day] = [date.slice(0, 7), date.slice(8, 10)]
    let count = this.#counts.get(site)
    if (count?.month !== month) {
      // The last few of a month that has ended are let go.
      count = { month, day, ofMonth: 0, ofDay: 0, untold: 0, toldAt: -Infinity, tellingSince: undefined }
      this.#counts.set(site, count)
    }
    if (count.day !== day) {
      count.day = day
      count.ofDay = 0
    }
    return count
  }
}

function tellAfter({ perDay = Infinity, perMonth = Infinity }: Quota): number {
  return Math.max(1, Math.min(MOST_UNTOLD, Math.floor(Math.min(perDay, perMonth) * TOLD_PART)))
}

function nextDay(now: number): number {
  const date = new Date(now)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() + 1)
}

function nextMonth(now: number): number {
  const date = new Date(now)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1)
}

function secondsUntil(then: number, now: number): number {
  return Math.max(1, Math.ceil((then - now) / 1_000))
}
