import type { LeaseStore, StoredDocument } from './lease-store.ts'
import { sleep } from './sleep.ts'

/** A document somebody may own. */
export interface Claimable extends StoredDocument {
  /** Instance; null: nobody. */
  readonly Owner: string | null
  /** Drawn anew at each acquisition: tells an instance's own earlier writes from another's. */
  readonly term: string
}

/**
 * When a document was last seen to change. Nobody's wall clock is compared with anybody else's: a claim has expired once
 * this process has seen the same ETag for longer than its time to live, and its owner, who counts from before its last
 * write, has given up by then.
 */
export class Observations {
  readonly #seen = new Map<string, { etag: string; since: number }>()

  see(documents: readonly StoredDocument[], now: number): void {
    const ids = new Set(documents.map(({ id }) => id))
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id)
    for (const { id, _etag } of documents) {
      if (this.#seen.get(id)?.etag !== _etag) this.#seen.set(id, { etag: _etag, since: now })
    }
  }

  /** Milliseconds a document has been the same, as far as this process knows. */
  age(id: string, now: number): number {
    const seen = this.#seen.get(id)
    return seen === undefined ? 0 : now - seen.since
  }
}

export interface ClaimOptions {
  readonly store: LeaseStore
  readonly instance: string
  readonly ttlMs: number
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number
  /** Told each failed renewal; it is tried again until the time to live is over. */
  readonly onError: (error: unknown) => void
}

/**
 * A document this process owns: renewed in time, written one change after the other, each naming the version it
 * replaces. Whoever is too late with a renewal no longer holds it before anybody else may take it, and has it again if
 * nobody did.
 */
export class Claim<Document extends Claimable> {
  readonly #options: ClaimOptions
  readonly #lost = new AbortController()
  readonly #released = new AbortController()
  #document: Document
  #deadline: number
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(options: ClaimOptions, document: Document, deadline: number) {
    this.#options = options
    this.#document = document
    this.#deadline = deadline
    void this.#keep()
  }

  /** Takes a document that is free or has expired. @returns undefined when somebody else was quicker */
  static async take<Document extends Claimable>(
    options: ClaimOptions,
    document: Document,
    change: Partial<Document> = {},
  ): Promise<Claim<Document> | undefined> {
    const started = options.clock()
    const wanted = { ...document, ...change, Owner: options.instance, term: crypto.randomUUID() }
    const taken = await options.store.replace<Document>(wanted, document._etag)
    return taken && new Claim(options, taken, started + options.ttlMs)
  }

  /** Makes a document and owns it. @returns undefined when there is one of this id */
  static async make<Document extends Claimable>(
    options: ClaimOptions,
    body: Omit<Document, '_etag' | 'Owner' | 'term'>,
  ): Promise<Claim<Document> | undefined> {
    const started = options.clock()
    const wanted = { ...body, Owner: options.instance, term: crypto.randomUUID() } as unknown as Document
    const made = await options.store.create<Document>(wanted)
    return made && new Claim(options, made, started + options.ttlMs)
  }

  get document(): Document {
    return this.#document
  }

  /** Fires when it is no longer this process's. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** Whether it certainly still is this process's: nobody else may take it before this turns false. */
  get held(): boolean {
    return !this.#over && this.#options.clock() < this.#deadline
  }

  get #over(): boolean {
    return this.#lost.signal.aborted || this.#released.signal.aborted
  }

  /**
   * Settles once it is held: at once, or after a renewal that came late but before anybody else's acquisition.
   *
   * @returns false when it is lost, released, or the signal fires
   */
  async whenHeld(signal: AbortSignal): Promise<boolean> {
    while (!this.held) {
      if (this.#over || signal.aborted) return false
      await sleep(this.#options.ttlMs / 20, signal)
    }
    return !signal.aborted
  }

  /** Writes a change, after those before it. @returns false when it is no longer this process's */
  update(change: Partial<Document>): Promise<boolean> {
    return this.#inTurn(() => this.#put(change))
  }

  /** Lets go of it, so that another need not wait. Never throws: what cannot be released expires. */
  async release(change: Partial<Document> = {}): Promise<void> {
    if (this.#released.signal.aborted) return
    await this.#inTurn(async () => {
      await this.#put({ ...change, Owner: null } as Partial<Document>)
    }).catch((error: unknown) => {
      this.#options.onError(error)
    })
    this.#released.abort()
  }

  /** Takes it out of the container; its owner no longer renews it. */
  async remove(): Promise<void> {
    this.#released.abort()
    await this.#inTurn(() => this.#options.store.delete(this.#document))
  }

  /** Stops renewing without a word, as a crash would. */
  abandon(): void {
    this.#released.abort()
    this.#lost.abort()
  }

  async #put(change: Partial<Document>): Promise<boolean> {
    const { store, clock, ttlMs } = this.#options
    for (;;) {
      if (this.#lost.signal.aborted) return false
      const started = clock()
      const wanted = { ...this.#document, ...change }
      const written = await store.replace<Document>(wanted, this.#document._etag)
      if (written !== undefined) {
        this.#document = written
        this.#deadline = started + ttlMs
        return true
      }
      // An answer that never came may have been a write of our own.
      const now = await store.read<Document>(this.#document.id)
      if (now?.term !== this.#document.term) {
        this.#lost.abort()
        return false
      }
      this.#document = now
    }
  }

  async #keep(): Promise<void> {
    const { ttlMs, clock, onError } = this.#options
    const over = AbortSignal.any([this.#lost.signal, this.#released.signal])
    while (!over.aborted) {
      await sleep(Math.max(ttlMs / 10, this.#deadline - clock() - (2 * ttlMs) / 3), over)
      if (over.aborted || this.#deadline - clock() > (2 * ttlMs) / 3) continue
      await this.#inTurn(async () => !over.aborted && (await this.#put({}))).catch(onError)
    }
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action)
    this.#turn = result.catch(() => undefined)
    return result
  }
}
