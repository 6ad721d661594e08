/** A query that Cosmos refuses, with the place in its text. */
export class SqlError extends Error {
  override readonly name = 'SqlError'
  readonly code: string
  readonly start: number
  readonly end: number
  constructor(code: string, message: string, start: number, end: number) {
    super(message)
    this.code = code
    this.start = start
    this.end = end
  }

  /** The body of the 400, as Cosmos writes it. */
  toBody(): string {
    return JSON.stringify({
      errors: [
        {
          severity: 'Error',
          location: { start: this.start, end: this.end },
          code: this.code,
          message: this.message,
        },
      ],
    })
  }
}

export const syntaxError = (near: string, start: number, end: number): SqlError =>
  new SqlError('SC1001', `Syntax error, incorrect syntax near '${near}'.`, start, end)
