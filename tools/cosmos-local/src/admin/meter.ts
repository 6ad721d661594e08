import { round } from '../engine/charges.ts'
import { throughputOf } from '../resources/offers.ts'
import type { Account } from '../engine/account.ts'
import type { Container } from '../store/catalog.ts'

interface Counter {
  requests: number
  ru: number
  throttled: number
  errors: number
}

interface Spent {
  second: number
  ru: number
}

/** RU by container and operation, the budget of each partition's second, and what was refused for want of it. */
export class Meter {
  readonly #counters = new Map<string, Map<string, Counter>>()
  readonly #spent = new Map<number, Spent>()
  /** Most RU that any second took, by container: what autoscale bills. */
  readonly #peaks = new Map<string, { second: number; ru: number; peak: number }>()
  readonly #clock: () => number

  constructor(clock: () => number) {
    this.#clock = clock
  }

  record(
    container: Container,
    operation: string,
    status: number,
    ru: number,
    rangeId: string | undefined,
  ): void {
    let operations = this.#counters.get(container.rid)
    if (operations === undefined) this.#counters.set(container.rid, (operations = new Map()))
    let counter = operations.get(operation)
    if (counter === undefined)
      operations.set(operation, (counter = { requests: 0, ru: 0, throttled: 0, errors: 0 }))
    counter.requests++
    counter.ru += ru
    if (status === 429) counter.throttled++
    else if (status >= 400) counter.errors++
    this.#spend(container, ru, rangeId)
  }

  #spend(container: Container, ru: number, rangeId: string | undefined): void {
    const second = Math.floor(this.#clock() / 1000)
    const share = rangeId === undefined ? ru / Math.max(1, container.ranges.length) : ru
    for (const range of container.ranges) {
      if (rangeId !== undefined && range.id !== rangeId) continue
      const spent = this.#spent.get(range.num)
      if (spent === undefined || spent.second !== second) this.#spent.set(range.num, { second, ru: share })
      else spent.ru += share
    }
    const peak = this.#peaks.get(container.rid)
    if (peak === undefined) this.#peaks.set(container.rid, { second, ru, peak: ru })
    else {
      peak.ru = peak.second === second ? peak.ru + ru : ru
      peak.second = second
      peak.peak = Math.max(peak.peak, peak.ru)
    }
  }

  /** Milliseconds until a partition has RU again; 0 when it has some now. */
  waitFor(account: Account, container: Container, rangeId: string | undefined): number {
    const budget = budgetOf(account, container)
    if (budget === undefined) return 0
    const now = this.#clock()
    const second = Math.floor(now / 1000)
    let wait = 0
    for (const range of container.ranges) {
      if (rangeId !== undefined && range.id !== rangeId) continue
      const spent = this.#spent.get(range.num)
      if (spent !== undefined && spent.second === second && spent.ru >= budget) wait = 1000 - (now % 1000)
    }
    return wait
  }

  /** Everything counted for one container. */
  report(account: Account, container: Container): Record<string, unknown> {
    const operations: Record<string, Counter> = {}
    let total = 0
    let throttled = 0
    for (const [name, counter] of this.#counters.get(container.rid) ?? []) {
      operations[name] = { ...counter, ru: round(counter.ru) }
      total += counter.ru
      throttled += counter.throttled
    }
    const storage = { items: 0, bytes: 0 }
    for (const range of container.ranges) {
      const counted = account.items.count(range)
      storage.items += counted.items
      storage.bytes += counted.bytes
    }
    return {
      database: container.database.id,
      container: container.id,
      ru: round(total),
      throttled,
      peakRuPerSecond: round(this.#peaks.get(container.rid)?.peak ?? 0),
      provisionedRuPerSecond: throughputOf(offerFor(account, container)) ?? null,
      operations,
      storage,
    }
  }

  reset(): void {
    this.#counters.clear()
    this.#peaks.clear()
  }
}

const offerFor = (account: Account, container: Container) =>
  account.catalog.offers.get(container.rid) ?? account.catalog.offers.get(container.database.rid)

/** RU per second of one partition: an equal share of what is provisioned. */
function budgetOf(account: Account, container: Container): number | undefined {
  const own = account.catalog.offers.get(container.rid)
  if (own !== undefined) return (throughputOf(own) ?? 0) / Math.max(1, container.ranges.length)
  const shared = throughputOf(account.catalog.offers.get(container.database.rid))
  if (shared === undefined) return undefined
  let ranges = 0
  for (const one of container.database.containers.values()) ranges += one.ranges.length
  return shared / Math.max(1, ranges)
}
