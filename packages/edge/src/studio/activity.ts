import type { TrackedEvent } from '@attune/core'
import type { Background } from '../models/models.ts'

/** What happened in five seconds. */
export interface ActivityBucket {
  /** Its start, milliseconds since 1970; a multiple of {@link BUCKET_MS}. */
  readonly at: number
  readonly events: number
  readonly lists: number
  /** Lists that said `fresh: false`. */
  readonly stale: number
  /** Longest a stored batch had been waiting for a model that contains it. */
  readonly lagMs: number
  readonly slots: readonly SlotActivity[]
}

/** What happened in one slot; of a bucket each slot has one. */
export interface SlotActivity {
  readonly slot: string
  readonly lists: number
  readonly impressions: number
  readonly clicks: number
}

export const BUCKET_MS = 5_000
/** How far back the page looks. */
export const WINDOW_MS: number = 15 * 60_000
/** Names of slots come from pages, so anybody can invent some. */
const MAX_SLOTS = 40
export const OTHER_SLOT = '(others)'

/** Where the counts of several processes or isolates come together: in a Durable Object, or in this process alone. */
export interface ActivityStore {
  readonly scope: 'process' | 'deployment'
  add(buckets: readonly ActivityBucket[]): Promise<void>
  /** The last 15 minutes, oldest first. */
  read(): Promise<readonly ActivityBucket[]>
}

/** Adds up buckets of the same time, in memory. */
export class ActivityWindow {
  readonly #buckets = new Map<number, ActivityBucket>()

  add(buckets: readonly ActivityBucket[], now: number): void {
    for (const bucket of buckets) {
      const known = this.#buckets.get(bucket.at)
      this.#buckets.set(bucket.at, known === undefined ? bucket : merged(known, bucket))
    }
    for (const at of this.#buckets.keys()) if (at < now - WINDOW_MS) this.#buckets.delete(at)
  }

  list(): ActivityBucket[] {
    return [...this.#buckets.values()].toSorted((a, b) => a.at - b.at)
  }
}

/** This process alone. */
export function processActivityStore(now: () => number): ActivityStore {
  const window = new ActivityWindow()
  return {
    scope: 'process',
    add(buckets) {
      window.add(buckets, now())
      return Promise.resolve()
    },
    read: () => Promise.resolve(window.list()),
  }
}

/** Counts what this process does, for the live page; hands it on behind responses, at most once in five seconds. */
export class Activity {
  readonly #store: ActivityStore
  readonly #now: () => number
  #own = new ActivityWindow()
  #sharedAt = -Infinity

  constructor(store: ActivityStore, now: () => number) {
    this.#store = store
    this.#now = now
  }

  get scope(): ActivityStore['scope'] {
    return this.#store.scope
  }

  /** Events of a batch that was stored now for the first time. */
  stored(events: readonly TrackedEvent[], lagMs: number): void {
    const slots = events.flatMap(({ kind, slot }): SlotActivity[] => {
      if (slot === undefined || (kind !== 'impression' && kind !== 'click')) return []
      return [
        { slot, lists: 0, impressions: Number(kind === 'impression'), clicks: Number(kind === 'click') },
      ]
    })
    this.#count({ events: events.length, lagMs, slots: joined(slots) })
  }

  listed(slot: string, fresh: boolean): void {
    this.#count({
      lists: 1,
      stale: Number(!fresh),
      slots: [{ slot, lists: 1, impressions: 0, clicks: 0 }],
    })
  }

  /** Behind a response; what could not be handed on goes with the next. */
  share(background: Background): void {
    if (this.#now() - this.#sharedAt >= BUCKET_MS) background(this.#share().catch(() => undefined))
  }

  async read(): Promise<readonly ActivityBucket[]> {
    await this.#share()
    return this.#store.read()
  }

  async #share(): Promise<void> {
    const now = this.#now()
    this.#sharedAt = now
    const buckets = this.#own.list()
    this.#own = new ActivityWindow()
    if (buckets.length === 0) return
    try {
      await this.#store.add(buckets)
    } catch (error) {
      this.#own.add(buckets, now)
      throw error
    }
  }

  #count(change: Partial<ActivityBucket>): void {
    const now = this.#now()
    const at = Math.floor(now / BUCKET_MS) * BUCKET_MS
    this.#own.add([{ at, events: 0, lists: 0, stale: 0, lagMs: 0, slots: [], ...change }], now)
  }
}

function merged(a: ActivityBucket, b: ActivityBucket): ActivityBucket {
  return {
    at: a.at,
    events: a.events + b.events,
    lists: a.lists + b.lists,
    stale: a.stale + b.stale,
    lagMs: Math.max(a.lagMs, b.lagMs),
    slots: joined([...a.slots, ...b.slots]),
  }
}

/** Adds up what is of the same slot; beyond {@link MAX_SLOTS} names all others are one. */
function joined(slots: readonly SlotActivity[]): SlotActivity[] {
  const sums = new Map<string, SlotActivity>()
  for (const one of slots) {
    const slot = sums.has(one.slot) || sums.size < MAX_SLOTS ? one.slot : OTHER_SLOT
    const known = sums.get(slot)
    sums.set(slot, {
      slot,
      lists: one.lists + (known?.lists ?? 0),
      impressions: one.impressions + (known?.impressions ?? 0),
      clicks: one.clicks + (known?.clicks ?? 0),
    })
  }
  return [...sums.values()]
}
