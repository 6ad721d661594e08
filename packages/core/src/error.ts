/** One thing wrong with an input: where it is, what was expected there and what was found. */
export interface Issue {
  /** Path from the root of the input, as one would write it in code: `events[3].kind`. */
  readonly path: string
  /** Stable code for machines; part of the API. */
  readonly code: string
  /** One sentence for people. */
  readonly message: string
  readonly expected?: string
  readonly received?: string
}

/** An error with a stable code. `message` says what, which, expected and received; never a secret or a visitor id. */
export class CodedError<Code extends string = string> extends Error {
  override readonly name: string = 'CodedError'
  readonly code: Code
  readonly issues: readonly Issue[]

  constructor(code: Code, message: string, options: { cause?: unknown; issues?: readonly Issue[] } = {}) {
    super(message, options)
    this.code = code
    this.issues = options.issues ?? []
  }
}

/** A short, safe rendering of an unknown value for an error message. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return String(value)
  if (Array.isArray(value)) return `array of ${value.length}`
  return typeof value
}
