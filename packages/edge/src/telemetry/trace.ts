import { formatTraceparent, parseTraceparent, randomHex, type TraceContext } from './trace-context.ts'

/** Where the time of a request goes; each ends where the next begins. */
export type StageName = 'parse' | 'history' | 'retrieve' | 'rank' | 'rules' | 'create' | 'serialise'

export interface Stage {
  readonly name: StageName
  /** Milliseconds after the request's start. */
  readonly from: number
  readonly to: number
}

/** Values that say what was done, never for whom: no handle, key, item or event. */
export type Attributes = Readonly<Record<string, string | number | boolean>>

/** One request on its way through the edge: its stages, and its place in a trace when somebody follows it. */
export class RequestTrace {
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** undefined: nobody follows this request. */
  readonly context:
    { readonly traceId: string; readonly spanId: string; readonly parentId?: string } | undefined
  readonly #elapsed: () => number
  readonly #started: number
  readonly #stages: Stage[] = []
  readonly #attributes: Record<string, string | number | boolean> = {}
  #open: { readonly name: StageName; readonly from: number } | undefined
  #duration = 0

  /**
   * @param elapsed - milliseconds of a clock that only goes forward
   * @param followed - takes part in this trace; undefined: in none
   */
  constructor(now: number, elapsed: () => number, followed?: { readonly parent: TraceContext | undefined }) {
    this.startedAt = now
    this.#elapsed = elapsed
    this.#started = elapsed()
    const parent = followed?.parent
    this.context =
      followed === undefined
        ? undefined
        : {
            traceId: parent?.traceId ?? randomHex(16),
            spanId: randomHex(8),
            ...(parent !== undefined && { parentId: parent.parentId }),
          }
  }

  /** Ends the stage before and begins this one. */
  enter(name: StageName): void {
    const at = this.#sinceStart()
    this.#close(at)
    this.#open = { name, from: at }
  }

  /** Adds what is worth knowing about this request; costs nothing when nobody follows it. */
  note(attributes: Attributes): void {
    if (this.context !== undefined) Object.assign(this.#attributes, attributes)
  }

  /** The answer is made: ends the last stage. */
  end(): void {
    this.#duration = this.#sinceStart()
    this.#close(this.#duration)
  }

  get stages(): readonly Stage[] {
    return this.#stages
  }

  get attributes(): Attributes {
    return this.#attributes
  }

  /** Milliseconds from start to end. */
  get duration(): number {
    return this.#duration
  }

  /** For requests made on behalf of this one. */
  get traceparent(): string | undefined {
    return this.context && formatTraceparent(this.context.traceId, this.context.spanId, true)
  }

  #sinceStart(): number {
    return this.#elapsed() - this.#started
  }

  #close(at: number): void {
    if (this.#open === undefined) return
    this.#stages.push({ ...this.#open, to: at })
    this.#open = undefined
  }
}

/**
 * Whether a request is followed. A caller's own decision counts, as a trace is of use only whole; `ratio` is for requests
 * that come without one. A public edge gets `traceparent` from anybody, so callers can choose to be followed: what that
 * costs is bounded by the exporter's queue, not here.
 */
export function follow(
  header: string | undefined,
  ratio: number,
  random: () => number,
): { readonly parent: TraceContext | undefined } | undefined {
  const parent = parseTraceparent(header)
  if (parent === undefined) return random() < ratio ? { parent } : undefined
  return parent.sampled ? { parent } : undefined
}
