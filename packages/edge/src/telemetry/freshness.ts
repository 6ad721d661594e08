import { covers, parseSessionToken, SessionTokenError, type SessionToken } from '@attune/core'

interface Mark {
  readonly session: SessionToken
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Batches looked at: one in so many milliseconds says as much as all of them. */
const MARK_EVERY_MS = 100
const MAX_MARKS = 600

/**
 * How far the model being served is behind what this process has stored. A model says by a session token up to which
 * clicks it contains them, so a write is contained once that token covers the write's own. Unlike the age of the last
 * delta this stays 0 while nobody clicks.
 */
export class Freshness {
  #marks: Mark[] = []
  #markedAt = -Infinity
  #through: string | null = null
  readonly #contained: (afterMs: number) => void

  /** @param contained - told for each batch looked at, how long it took until the model contained it */
  constructor(contained: (afterMs: number) => void) {
    this.#contained = contained
  }

  /** A batch with something to learn from was stored. */
  stored(session: string, at: number): void {
    if (at - this.#markedAt < MARK_EVERY_MS || this.#marks.length >= MAX_MARKS) return
    this.#markedAt = at
    const token = read(session)
    if (token !== undefined) this.#marks.push({ session: token, at })
  }

  /**
   * The model being served contains everything up to `through`.
   *
   * @param since - when it came to serve
   */
  serves(through: string | null, since: number): void {
    if (through === null || through === this.#through) return
    this.#through = through
    const token = read(through)
    if (token === undefined) return
    this.#marks = this.#marks.filter((mark) => {
      if (!covers(token, mark.session)) return true
      this.#contained(Math.max(0, since - mark.at))
      return false
    })
  }

  /** Age of the oldest batch that the model does not contain; 0 when it contains all that were looked at. */
  lagMs(now: number): number {
    const oldest = this.#marks[0]
    return oldest === undefined ? 0 : Math.max(0, now - oldest.at)
  }
}

function read(session: string): SessionToken | undefined {
  try {
    return parseSessionToken(session)
  } catch (error) {
    if (error instanceof SessionTokenError) return undefined
    throw error
  }
}
