/** What every edge of a deployment agrees to serve. */
export interface Pointer {
  readonly epoch: number
  /** Number of the newest delta in the log; 0: none. */
  readonly delta: number
  /** ISO 8601: when the epoch was activated. */
  readonly activated: string
  /** The greatest epoch that ever was active: after a rollback greater than `epoch`. What is pushed must be newer. */
  readonly newest: number
}

/** `stored`, or why not: its number is taken, there is a hole before it, or the epoch is not the active one. */
export type AppendResult = 'stored' | 'exists' | 'gap' | 'other-epoch'

/**
 * Keeps artifacts: files by digest, signed manifests by epoch, which epoch is active, and its deltas in order. Holds what
 * it was given; checking is the caller's work. Two implementations ship: R2 with a Durable Object, and a folder.
 */
export interface ModelStore {
  hasFile(sha256: string): Promise<boolean>
  /** @param sha256 - of `bytes`; checked by the caller */
  putFile(sha256: string, bytes: Uint8Array): Promise<void>
  getFile(sha256: string): Promise<Uint8Array | undefined>
  putManifest(epoch: number, jws: string): Promise<void>
  getManifest(epoch: number): Promise<string | undefined>
  /** Takes an epoch away, with its deltas; the active one stays. Atomic. */
  deleteManifest(epoch: number): Promise<void>
  /** Digests of the files put before a time, in milliseconds since 1970. */
  filesBefore(time: number): Promise<string[]>
  deleteFiles(sha256s: readonly string[]): Promise<void>
  /** Epochs with a manifest, ascending. */
  epochs(): Promise<number[]>
  /** undefined: nothing was ever activated. */
  pointer(): Promise<Pointer | undefined>
  /**
   * Points at `epoch` with an empty log, if it is greater than any that was active before. Atomic.
   *
   * @returns whether it did
   */
  activate(epoch: number, at: string): Promise<boolean>
  /**
   * Points at an epoch whatever its number, with the log it has: an operator goes back, or forward again. Atomic.
   *
   * @param epoch - one with a manifest; checked by the caller
   */
  point(epoch: number, at: string): Promise<void>
  /** Appends delta number `delta` to the log of the active epoch. Atomic and durable. */
  appendDelta(epoch: number, delta: number, body: Uint8Array): Promise<AppendResult>
  /** Deltas of `epoch` with a number above `after`, in order; as many as fit a response, at least one if there is one. */
  deltasAfter(epoch: number, after: number): Promise<Uint8Array[]>
}
