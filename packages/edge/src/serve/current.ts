import type { EngineName, ServingState } from '@attune/core'
import { CandidateSet, coreEngine, type RankEngine, type ServingModel } from '@attune/core/rank'
import { Filters } from '../slots/compile.ts'
import type { OrtEngine } from './ort.ts'

/** One epoch as requests use it. */
export class Epoch {
  readonly model: ServingModel
  /** ISO 8601. */
  readonly swappedAt: string
  /** Used only between awaits, so one serves all requests of this thread. */
  readonly scratch: CandidateSet = new CandidateSet()
  readonly filters: Filters
  readonly #core: RankEngine | undefined
  #ort: OrtEngine | undefined
  #inFlight = 0
  #retired = false

  /** @param ort - absent: core's TypeScript ranks until {@link warm} */
  constructor(model: ServingModel, swappedAt: string, ort?: OrtEngine) {
    this.model = model
    this.filters = new Filters(model)
    this.swappedAt = swappedAt
    this.#core = model.weights && coreEngine(model.weights)
    this.#ort = ort
  }

  /** The engine for requests that start now; undefined: bring-your-own graphs whose sessions are not made yet. */
  get engine(): RankEngine | undefined {
    return this.#ort ?? this.#core
  }

  get engineName(): EngineName {
    return this.engine?.name ?? 'none'
  }

  /** Requests from now on run in ORT; those in flight finish on the engine they took. */
  warm(ort: OrtEngine): void {
    if (this.#retired || this.#ort !== undefined) void ort.release()
    else this.#ort = ort
  }

  get warmed(): boolean {
    return this.#ort !== undefined
  }

  /** Runs a request on this epoch; its sessions live until the last such request is done. */
  async use<T>(request: (epoch: Epoch) => Promise<T>): Promise<T> {
    this.#inFlight++
    try {
      return await request(this)
    } finally {
      this.#inFlight--
      this.#releaseWhenIdle()
    }
  }

  /** Takes no new requests. */
  retire(): void {
    this.#retired = true
    this.#releaseWhenIdle()
  }

  #releaseWhenIdle(): void {
    if (!this.#retired || this.#inFlight > 0 || this.#ort === undefined) return
    const ort = this.#ort
    this.#ort = undefined
    void ort.release()
  }
}

/** Which epoch serves. Swapping is one assignment: a request in flight keeps the epoch it started with. */
export class Current {
  #epoch: Epoch | undefined

  get epoch(): Epoch | undefined {
    return this.#epoch
  }

  swap(epoch: Epoch): void {
    const before = this.#epoch
    this.#epoch = epoch
    if (before !== epoch) before?.retire()
  }

  get state(): ServingState | null {
    const epoch = this.#epoch
    if (epoch === undefined) return null
    const { model } = epoch
    return {
      epoch: model.epoch,
      delta: model.delta,
      through: model.through,
      created: model.manifest.created,
      swappedAt: epoch.swappedAt,
      items: model.items,
      engine: epoch.engineName,
    }
  }
}
