import type { Container } from '@azure/cosmos'
import { Claim, Observations, type Claimable, type ClaimOptions } from './claim.ts'
import { LeaseStore } from './lease-store.ts'
import { sleep } from './sleep.ts'

/** Who leads, and what leaders leave to one another. */
export interface LeaderDocument<Data> extends Claimable {
  /** 1 for the first leader; each acquisition adds one. Whatever a leader does carries it, so that it can be told from an earlier one's. */
  readonly generation: number
  readonly data: Data
}

export interface Leader<Data> {
  readonly instance: string
  readonly generation: number
  readonly data: Data
}

/** A leadership, from winning until losing or giving it back. */
export interface Leadership<Data> {
  readonly generation: number
  /** What the leader before left. */
  readonly data: Data
  /** Fires when another leads. */
  readonly lost: AbortSignal
  /** Whether it certainly still leads. */
  readonly held: boolean
  /** Settles once it certainly leads; false when it no longer does. */
  whenHeld(signal: AbortSignal): Promise<boolean>
  /** Changes what the next leader finds; atomic. @returns false when another leads */
  update(data: Data): Promise<boolean>
}

export interface ElectionOptions<Data> {
  /** Where its document is kept; partitioned by `/id`. */
  readonly leases: Container
  /** Id of the document: those who name the same elect one of them. */
  readonly id: string
  readonly instance: string
  /** What the very first leader finds. */
  readonly initial: Data
  /** What a new leader writes at once, in the same step that makes it the leader. */
  readonly claim: (data: Data) => Data
  /** Leads until the signal fires or the leadership is lost; what it resolves to is left to the next one. */
  readonly lead: (leadership: Leadership<Data>, signal: AbortSignal) => Promise<Data | undefined>
  /** A leadership that is not renewed for so long is free, 10,000 when absent. */
  readonly ttlMs?: number
  /** How often those who do not lead look, 1,000 when absent. */
  readonly roundMs?: number
  readonly onError?: (error: unknown) => void
  readonly random?: () => number
  readonly clock?: () => number
}

/** One of several that want to lead. */
export class Election<Data> {
  readonly #options: ElectionOptions<Data>
  readonly #stop = new AbortController()
  readonly #cut = new AbortController()
  readonly #claims: ClaimOptions
  readonly #observed = new Observations()
  readonly #running: Promise<void>
  #leader: Leader<Data> | undefined
  #leads = false
  #woken = new AbortController()

  constructor(options: ElectionOptions<Data>) {
    this.#options = options
    const { leases, instance, ttlMs = 10_000, clock = () => performance.now(), onError } = options
    const store = new LeaseStore(leases, this.#cut.signal)
    this.#claims = { store, instance, ttlMs, clock, onError: onError ?? (() => undefined) }
    this.#running = this.#run()
  }

  /** Who led when this instance last looked. */
  get leader(): Leader<Data> | undefined {
    return this.#leader
  }

  get leads(): boolean {
    return this.#leads
  }

  /** Looks now instead of at the next round. */
  look(): void {
    this.#woken.abort()
  }

  /** Ends leading, leaves the place to another. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#cut.abort()
  }

  async #run(): Promise<void> {
    const { roundMs = 1_000, random = Math.random } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      this.#woken = new AbortController()
      try {
        const claim = await this.#campaign()
        if (claim !== undefined) {
          await this.#lead(claim)
          continue
        }
      } catch (error) {
        if (!signal.aborted) this.#claims.onError(error)
      }
      await sleep(roundMs * (0.75 + random() / 2), AbortSignal.any([signal, this.#woken.signal]))
    }
  }

  async #campaign(): Promise<Claim<LeaderDocument<Data>> | undefined> {
    const { id, initial, claim } = this.#options
    const { store, clock, ttlMs } = this.#claims
    const known = await store.read<LeaderDocument<Data>>(id)
    if (known === undefined) {
      return Claim.make<LeaderDocument<Data>>(this.#claims, { id, generation: 1, data: claim(initial) })
    }
    const now = clock()
    this.#observed.see([known], now)
    const free = known.Owner === null || this.#observed.age(id, now) > ttlMs
    this.#leader = free
      ? undefined
      : { instance: known.Owner ?? '', generation: known.generation, data: known.data }
    if (!free || this.#stop.signal.aborted) return undefined
    return Claim.take<LeaderDocument<Data>>(this.#claims, known, {
      generation: known.generation + 1,
      data: claim(known.data),
    })
  }

  async #lead(claim: Claim<LeaderDocument<Data>>): Promise<void> {
    const { instance } = this.#claims
    const { generation, data } = claim.document
    this.#leader = { instance, generation, data }
    this.#leads = true
    const signal = AbortSignal.any([this.#stop.signal, claim.lost])
    const leadership: Leadership<Data> = {
      generation,
      data,
      lost: claim.lost,
      get held() {
        return claim.held
      },
      whenHeld: (waiting) => claim.whenHeld(waiting),
      update: (next) => claim.update({ data: next }),
    }
    let left: Data | undefined
    try {
      left = await this.#options.lead(leadership, signal)
    } catch (error) {
      this.#claims.onError(error)
    } finally {
      this.#leads = false
      this.#leader = undefined
      await claim.release(left === undefined ? {} : { data: left })
    }
  }
}
