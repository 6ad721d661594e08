import type { Artifact } from '../artifact/build.ts'

/** A delta as it is sent. */
export interface SignedDelta {
  readonly delta: number
  readonly body: Uint8Array
  readonly through: string | null
}

/** A signed epoch and where its files are. */
export interface SignedEpoch {
  readonly manifest: Artifact['manifest']
  readonly jws: string
  /** @returns bytes of a file the manifest names */
  readonly file: (sha256: string) => Promise<Uint8Array>
}

/** Deltas kept in memory for edges that lag; older ones are answered with a fresh epoch. */
const MAX_LOG_BYTES = 64_000_000

/** What edges should serve: an epoch and the deltas after it. */
export class Release {
  readonly epoch: SignedEpoch
  #deltas: SignedDelta[] = []
  #delta: number
  #bytes = 0
  /** Bytes of all deltas of this epoch, kept or not: what an edge that loads from its own log has to read. */
  #total = 0

  /** @param delta - deltas there are already, which are not in memory */
  constructor(epoch: SignedEpoch, delta: number) {
    this.epoch = epoch
    this.#delta = delta
  }

  get number(): number {
    return this.epoch.manifest.epoch
  }

  get delta(): number {
    return this.#delta
  }

  get totalBytes(): number {
    return this.#total
  }

  add(delta: SignedDelta): void {
    this.#deltas.push(delta)
    this.#delta = delta.delta
    this.#bytes += delta.body.length
    this.#total += delta.body.length
    while (this.#bytes > MAX_LOG_BYTES && this.#deltas.length > 1)
      this.#bytes -= this.#deltas.shift()?.body.length ?? 0
  }

  /** The deltas an edge at `delta` has to be sent; undefined when they are no longer here. */
  after(delta: number): readonly SignedDelta[] | undefined {
    if (delta > this.#delta) return undefined
    const from = this.#delta - this.#deltas.length
    return delta < from ? undefined : this.#deltas.slice(delta - from)
  }
}
